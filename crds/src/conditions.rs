//! Conditions: what is true of an object, in the shape that `kubectl wait` and kstatus read.
//!
//! Stored conditions keep type and reason as text, since another version may have written them. New ones are made
//! from the closed sets [`ConditionType`] and [`Reason`] only.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::reason::Reason;

/// Longest message, in characters.
pub const MESSAGE_MAX: usize = 1024;

/// The conditions that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConditionType {
    /// Everything declared is in effect.
    Ready,
    /// The operator is still working towards the declared state.
    Reconciling,
    /// The operator cannot get further without a change by the user.
    Stalled,
    /// Tenant: the namespace exists with its policies, quota and limits.
    NamespaceReady,
    /// Tenant: the PostgreSQL login role exists.
    DatabaseReady,
    /// Tenant: the Redis user exists.
    CacheReady,
    /// Tenant: the runtime pod runs and has loaded the tenant.
    RuntimeReady,
    /// Tenant: every host of its extra egress has public addresses.
    EgressResolved,
    /// Tenant: it has no more agents and channels than its plan allows.
    WithinPlan,
    /// Tenant: every claim of isolation was tried out and holds.
    IsolationVerified,
    /// Every object and Secret key that the spec names exists and fits.
    ResolvedRefs,
    /// The role that serves the object has loaded its latest revision.
    Loaded,
    /// Agent: its last turn got an answer from a model.
    ModelAvailable,
    /// ChannelConnection: the channel account belongs to this connection and to no other.
    Claimed,
    /// The platform or provider accepts the credentials.
    CredentialsValid,
    /// ChannelConnection: the platform lets the account be used.
    AccountUsable,
    /// LLMProvider: the endpoint answers.
    Reachable,
}

impl ConditionType {
    pub const ALL: [Self; 17] = [
        Self::Ready,
        Self::Reconciling,
        Self::Stalled,
        Self::NamespaceReady,
        Self::DatabaseReady,
        Self::CacheReady,
        Self::RuntimeReady,
        Self::EgressResolved,
        Self::WithinPlan,
        Self::IsolationVerified,
        Self::ResolvedRefs,
        Self::Loaded,
        Self::ModelAvailable,
        Self::Claimed,
        Self::CredentialsValid,
        Self::AccountUsable,
        Self::Reachable,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::NamespaceReady => "NamespaceReady",
            Self::DatabaseReady => "DatabaseReady",
            Self::CacheReady => "CacheReady",
            Self::RuntimeReady => "RuntimeReady",
            Self::EgressResolved => "EgressResolved",
            Self::WithinPlan => "WithinPlan",
            Self::IsolationVerified => "IsolationVerified",
            Self::ResolvedRefs => "ResolvedRefs",
            Self::Loaded => "Loaded",
            Self::ModelAvailable => "ModelAvailable",
            Self::Claimed => "Claimed",
            Self::CredentialsValid => "CredentialsValid",
            Self::AccountUsable => "AccountUsable",
            Self::Reachable => "Reachable",
        }
    }

    /// Written by `konstruct verify`, never by the operator, which neither takes it over nor misses it.
    pub const fn is_verified_apart(self) -> bool {
        matches!(self, Self::IsolationVerified)
    }

    /// What `True` means, for the reference pages.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ready => "Everything declared is in effect.",
            Self::Reconciling => "The operator is still working towards the declared state.",
            Self::Stalled => "The operator cannot get further without a change by the user.",
            Self::NamespaceReady => "The namespace exists with its policies, quota and limits.",
            Self::DatabaseReady => "The tenant's PostgreSQL login role exists.",
            Self::CacheReady => "The tenant's Redis user exists.",
            Self::RuntimeReady => "The tenant's runtime pod runs and has loaded the tenant.",
            Self::EgressResolved => {
                "Every host of `spec.extraEgress` was found and has public addresses only."
            }
            Self::WithinPlan => "The tenant has no more agents, channels and admins than its plan allows.",
            Self::IsolationVerified => {
                "`konstruct verify isolation` tried out every claim of isolation, and each of them held."
            }
            Self::ResolvedRefs => "Every object and Secret key that the spec names exists and fits.",
            Self::Loaded => "The role that serves the object has loaded its latest revision.",
            Self::ModelAvailable => "The agent's last turn got an answer from a model.",
            Self::Claimed => "The channel account belongs to this connection and to no other.",
            Self::CredentialsValid => "The platform or provider accepts the credentials.",
            Self::AccountUsable => {
                "The platform lets the account be used; none of its restrictions is known."
            }
            Self::Reachable => "The provider's endpoint answers.",
        }
    }
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// True, False, or Unknown while nothing has been observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    True,
    False,
    Unknown,
}

impl ConditionStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// One condition of a status.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What the condition is about.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 64))]
    pub type_: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, in one word of a documented set.
    #[schemars(length(min = 1, max = 64))]
    pub reason: String,
    /// Why, for people, and what to do next.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// The generation of the object that the condition describes.
    pub observed_generation: i64,
    /// When the status last changed.
    #[schemars(schema_with = "date_time")]
    pub last_transition_time: Time,
}

