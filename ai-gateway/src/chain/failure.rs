//! Why a chain gave no answer.

use konstruct_domain::ids::ProviderName;
use konstruct_llm::Error;
use serde::Serialize;

use crate::catalogue::Unusable;

/// Why a model was not tried. The text says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Skipped {
    #[error("there is no such LLMProvider, or it has not been loaded yet: create it or correct spec.models")]
    NotLoaded,
    #[error("the platform does not share this LLMProvider with the tenant: ask for it, or use another one")]
    NotAllowed,
    #[error("the LLMProvider does not offer this model: add it to its spec.models or choose another one")]
    ModelNotOffered,
    #[error(transparent)]
    Unusable(Unusable),
}

/// What happened with one model of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Skipped(Skipped),
    Failed(Error),
}

impl Why {
    const fn label(&self) -> &'static str {
        match self {
            Self::Skipped(_) => "skipped",
            Self::Failed(error) => error.label(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Try {
    pub(crate) provider: ProviderName,
    pub(crate) model: String,
    pub(crate) why: Why,
}

/// One try as the caller sees it.
#[derive(Debug, Serialize)]
pub(crate) struct Detail<'a> {
    provider: &'a str,
    model: &'a str,
    reason: &'static str,
    pub(super) message: String,
}

impl Try {
    pub(crate) fn detail(&self) -> Detail<'_> {
        let message = match &self.why {
            Why::Skipped(skipped) => skipped.to_string(),
            Why::Failed(error) => error.to_string(),
        };
        Detail { provider: self.provider.as_str(), model: &self.model, reason: self.why.label(), message }
    }
}

/// What became of every model of the chain that was looked at, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// None could be used now.
    All(Vec<Try>),
    /// The last one refused, and trying on would hide it.
    Rejected(Vec<Try>),
    /// The request itself cannot be served.
    Request(&'static str),
}

impl Failure {
    /// For an answer that came and cannot be used.
    pub(crate) fn rejected(provider: &ProviderName, model: &str, error: Error) -> Self {
        Self::Rejected(vec![Try {
            provider: provider.clone(),
            model: model.to_owned(),
            why: Why::Failed(error),
        }])
    }

    pub(super) fn of(tries: Vec<Try>) -> Self {
        match tries.last().map(|last| &last.why) {
            Some(Why::Failed(Error::Request(reason))) => Self::Request(reason),
            Some(Why::Failed(error)) if !error.may_fall_back() => Self::Rejected(tries),
            _ => Self::All(tries),
        }
    }
}

/// One sentence with all reasons.
pub(crate) fn describe(tries: &[Try]) -> String {
    if tries.is_empty() {
        return "the agent has no models: add one to spec.models".to_owned();
    }
    let reasons = tries.iter().map(|one| {
        let Detail { provider, model, message, .. } = one.detail();
        format!("{provider} ({model}): {message}")
    });
    reasons.collect::<Vec<_>>().join("; ")
}
