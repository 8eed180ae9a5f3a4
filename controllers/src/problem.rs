//! What the user has to change.

use konstruct_crds::Reason;

/// One thing in a manifest that cannot work. The same value becomes a condition in the cluster and a line of
/// `konstruct dev`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub reason: Reason,
    /// Such as `spec.models[0].provider`.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    pub fn new(reason: Reason, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason, field: field.into(), message: message.into() }
    }

    /// Older objects of the kind fill the tenant's limit.
    pub fn too_many(what: &str, limit: u16) -> Self {
        let message = format!(
            "the tenant may have {limit} {what} and older ones fill that: delete one that is not needed, or ask for a \
             larger plan"
        );
        Self::new(Reason::PlanExceeded, "metadata.name", message)
    }

    /// The object must not serve any more: what it needs belongs to another one.
    pub const fn stops_serving(&self) -> bool {
        matches!(self.reason, Reason::PlanExceeded | Reason::AccountConflict)
    }

    /// The problem goes away when another object gets ready or is gone, without an edit.
    pub const fn resolves_itself(&self) -> bool {
        matches!(self.reason, Reason::ProviderNotReady | Reason::AgentNotReady | Reason::NamespaceTerminating)
    }

    /// The tenant's namespace is what is in the way. Only those that are ours are watched, so nobody tells when that is over.
    pub const fn is_about_namespace(&self) -> bool {
        matches!(
            self.reason,
            Reason::NamespaceConflict | Reason::NamespaceMissing | Reason::NamespaceTerminating
        )
    }

    /// The remedy is in a Secret, which is not watched but read again after a while.
    pub const fn is_about_a_secret(&self) -> bool {
        matches!(self.reason, Reason::MissingSecret | Reason::MissingSecretKey | Reason::InvalidSecret)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// All problems in one message, the first one first.
pub(crate) fn summary(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
