//! Conditions that the compiled kinds have in common.

use std::time::Duration;

use konstruct_crds::conditions::ResourceStatus;
use konstruct_crds::{ConditionStatus, ConditionType, Reason};
use konstruct_domain::observation::{Condition as Observed, Observation};

use super::controller::Next;
use super::publish::Applied;
use super::status::StatusBuilder;
use crate::Problem;
use crate::problem::summary;

/// A Secret is not watched; what names one reads it again this often.
const SECRETS_AGAIN: Duration = Duration::from_mins(1);
/// How long loading takes at most, when all is well.
const MOMENT: Duration = Duration::from_millis(300);
/// In case a watch or a signal was missed.
const ANYWAY: Duration = Duration::from_mins(10);

/// The spec cannot work. What was published before keeps serving.
pub fn problems<S: ResourceStatus>(builder: &mut StatusBuilder<S>, problems: &[Problem]) {
    let worst = problems.iter().find(|problem| !problem.resolves_itself()).or(problems.first());
    let Some(worst) = worst else { return };
    let mut message = summary(problems);
    let keeps_serving = !problems.iter().any(Problem::stops_serving);
    if keeps_serving && builder.previous().revision().is_some() {
        message.push_str(" (the last valid revision keeps serving)");
    }
    if worst.resolves_itself() {
        builder.waiting(worst.reason, &message);
    } else {
        builder.stalled(worst.reason, &message);
    }
    builder.keep(ConditionType::Loaded);
}

/// When to look at an object with problems again: an edit is seen by its watch, a Secret is not.
pub fn next_with_problems(problems: &[Problem]) -> Next {
    if problems.iter().any(Problem::is_about_a_secret) { Next::Retry } else { Next::After(ANYWAY) }
}

/// A revision that was put in force just now is loaded in a moment, and its reader tells. Until then there is no
/// status worth a write.
pub fn is_loading(applied: &Applied) -> Option<Next> {
    (applied.changed() && !applied.loaded()).then_some(Next::After(MOMENT))
}

/// When to look at an object again that nothing is to be expected of.
pub const fn next_anyway() -> Next {
    Next::After(ANYWAY)
}

/// When to look at a published object again.
pub fn next_after(applied: &Applied, names_secrets: bool) -> Next {
    match (applied.loaded(), names_secrets) {
        (false, _) => Next::Waiting,
        (true, true) => Next::After(SECRETS_AGAIN),
        (true, false) => Next::After(ANYWAY),
    }
}

/// No tenant stands behind the namespace.
pub fn nobodys<S: ResourceStatus>(builder: &mut StatusBuilder<S>, namespace: &str, shared_allowed: bool) {
    let hint = if shared_allowed { ", or into the operator's namespace to share it" } else { "" };
    builder.stalled(
        Reason::NotInTenantNamespace,
        &format!("namespace {namespace:?} belongs to no Tenant: create the object in a tenant's namespace (kt-<slug>){hint}"),
    );
}

/// The revision is published; has its reader loaded it?
pub fn loaded<S: ResourceStatus>(builder: &mut StatusBuilder<S>, applied: &Applied, reader: &str) {
    let revision = applied.revision();
    builder.status_mut().set_revision(Some(revision.as_str().to_owned()));
    if applied.loaded() {
        builder.set(
            ConditionType::Loaded,
            true,
            Reason::Succeeded,
            format!("{reader} works with revision {revision}"),
        );
    } else {
        builder.set(
            ConditionType::Loaded,
            false,
            Reason::WaitingForLoad,
            format!("revision {revision} is published; waiting for {reader} to load it. If this lasts, look at the readiness of {reader}"),
        );
    }
}

/// What the data plane noticed about one thing, or that nobody has used it yet.
pub fn observed<S: ResourceStatus>(builder: &mut StatusBuilder<S>, applied: &Applied, what: Observed) {
    let (type_, good, bad) = match what {
        Observed::CredentialsValid => {
            (ConditionType::CredentialsValid, Reason::CredentialsAccepted, Reason::CredentialsRejected)
        }
        Observed::AccountUsable => {
            (ConditionType::AccountUsable, Reason::AccountServes, Reason::AccountRestricted)
        }
        Observed::Reachable => {
            (ConditionType::Reachable, Reason::ProviderAnswered, Reason::ProviderUnreachable)
        }
        Observed::ModelAvailable => {
            (ConditionType::ModelAvailable, Reason::ModelAnswered, Reason::ModelUnavailable)
        }
    };
    match applied.observations().iter().find(|observation| observation.condition == what) {
        Some(Observation { ok, reason, message, .. }) => {
            // A data plane of another version may say a word that this one does not know.
            let reason = reason.parse().unwrap_or(if *ok { good } else { bad });
            builder.set(type_, *ok, reason, message);
        }
        None => {
            builder.set(
                type_,
                ConditionStatus::Unknown,
                Reason::NotObservedYet,
                "nothing has used it since its last change; the next message decides",
            );
        }
    }
}

/// Ready, unless something that was observed says otherwise: then the observation is the reason.
pub fn ready_unless_observed<S: ResourceStatus>(
    builder: &mut StatusBuilder<S>,
    applied: &Applied,
    reader: &str,
    message: &str,
) {
    let fault = [ConditionType::CredentialsValid, ConditionType::AccountUsable, ConditionType::Reachable]
        .into_iter()
        .filter_map(|type_| builder.get(type_).cloned())
        .find(|condition| condition.status == ConditionStatus::False);
    if !applied.loaded() {
        builder.waiting(
            Reason::WaitingForLoad,
            &format!("waiting for {reader} to load revision {}", applied.revision()),
        );
    } else if let Some(fault) = fault {
        let reason = fault.reason.parse().unwrap_or(Reason::InvalidSpec);
        builder.stalled(reason, &fault.message);
    } else {
        builder.ready(message);
    }
}
