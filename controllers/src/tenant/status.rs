//! What a Tenant's status says. Pure: it describes what `apply` has returned and nothing else.

use std::time::Duration;

use konstruct_crds::conditions::ResourceStatus;
use konstruct_crds::{Condition, ConditionType, Reason, Tenant, TenantState, TenantStatus};

use super::apply::{Outcome, Step};
use super::boundary;
use super::dereference::Surplus;
use super::validate::Validated;
use crate::Problem;
use crate::framework::controller::Next;
use crate::framework::ownership::Ownership;
use crate::framework::report;
use crate::framework::rollout::{is_rolled_out, why_not};
use crate::framework::status::{StatusBuilder, only};

const NAMES_SHOWN: usize = 10;
/// Until then nobody needs to be told that the walls are being built.
const PROVISIONED_WITHIN: Duration = Duration::from_secs(10);
/// What is inside the walls.
const INSIDE: [ConditionType; 4] = [
    ConditionType::DatabaseReady,
    ConditionType::CacheReady,
    ConditionType::RuntimeReady,
    ConditionType::WithinPlan,
];

/// The workload controller's part of a status: all but what the provisioner says.
pub(super) fn share(status: &TenantStatus) -> TenantStatus {
    TenantStatus { namespace: None, ..only(status, |type_| !boundary::status::is_ours(type_)) }
}

pub(super) fn applied(tenant: &Tenant, valid: &Validated, outcome: &Outcome) -> TenantStatus {
    let mut builder = StatusBuilder::new(tenant);
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
    let order = [ConditionType::DatabaseReady, ConditionType::CacheReady, ConditionType::RuntimeReady];
    let missing = order
        .into_iter()
        .find_map(|type_| builder.get(type_).filter(|condition| !condition.is_true()).cloned());
    match missing {
        None => match shut(tenant) {
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

/// A host that is shut altogether, as the provisioner says: what was declared is not in effect.
fn shut(tenant: &Tenant) -> Option<(Reason, String)> {
    let condition =
        current(tenant, ConditionType::EgressResolved).filter(|condition| !condition.is_true())?;
    Some((condition.reason.parse().unwrap_or(Reason::HostNotResolved), condition.message.clone()))
}

/// Says what to remove. Being above a limit takes nothing from the objects within it, so Ready does not depend on it.
fn within_plan(builder: &mut StatusBuilder<TenantStatus>, valid: &Validated) {
    let Surplus { agents, channels } = &valid.surplus;
    let limits = valid.entitlement.limits;
    let excesses: Vec<String> = [
        ("agents are allowed; not running", agents, limits.agents),
        ("channel connections are allowed; not running", channels, limits.channels),
        ("seats are allowed; without one", &valid.without_seat, limits.seats),
    ]
    .into_iter()
    .filter(|(_, names, _)| !names.is_empty())
    .map(|(what, names, limit)| format!("{} {what}: {}", limit.unwrap_or(0), listed(names)))
    .collect();
    if excesses.is_empty() {
        builder.set(ConditionType::WithinPlan, true, Reason::Succeeded, "");
    } else {
        let message = format!("{}. Remove them, or ask for a larger plan", excesses.join("; "));
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
    report::problems(&mut builder, problems);
    keep_inside(&mut builder);
    builder.finish()
}

/// Nobody tells when a namespace that was in the way is gone.
pub(super) fn next_with_problems(problems: &[Problem]) -> Next {
    let about_namespace = problems.iter().any(Problem::is_about_namespace);
    if about_namespace { Next::Retry } else { report::next_with_problems(problems) }
}

/// The provisioner takes the walls down when it reads that nothing runs.
pub(super) fn deleting(tenant: &Tenant, stopped: bool, message: &str) -> TenantStatus {
    let mut builder = StatusBuilder::new(tenant);
    let (reason, runtime) = if stopped {
        (Reason::RuntimeStopped, "nothing runs any more")
    } else {
        (Reason::Deleting, "the runtime is being stopped")
    };
    builder.set(ConditionType::RuntimeReady, false, reason, runtime);
    builder.waiting(Reason::Deleting, message);
    builder.finish()
}

pub(super) fn is_stopped(tenant: &Tenant) -> bool {
    current(tenant, ConditionType::RuntimeReady)
        .is_some_and(|ready| ready.reason == Reason::RuntimeStopped.as_str())
}

/// Whether the walls stand as this very spec wants them; else what to wait for, if that is worth saying already.
pub(super) fn handed_over(tenant: &Tenant, namespace: Ownership) -> Result<(), Option<TenantStatus>> {
    match current(tenant, ConditionType::NamespaceReady) {
        Some(ready) if ready.is_true() && namespace == Ownership::Ours => Ok(()),
        Some(ready) if !ready.is_true() => {
            let reason = ready.reason.parse().unwrap_or(Reason::Reconciling);
            Err(Some(waiting(tenant, reason, &ready.message)))
        }
        _ if is_older_than(tenant, PROVISIONED_WITHIN) && never_handed_over(tenant) => {
            let message =
                "waiting for the operator's provisioner to make the namespace: see its log if this lasts";
            Err(Some(waiting(tenant, Reason::Reconciling, message)))
        }
        _ => Err(None),
    }
}

fn waiting(tenant: &Tenant, reason: Reason, message: &str) -> TenantStatus {
    let mut builder = StatusBuilder::new(tenant);
    keep_inside(&mut builder);
    builder.waiting(reason, message);
    builder.finish()
}

/// This pass has learned nothing about what is inside the walls.
fn keep_inside(builder: &mut StatusBuilder<TenantStatus>) {
    for type_ in INSIDE {
        builder.keep(type_);
    }
}

fn current(tenant: &Tenant, type_: ConditionType) -> Option<&Condition> {
    let condition = tenant.status.as_ref()?.condition(type_)?;
    (Some(condition.observed_generation) == tenant.metadata.generation).then_some(condition)
}

fn never_handed_over(tenant: &Tenant) -> bool {
    tenant.status.as_ref().is_none_or(|status| status.condition(ConditionType::NamespaceReady).is_none())
}

fn is_older_than(tenant: &Tenant, age: Duration) -> bool {
    let created = tenant.metadata.creation_timestamp.as_ref().map_or(0, |time| time.0.as_second());
    let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
    k8s_openapi::jiff::Timestamp::now().as_second() - created > age
}