impl Condition {
    pub fn new(
        type_: ConditionType,
        status: impl Into<ConditionStatus>,
        reason: Reason,
        message: impl AsRef<str>,
        observed_generation: i64,
    ) -> Self {
        Self {
            type_: type_.as_str().to_owned(),
            status: status.into(),
            reason: reason.as_str().to_owned(),
            message: message.as_ref().chars().take(MESSAGE_MAX).collect(),
            observed_generation,
            last_transition_time: Time(now()),
        }
    }

    pub fn is_true(&self) -> bool {
        self.status == ConditionStatus::True
    }
}

/// Whole seconds, as Kubernetes stores them: a condition read back equals the one written.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

fn date_time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time", "maxLength": 64})
}

/// The condition of a type.
pub fn find(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == type_.as_str())
}

/// Adds or replaces the condition of that type. The transition time changes with the status only.
pub fn set(conditions: &mut Vec<Condition>, mut condition: Condition) {
    match conditions.iter_mut().find(|old| old.type_ == condition.type_) {
        Some(old) => {
            if old.status == condition.status {
                condition.last_transition_time = old.last_transition_time.clone();
            }
            *old = condition;
        }
        None => conditions.push(condition),
    }
}

/// What the status of every kind has.
pub trait ResourceStatus: Clone + Default + PartialEq + Serialize {
    /// The conditions that the kind can have.
    const CONDITIONS: &'static [ConditionType];

    fn conditions(&self) -> &[Condition];
    fn conditions_mut(&mut self) -> &mut Vec<Condition>;
    fn observed_generation(&self) -> Option<i64>;
    fn set_observed_generation(&mut self, generation: i64);
    fn revision(&self) -> Option<&str>;
    fn set_revision(&mut self, revision: Option<String>);

    fn condition(&self, type_: ConditionType) -> Option<&Condition> {
        find(self.conditions(), type_)
    }

    fn set_condition(&mut self, condition: Condition) {
        set(self.conditions_mut(), condition);
    }

    /// Whether the object is ready as of this generation.
    fn is_ready(&self, generation: i64) -> bool {
        self.condition(ConditionType::Ready)
            .is_some_and(|ready| ready.is_true() && ready.observed_generation == generation)
    }
}

macro_rules! impl_resource_status {
    ($status:ty: $($condition:ident),* $(,)?) => {
        impl $crate::conditions::ResourceStatus for $status {
            const CONDITIONS: &'static [$crate::conditions::ConditionType] =
                &[$($crate::conditions::ConditionType::$condition),*];

            fn conditions(&self) -> &[$crate::conditions::Condition] {
                &self.conditions
            }

            fn conditions_mut(&mut self) -> &mut Vec<$crate::conditions::Condition> {
                &mut self.conditions
            }

            fn observed_generation(&self) -> Option<i64> {
                self.observed_generation
            }

            fn set_observed_generation(&mut self, generation: i64) {
                self.observed_generation = Some(generation);
            }

            fn revision(&self) -> Option<&str> {
                self.revision.as_deref()
            }

            fn set_revision(&mut self, revision: Option<String>) {
                self.revision = revision;
            }
        }
    };
}
pub(crate) use impl_resource_status;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TenantStatus;

    fn ready(holds: bool, message: &str) -> Condition {
        Condition::new(ConditionType::Ready, holds, Reason::Reconciling, message, 1)
    }

    fn at_epoch(mut condition: Condition) -> Condition {
        condition.last_transition_time = Time(Timestamp::UNIX_EPOCH);
        condition
    }

    #[test]
    fn the_transition_time_changes_with_the_status_only() {
        let mut conditions = vec![at_epoch(ready(false, "one"))];
        set(&mut conditions, ready(false, "two"));
        assert_eq!(conditions[0].message, "two");
        assert_eq!(conditions[0].last_transition_time, Time(Timestamp::UNIX_EPOCH));

        set(&mut conditions, ready(true, "three"));
        assert_eq!(conditions.len(), 1);
        assert_ne!(conditions[0].last_transition_time, Time(Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn a_condition_read_back_equals_the_one_written() {
        let written = ready(true, "ä");
        let text = serde_json::to_string(&written).unwrap();
        assert_eq!(serde_json::from_str::<Condition>(&text).unwrap(), written);
    }

    #[test]
    fn a_message_is_cut_to_what_the_schema_allows() {
        assert_eq!(ready(true, &"ä".repeat(5000)).message.chars().count(), MESSAGE_MAX);
    }

    #[test]
    fn ready_counts_only_for_the_generation_it_was_made_for() {
        let mut status = TenantStatus::default();
        status.set_condition(ready(true, "fine"));
        assert!(status.is_ready(1));
        assert!(!status.is_ready(2));
    }
}
