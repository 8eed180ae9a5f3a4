//! What an LLMProvider's status says. Pure.

use konstruct_crds::{LLMProvider, LLMProviderStatus};
use konstruct_domain::observation::Condition as Observed;

use crate::Problem;
use crate::framework::cache::namespace_of;
use crate::framework::publish::Applied;
use crate::framework::report;
use crate::framework::status::StatusBuilder;

const READER: &str = "the ai-gateway";

pub(super) fn published(provider: &LLMProvider, applied: &Applied) -> LLMProviderStatus {
    let mut builder = StatusBuilder::new(provider);
    report::loaded(&mut builder, applied, READER);
    report::observed(&mut builder, applied, Observed::CredentialsValid);
    report::observed(&mut builder, applied, Observed::Reachable);
    report::ready_unless_observed(&mut builder, applied, READER, "agents can use this provider");
    builder.finish()
}

pub(super) fn invalid(provider: &LLMProvider, problems: &[Problem]) -> LLMProviderStatus {
    let mut builder = StatusBuilder::new(provider);
    report::problems(&mut builder, problems);
    builder.finish()
}

pub(super) fn nobodys(provider: &LLMProvider) -> LLMProviderStatus {
    let mut builder = StatusBuilder::new(provider);
    report::nobodys(&mut builder, namespace_of(provider), true);
    builder.finish()
}
