//! What the data plane has noticed about a resource, for the operator to show as a condition.
//!
//! A wrong key or a revoked token shows only when it is used, by a process that may not write to Kubernetes.
//! It writes an observation row; the operator copies it into the resource's status.

use serde::{Deserialize, Serialize};

/// The conditions that the data plane decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Condition {
    /// The platform or provider accepts our credentials (ChannelConnection, LLMProvider).
    CredentialsValid,
    /// The platform lets the account be used (ChannelConnection).
    AccountUsable,
    /// The provider answers (LLMProvider).
    Reachable,
    /// The last turn of the agent got an answer from a model (Agent).
    ModelAvailable,
}

impl Condition {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CredentialsValid => "CredentialsValid",
            Self::AccountUsable => "AccountUsable",
            Self::Reachable => "Reachable",
            Self::ModelAvailable => "ModelAvailable",
        }
    }
}

/// One observation. `reason` is PascalCase from a closed set of the observing role; `message` says what to do next
/// and holds no body, key or personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    pub condition: Condition,
    pub ok: bool,
    pub reason: String,
    pub message: String,
}
