//! Writing a status: only when it differs, and only our own conditions.

use std::fmt::Debug;
use std::sync::Arc;

use konstruct_crds::conditions::ResourceStatus;
use konstruct_crds::{Condition, ConditionStatus, ConditionType, Reason, conditions};
use kube::api::{Patch, PatchParams};
use kube::core::object::HasStatus;
use kube::{Api, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::apply::pruned;
use super::cache::{Cache, Cached, namespace_of};
use crate::Error;

/// One of our four kinds.
pub trait Root: Cached + HasStatus<Status: ResourceStatus + Send + Sync> + DeserializeOwned + Debug {}
impl<K: Cached + HasStatus<Status: ResourceStatus + Send + Sync> + DeserializeOwned + Debug> Root for K {}

/// The part of a status that one controller writes, as a field manager of its own.
pub struct Share<S: 'static> {
    pub manager: &'static str,
    /// Leaves out what others write.
    pub of: fn(&S) -> S,
}

impl<S: ResourceStatus> Share<S> {
    /// All that the operator says.
    pub const fn whole(manager: &'static str) -> Self {
        Self { manager, of: |status| only(status, |_| true) }
    }
}

/// The status with those of our conditions that are chosen.
pub fn only<S: ResourceStatus>(status: &S, chosen: fn(ConditionType) -> bool) -> S {
    let conditions =
        ours().filter(|type_| chosen(*type_)).filter_map(|type_| status.condition(type_).cloned());
    let mut share = status.clone();
    *share.conditions_mut() = conditions.collect();
    share
}

/// A status in the making. Starts without conditions, so that one which no longer applies goes away; what stays the
/// same keeps its transition time.
pub struct StatusBuilder<S> {
    generation: i64,
    previous: S,
    next: S,
}

impl<S: ResourceStatus> StatusBuilder<S> {
    pub fn new<K: Root<Status = S>>(object: &K) -> Self {
        let previous = object.status().cloned().unwrap_or_default();
        let mut next = S::default();
        // The last revision keeps serving until a newer one is published.
        next.set_revision(previous.revision().map(str::to_owned));
        let generation = object.meta().generation.unwrap_or(0);
        next.set_observed_generation(generation);
        Self { generation, previous, next }
    }

    pub fn set(
        &mut self,
        type_: ConditionType,
        status: impl Into<ConditionStatus>,
        reason: Reason,
        message: impl AsRef<str>,
    ) -> &mut Self {
        let mut condition = Condition::new(type_, status, reason, message, self.generation);
        if let Some(before) =
            self.previous.condition(type_).filter(|before| before.status == condition.status)
        {
            condition.last_transition_time = before.last_transition_time.clone();
        }
        conditions::set(self.next.conditions_mut(), condition);
        self
    }

    /// Takes a condition over as it is, because this pass has learned nothing about it.
    pub fn keep(&mut self, type_: ConditionType) -> &mut Self {
        if let Some(before) = self.previous.condition(type_).cloned() {
            conditions::set(self.next.conditions_mut(), before);
        }
        self
    }

    pub fn get(&self, type_: ConditionType) -> Option<&Condition> {
        self.next.condition(type_)
    }

    pub fn previous(&self) -> &S {
        &self.previous
    }

    pub fn status_mut(&mut self) -> &mut S {
        &mut self.next
    }

    /// Everything declared is in effect.
    pub fn ready(&mut self, message: &str) -> &mut Self {
        self.in_effect(Reason::Succeeded, message)
    }

    /// The same, and what is declared is that nothing runs.
    pub fn in_effect(&mut self, reason: Reason, message: &str) -> &mut Self {
        self.set(ConditionType::Ready, true, reason, message)
            .set(ConditionType::Reconciling, false, Reason::Succeeded, "")
            .set(ConditionType::Stalled, false, Reason::Succeeded, "")
    }

    /// Not yet, and it gets there without the user.
    pub fn waiting(&mut self, reason: Reason, message: &str) -> &mut Self {
        self.set(ConditionType::Ready, false, reason, message)
            .set(ConditionType::Reconciling, true, reason, message)
            .set(ConditionType::Stalled, false, Reason::Reconciling, "")
    }

    /// Not before the user changes something.
    pub fn stalled(&mut self, reason: Reason, message: &str) -> &mut Self {
        self.set(ConditionType::Ready, false, reason, message)
            .set(ConditionType::Reconciling, false, reason, "")
            .set(ConditionType::Stalled, true, reason, message)
    }

    pub fn finish(self) -> S {
        self.next
    }
}

/// Writes a share of the status if it differs from the newest one known; says whether it did. Conditions of other
/// managers are left alone: ours are applied as elements of a list that is merged by type.
pub async fn write<K: Root>(
    api: &Api<K>,
    cache: &Cache<K>,
    share: &Share<K::Status>,
    object: &K,
    status: &K::Status,
) -> Result<bool, Error> {
    let status = (share.of)(status);
    if same(&object.status().map(share.of).unwrap_or_default(), &status) {
        return Ok(false);
    }
    let name = object.name_any();
    let patch = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        // The UID keeps us from describing an object of the same name that was made after this one was deleted.
        "metadata": {"name": name, "namespace": object.namespace(), "uid": object.uid()},
        "status": status,
    });
    let params = PatchParams::apply(share.manager).force();
    match api.patch_status(&name, &params, &Patch::Apply(patch)).await {
        Ok(written) => {
            cache.wrote(pruned(written));
            Ok(true)
        }
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(false),
        Err(error) => Err(Error::apply::<K>(&name, error)),
    }
}

