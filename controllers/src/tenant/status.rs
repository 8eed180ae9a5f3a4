//! What a Tenant's status says. Pure: it describes what `apply` has returned and nothing else.

use konstruct_crds::{ConditionType, Reason, Tenant, TenantState, TenantStatus};
use kube::ResourceExt;

use super::apply::{Outcome, Step};
use super::dereference::Surplus;
use super::egress::{Fault, Opening};
use super::validate::Validated;
use crate::Problem;
use crate::framework::controller::Next;
use crate::framework::report;
use crate::framework::rollout::{is_rolled_out, why_not};
use crate::framework::status::StatusBuilder;

const NAMES_SHOWN: usize = 10;

pub(super) fn applied(tenant: &Tenant, valid: &Validated, outcome: &Outcome) -> TenantStatus {
    let mut builder = StatusBuilder::new(tenant);
    let namespace = outcome.boundary.namespace.name_any();
    builder.status_mut().namespace = Some(namespace.clone());
    builder.set(
        ConditionType::NamespaceReady,
        true,
        Reason::Succeeded,
        format!("namespace {namespace} has its policies, quota and limits"),
    );
    step(&mut builder, ConditionType::DatabaseReady, &outcome.database, "the login role exists");
    step(&mut builder, ConditionType::CacheReady, &outcome.cache, "the user exists");
    if let Some(snapshot) = &outcome.snapshot {
        builder.status_mut().revision = Some(snapshot.revision().as_str().to_owned());
    }
    match runtime(valid, outcome) {
        Ok(Runtime::Works) => {
            builder.set(ConditionType::RuntimeReady, true, Reason::Succeeded, "the runtime works");
        }
        Ok(Runtime::Stopped(reason)) => {
            builder.set(ConditionType::RuntimeReady, false, reason, "nothing runs, as declared");
        }
        Err((reason, message)) => {
            builder.set(ConditionType::RuntimeReady, false, reason, message);
        }
    }
    within_plan(&mut builder, valid);
    let shut = extra_egress(&mut builder, &valid.egress);
    let order = [ConditionType::DatabaseReady, ConditionType::CacheReady, ConditionType::RuntimeReady];
    let missing = order
        .into_iter()
        .find_map(|type_| builder.get(type_).filter(|condition| !condition.is_true()).cloned());
    match missing {
        None => match shut {
            Some((reason, message)) => builder.waiting(reason, &message),
            None => builder.ready("the tenant is set up"),
        },
        // What was declared is in effect: `kubectl wait` and a GitOps tool have nothing to wait for.
        Some(condition) if is_complete(valid, outcome) => builder.in_effect(
            condition.reason.parse().unwrap_or(Reason::Succeeded),
            "the tenant is set up, and nothing runs, as declared",
        ),
        Some(condition) => {
            builder.waiting(condition.reason.parse().unwrap_or(Reason::Reconciling), &condition.message)
        }
    };
    builder.finish()
}

/// Says which hosts are not as they should be. Returns it if one of them is shut altogether: then what was declared is not
/// in effect.
fn extra_egress(builder: &mut StatusBuilder<TenantStatus>, egress: &[Opening]) -> Option<(Reason, String)> {
    let mut hosts = egress.iter().filter_map(|opening| Some((opening.host.as_deref()?, opening))).peekable();
    hosts.peek()?;
    let faults: Vec<(Reason, String, bool)> = hosts
        .filter_map(|(host, opening)| {
            let is_shut = opening.blocks.is_empty();
            let rest = if is_shut { "nothing is open for it" } else { "its other addresses stay open" };
            match opening.fault.as_ref()? {
                Fault::NotResolved(error) => {
                    let message = format!("host {host} was not found ({error}): {rest}");
                    Some((Reason::HostNotResolved, message, is_shut))
                }
                Fault::Refused { address, what } => {
                    let message =
                        format!("host {host} has the address {address}, which is refused ({what}): {rest}");
                    Some((Reason::AddressRefused, message, is_shut))
                }
            }
        })
        .collect();
    let Some((reason, ..)) = faults.first() else {
        builder.set(ConditionType::EgressResolved, true, Reason::Succeeded, "every host was found");
        return None;
    };
    let message = |faults: &mut dyn Iterator<Item = &(Reason, String, bool)>| {
        faults.map(|(_, message, _)| message.as_str()).collect::<Vec<_>>().join("; ")
    };
    builder.set(ConditionType::EgressResolved, false, *reason, message(&mut faults.iter()));
    let mut shut = faults.iter().filter(|(.., is_shut)| *is_shut).peekable();
    let (reason, ..) = *shut.peek()?;
    Some((*reason, message(&mut shut)))
}

