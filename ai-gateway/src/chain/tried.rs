//! The course of one question through the chain.

use konstruct_domain::snapshot::ModelChoice;
use konstruct_llm::{Error, Provider};

use super::failure::{Failure, Skipped, Try, Why};
use crate::metrics::TRIES;

#[derive(Debug, Default)]
pub(super) struct Tries(Vec<Try>);

impl Tries {
    pub(super) fn answered(&self, provider: &Provider) {
        TRIES.inc([provider.type_name(), "answered"]);
        if !self.0.is_empty() {
            tracing::info!(skipped = self.0.len(), "answered by a fallback");
        }
    }

    pub(super) fn failed(&mut self, choice: &ModelChoice, provider: &Provider, error: Error) {
        TRIES.inc([provider.type_name(), error.label()]);
        self.push(choice, Why::Failed(error));
    }

    pub(super) fn skipped(&mut self, choice: &ModelChoice, skipped: Skipped) {
        TRIES.inc(["none", "skipped"]);
        self.push(choice, Why::Skipped(skipped));
    }

    fn push(&mut self, choice: &ModelChoice, why: Why) {
        let one = Try { provider: choice.provider.clone(), model: choice.model.clone(), why };
        tracing::warn!(provider = %one.provider, model = one.model, why = one.detail().message, "a model gave no answer");
        self.0.push(one);
    }

    pub(super) fn into_failure(self) -> Failure {
        Failure::of(self.0)
    }
}
