//! What can go wrong with the database, by what the caller should do about it.

use std::sync::Arc;

use crate::keyring::KeyError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Try again later: the server is down, restarting or overloaded.
    #[error("PostgreSQL is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// Somebody else works on it now: stop, without any further side effect.
    #[error("the lease was lost to another worker")]
    LeaseLost,
    /// The tenant is being erased. Its connections are gone in a moment.
    #[error("the tenant is being erased")]
    TenantLeaving,
    /// What several calls committed together failed for all of them.
    #[error(transparent)]
    Together(Arc<Self>),
    #[error("a query failed")]
    Query(#[source] sqlx::Error),
    #[error("the database URL is not valid")]
    Url(#[source] sqlx::Error),
    #[error("a migration failed")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("a stored document could not be read or written")]
    Document(#[from] serde_json::Error),
    #[error("a stored value is not valid: {0}")]
    Corrupt(String),
    #[error("secret {field} of {kind} {name:?} is not stored in the version asked for")]
    SecretMissing { kind: &'static str, name: String, field: &'static str },
    #[error("whether a statement is allowed could not be found out ({code}: {message}): {statement}")]
    Inconclusive { statement: String, code: String, message: String },
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Error {
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Together(error) => error.is_unavailable(),
            _ => false,
        }
    }

    /// Whether a row that this one refers to does not exist (any more).
    pub(crate) fn is_missing_reference(&self) -> bool {
        matches!(self, Self::Query(sqlx::Error::Database(error)) if error.is_foreign_key_violation())
    }
}

/// SQLSTATE classes of a server that cannot work now: connection exception, insufficient resources,
/// operator intervention (shutdown, crash, starting up), system error.
const UNAVAILABLE_CLASSES: [&str; 4] = ["08", "53", "57", "58"];

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let unavailable = match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Protocol(_) => true,
            sqlx::Error::Database(database) => database
                .code()
                .is_some_and(|code| UNAVAILABLE_CLASSES.iter().any(|class| code.starts_with(class))),
            _ => false,
        };
        if unavailable { Self::Unavailable(error) } else { Self::Query(error) }
    }
}
