//! What an Agent's status says. Pure.

use konstruct_crds::{Agent, AgentStatus, ConditionType, Reason};
use konstruct_domain::observation::Condition as Observed;

use super::validate::Validated;
use crate::Problem;
use crate::framework::cache::namespace_of;
use crate::framework::publish::Applied;
use crate::framework::report;
use crate::framework::status::StatusBuilder;
use crate::tenant::dedicated;

const SHARED: &str = "the tenant's runtime";
const DEDICATED: &str = "the agent's own runtime";

/// `pod` says what keeps the agent's own pod from running, if it has one and something does.
pub(super) fn published(
    agent: &Agent,
    valid: &Validated,
    applied: &Applied,
    pod: Option<&str>,
) -> AgentStatus {
    let reader = if dedicated::asks(agent) { DEDICATED } else { SHARED };
    let mut builder = StatusBuilder::new(agent);
    builder.set(ConditionType::ResolvedRefs, true, Reason::Succeeded, "every model of the chain was found");
    report::loaded(&mut builder, applied, reader);
    // Says how the last turn went. It does not decide about Ready: it would stay false after a repair until
    // somebody writes.
    report::observed(&mut builder, applied, Observed::ModelAvailable);
    match (pod, &valid.fault) {
        (Some(missing), _) => {
            builder.waiting(Reason::WaitingForRuntime, missing);
        }
        (None, Some(fault)) if applied.loaded() => {
            builder.waiting(Reason::ProviderNotReady, fault);
        }
        _ => report::ready_unless_observed(&mut builder, applied, reader, "the employee answers"),
    }
    builder.finish()
}

/// Published for the day on which the tenant's runtime runs again.
pub(super) fn stopped(agent: &Agent, applied: &Applied, reason: Reason) -> AgentStatus {
    let mut builder = StatusBuilder::new(agent);
    builder.status_mut().revision = Some(applied.revision().as_str().to_owned());
    builder.set(ConditionType::ResolvedRefs, true, Reason::Succeeded, "every model of the chain was found");
    report::observed(&mut builder, applied, Observed::ModelAvailable);
    builder.stalled(reason, "the tenant's state lets nothing run: set the Tenant's spec.state to Active");
    builder.finish()
}

pub(super) fn invalid(agent: &Agent, problems: &[Problem]) -> AgentStatus {
    let mut builder = StatusBuilder::new(agent);
    report::problems(&mut builder, problems);
    if problems.iter().any(Problem::stops_serving) {
        builder.status_mut().revision = None;
    }
    if let Some(problem) = problems.iter().find(|problem| problem.field.starts_with("spec.models")) {
        builder.set(ConditionType::ResolvedRefs, false, problem.reason, problem.to_string());
    }
    builder.keep(ConditionType::ModelAvailable);
    builder.finish()
}

pub(super) fn nobodys(agent: &Agent) -> AgentStatus {
    let mut builder = StatusBuilder::new(agent);
    report::nobodys(&mut builder, namespace_of(agent), false);
    builder.finish()
}