fn same<S: ResourceStatus>(one: &S, other: &S) -> bool {
    let without_conditions = |status: &S| {
        let mut status = status.clone();
        status.conditions_mut().clear();
        status
    };
    without_conditions(one) == without_conditions(other)
        && ours().all(|type_| one.condition(type_) == other.condition(type_))
}

/// The conditions that the operator writes.
fn ours() -> impl Iterator<Item = ConditionType> {
    ConditionType::ALL.into_iter().filter(|type_| !type_.is_verified_apart())
}

/// The status after a pass that failed for a reason that is not the user's. What was ready stays ready: a database
/// that is down for a minute takes no employee away.
pub fn after_failure<K: Root>(object: &K, error: &Error) -> K::Status {
    let mut status = object.status().map(|status| only(status, |_| true)).unwrap_or_default();
    let generation = object.meta().generation.unwrap_or(0);
    let (reason, message) = (error.reason(), error.advice());
    status.set_condition(Condition::new(ConditionType::Reconciling, true, reason, &message, generation));
    if !status.is_ready(generation) {
        status.set_condition(Condition::new(ConditionType::Ready, false, reason, &message, generation));
        status.set_observed_generation(generation);
    }
    status
}

/// A fresh copy of the object, for a pass that must not work on what the scheduler saw a while ago.
pub fn newest<K: Root>(cache: &Cache<K>, object: &Arc<K>) -> Arc<K> {
    match cache.get(namespace_of(&**object), &object.name_any()) {
        Some(newest) if newest.uid() == object.uid() => newest,
        _ => Arc::clone(object),
    }
}

#[cfg(test)]
mod tests {
    use konstruct_crds::{Agent, AgentStatus};

    use super::*;

    fn agent() -> Agent {
        serde_json::from_value(json!({
            "metadata": {"name": "ada", "namespace": "kt-acme", "generation": 2, "uid": "u"},
            "spec": {"displayName": "Ada", "models": [{"provider": "p", "model": "m"}]}
        }))
        .unwrap()
    }

    fn with(status: AgentStatus) -> Agent {
        Agent { status: Some(status), ..agent() }
    }

    #[test]
    fn a_second_pass_builds_the_same_status() {
        let first = {
            let mut builder = StatusBuilder::new(&agent());
            builder.ready("fine");
            builder.finish()
        };
        let mut builder = StatusBuilder::new(&with(first.clone()));
        builder.ready("fine");
        assert!(same(&first, &builder.finish()));
    }

    #[test]
    fn foreign_conditions_are_neither_taken_over_nor_missed() {
        let mut stored = AgentStatus::default();
        let mut foreign = Condition::new(ConditionType::Ready, true, Reason::Succeeded, "", 2);
        foreign.type_ = "IsolationVerified".to_owned();
        stored.conditions.push(foreign);
        let mut builder = StatusBuilder::new(&with(stored.clone()));
        builder.ready("fine");
        let next = builder.finish();
        assert!(next.conditions.iter().all(|condition| condition.type_ != "IsolationVerified"));

        stored.conditions.extend(next.conditions.clone());
        stored.observed_generation = next.observed_generation;
        assert!(same(&stored, &next));
    }

    #[test]
    fn the_last_revision_is_kept_and_old_conditions_are_not() {
        let mut stored = AgentStatus { revision: Some("abc".to_owned()), ..AgentStatus::default() };
        stored.set_condition(Condition::new(ConditionType::Loaded, true, Reason::Succeeded, "", 1));
        let mut builder = StatusBuilder::new(&with(stored));
        builder.stalled(Reason::MissingProvider, "create it");
        let next = builder.finish();
        assert_eq!(next.revision.as_deref(), Some("abc"));
        assert!(next.condition(ConditionType::Loaded).is_none());
        assert!(next.condition(ConditionType::Stalled).unwrap().is_true());
        assert_eq!(next.observed_generation, Some(2));
    }

    #[test]
    fn a_failure_of_ours_does_not_take_readiness_away() {
        let error = Error::Deadline(30);
        let new = after_failure(&agent(), &error);
        assert_eq!(new.condition(ConditionType::Ready).unwrap().status, ConditionStatus::False);
        assert_eq!(new.observed_generation, Some(2));

        let mut serving = AgentStatus::default();
        serving.set_condition(Condition::new(ConditionType::Ready, true, Reason::Succeeded, "", 2));
        let serving = after_failure(&with(serving), &error);
        assert!(serving.is_ready(2));
        assert!(serving.condition(ConditionType::Reconciling).unwrap().is_true());
        assert!(same(&serving, &after_failure(&with(serving.clone()), &error)), "a retry changes nothing");
    }
}
