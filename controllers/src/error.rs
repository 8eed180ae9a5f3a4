//! What can go wrong in a pass, by what was tried. None of these is the user's fault: those are [`crate::Problem`]s.

use konstruct_crds::Reason;
use kube::Resource;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("reading {kind} {name:?} failed: {}", api_message(source))]
    Read { kind: String, name: String, source: Box<kube::Error> },
    #[error("applying {kind} {name:?} failed: {}", api_message(source))]
    Apply { kind: String, name: String, source: Box<kube::Error> },
    #[error("deleting {kind} {name:?} failed: {}", api_message(source))]
    Delete { kind: String, name: String, source: Box<kube::Error> },
    #[error("namespace {0:?} was taken by somebody else meanwhile")]
    NamespaceTaken(String),
    #[error(
        "Kubernetes has not counted yet what there is in namespace {0:?}, and refuses to add anything before"
    )]
    NotCounted(String),
    #[error("an object could not be written as JSON")]
    Serialize(#[source] serde_json::Error),
    #[error("an object that the API server answered with lacks {0}")]
    Incomplete(&'static str),
    #[error(transparent)]
    Store(#[from] konstruct_store::Error),
    #[error(transparent)]
    Key(#[from] konstruct_store::KeyError),
    #[error(transparent)]
    Queue(#[from] konstruct_queue::Error),
    #[error("this replica does not lead (any more)")]
    NotLeading,
    #[error("the pass took longer than {0} s")]
    Deadline(u64),
}

impl Error {
    pub(crate) fn read<K: Resource<DynamicType = ()>>(name: &str, source: kube::Error) -> Self {
        Self::Read { kind: K::kind(&()).into_owned(), name: name.to_owned(), source: Box::new(source) }
    }

    pub(crate) fn apply<K: Resource<DynamicType = ()>>(name: &str, source: kube::Error) -> Self {
        Self::Apply { kind: K::kind(&()).into_owned(), name: name.to_owned(), source: Box::new(source) }
    }

    pub(crate) fn delete<K: Resource<DynamicType = ()>>(name: &str, source: kube::Error) -> Self {
        Self::Delete { kind: K::kind(&()).into_owned(), name: name.to_owned(), source: Box::new(source) }
    }

    /// A word of a closed set, for metrics.
    pub const fn category(&self) -> &'static str {
        match self {
            Self::Read { .. } => "ReadFailed",
            Self::Apply { .. } | Self::NamespaceTaken(_) => "ApplyFailed",
            Self::NotCounted(_) => "NotCounted",
            Self::Delete { .. } => "DeleteFailed",
            Self::Serialize(_) | Self::Incomplete(_) => "Internal",
            Self::Store(_) => "DatabaseFailed",
            Self::Key(_) => "KeyFailed",
            Self::Queue(_) => "CacheFailed",
            Self::Deadline(_) => "DeadlineExceeded",
            Self::NotLeading => "NotLeading",
        }
    }

    pub const fn reason(&self) -> Reason {
        match self {
            Self::Store(_) | Self::Key(_) => Reason::DatabaseUnavailable,
            Self::Queue(_) => Reason::CacheUnavailable,
            Self::NotCounted(_) => Reason::Reconciling,
            _ => Reason::ApplyFailed,
        }
    }

    /// The same words at every retry, so that a lasting failure is written to a status once.
    pub fn advice(&self) -> String {
        match self {
            Self::Store(error) if error.is_unavailable() => {
                "PostgreSQL cannot be reached. Restore it or correct the operator's database URL; the operator tries \
                 again by itself."
                    .to_owned()
            }
            Self::Store(_) | Self::Key(_) => {
                format!("{}. See the operator's log; the operator tries again by itself.", with_sources(self))
            }
            Self::Queue(_) => "Redis cannot be reached or refused. Restore it or correct the operator's Redis URL; the \
                               operator tries again by itself."
                .to_owned(),
            Self::Deadline(_) => {
                "The pass took too long. The Kubernetes API, PostgreSQL or Redis answers slowly; the operator tries \
                 again by itself."
                    .to_owned()
            }
            Self::NotCounted(_) => format!(
                "{self}. Kinds that were defined a moment ago take half a minute; if it lasts, look at the \
                 kube-controller-manager."
            ),
            _ => format!("{self}. The operator tries again by itself."),
        }
    }

    /// Whether the API server refused because somebody else wrote first. Trying again is all it takes.
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::NamespaceTaken(_) => true,
            Self::Read { source, .. } | Self::Apply { source, .. } | Self::Delete { source, .. } => {
                matches!(&**source, kube::Error::Api(status) if status.is_conflict())
            }
            _ => false,
        }
    }

    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Read { source, .. } | Self::Apply { source, .. }
            if matches!(&**source, kube::Error::Api(status) if status.is_forbidden()))
    }
}

/// What the API server said, without the request's details, which differ from try to try.
fn api_message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        _ => "the Kubernetes API cannot be reached".to_owned(),
    }
}

/// An error with its causes in one line.
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