/// Says what to remove. Being above a limit takes nothing from the objects within it, so Ready does not depend on it.
fn within_plan(builder: &mut StatusBuilder<TenantStatus>, valid: &Validated) {
    let Surplus { agents, channels } = &valid.surplus;
    let limits = valid.entitlement.limits;
    let excesses: Vec<String> =
        [("agents", agents, limits.agents), ("channel connections", channels, limits.channels)]
            .into_iter()
            .filter(|(_, names, _)| !names.is_empty())
            .map(|(what, names, limit)| {
                format!("{} {what} are allowed; not running: {}", limit.unwrap_or(0), listed(names))
            })
            .collect();
    if excesses.is_empty() {
        builder.set(ConditionType::WithinPlan, true, Reason::Succeeded, "");
    } else {
        let message = format!("{}. Delete them, or ask for a larger plan", excesses.join("; "));
        builder.set(ConditionType::WithinPlan, false, Reason::PlanExceeded, message);
    }
}

/// Longer lists do not help in a message.
fn listed(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMES_SHOWN).map(String::as_str).collect();
    let more = names.len() - shown.len();
    let shown = shown.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

fn step(builder: &mut StatusBuilder<TenantStatus>, type_: ConditionType, step: &Step, done: &str) {
    match step {
        Step::Done => builder.set(type_, true, Reason::Succeeded, done),
        Step::Failed { reason, message } => builder.set(type_, false, *reason, message),
    };
}

enum Runtime {
    Works,
    /// By the Tenant's state.
    Stopped(Reason),
}

fn runtime(valid: &Validated, outcome: &Outcome) -> Result<Runtime, (Reason, String)> {
    let waiting = |message: String| Err((Reason::WaitingForRuntime, message));
    let stopped = match valid.state {
        TenantState::Active => None,
        TenantState::Suspended => Some(Reason::TenantSuspended),
        TenantState::Archived => Some(Reason::TenantArchived),
    };
    if let (Some(reason), Some(deployment)) = (stopped, &outcome.deployment) {
        let message = "waiting for the runtime's pods to stop";
        let mut all = outcome.dedicated.iter().chain([deployment]);
        let is_stopped = all.all(is_rolled_out) && outcome.snapshot.is_some();
        return if is_stopped { Ok(Runtime::Stopped(reason)) } else { waiting(message.to_owned()) };
    }
    match (&outcome.deployment, &outcome.snapshot) {
        (None, _) | (_, None) => waiting("the runtime starts when its logins exist".to_owned()),
        (Some(deployment), _) if !is_rolled_out(deployment) => waiting(why_not(deployment)),
        (_, Some(snapshot)) if !snapshot.loaded() => Err((
            Reason::WaitingForLoad,
            format!("waiting for the runtime to load revision {}", snapshot.revision()),
        )),
        _ => Ok(Runtime::Works),
    }
}

/// Whether everything is there.
pub(super) fn is_complete(valid: &Validated, outcome: &Outcome) -> bool {
    outcome.database.is_done() && outcome.cache.is_done() && runtime(valid, outcome).is_ok()
}

pub(super) fn invalid(tenant: &Tenant, problems: &[Problem]) -> TenantStatus {
    let mut builder = StatusBuilder::new(tenant);
    let previous = builder.previous().clone();
    report::problems(&mut builder, problems);
    let claims_namespace = |problem: &&Problem| {
        matches!(
            problem.reason,
            Reason::SlugConflict | Reason::NamespaceConflict | Reason::NamespaceTerminating
        )
    };
    if let Some(problem) = problems.iter().find(claims_namespace) {
        builder.set(ConditionType::NamespaceReady, false, problem.reason, &problem.message);
    } else {
        builder.status_mut().namespace = previous.namespace;
        builder.keep(ConditionType::NamespaceReady);
    }
    for type_ in [
        ConditionType::DatabaseReady,
        ConditionType::CacheReady,
        ConditionType::RuntimeReady,
        ConditionType::EgressResolved,
        ConditionType::WithinPlan,
    ] {
        builder.keep(type_);
    }
    builder.finish()
}

/// Namespaces that are not ours are not watched, so nobody tells when one is gone.
pub(super) fn next_with_problems(problems: &[Problem]) -> Next {
    let about_namespace = |problem: &Problem| {
        matches!(problem.reason, Reason::NamespaceConflict | Reason::NamespaceTerminating)
    };
    if problems.iter().any(about_namespace) { Next::Retry } else { report::next_with_problems(problems) }
}

pub(super) fn deleting(tenant: &Tenant, message: &str) -> TenantStatus {
    let mut builder = StatusBuilder::new(tenant);
    let namespace = builder.previous().namespace.clone();
    builder.status_mut().namespace = namespace;
    builder.waiting(Reason::Deleting, message);
    builder.finish()
}
