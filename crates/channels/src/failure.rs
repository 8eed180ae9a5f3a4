//! Why a reply did not reach its platform, as far as it matters for what to do next.

use std::time::Duration;

use reqwest::StatusCode;

/// What went wrong. A closed set: the outbox decides on each of these and on nothing else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("the platform asks to wait {} s", after.as_secs())]
    RetryAfter { after: Duration },
    /// Certainly not delivered, and the same again may work.
    #[error("the platform could not be used: {reason}")]
    Transient { reason: String },
    /// The platform does not accept our credentials, or they lack a permission.
    #[error("the platform refused the credentials: {reason}")]
    CredentialsRejected { reason: String },
    /// The platform restricts the account: somebody has to put that right with it. Then, with `retry`, the same
    /// message may be taken.
    #[error("the platform restricts the account: {reason}")]
    AccountRestricted { reason: String, retry: bool },
    /// The platform will never accept this message.
    #[error("the platform refused the message: {reason}")]
    Rejected { reason: String },
    /// The request left and its outcome is unknown.
    #[error("the platform may or may not have taken the message: {reason}")]
    InDoubt { reason: String },
    /// It will never be known whether an earlier try was taken. Sending again might show the reply twice.
    #[error("in doubt, and not sent again: {reason}")]
    Unresolved { reason: String },
}

impl SendError {
    /// Of a call that got no answer: only before the request left is it certain that nothing was taken.
    pub(crate) fn of_call(error: reqwest::Error) -> Self {
        let before_sending = error.is_connect() || error.is_builder();
        let reason = error.without_url().to_string();
        if before_sending { Self::Transient { reason } } else { Self::InDoubt { reason } }
    }

    /// Of a platform's own failure, where it cannot be asked what it has taken. A 503 says of itself that the request was
    /// not handled (RFC 9110, 15.6.4); a gateway's 502 or 504 does not.
    pub(crate) fn of_failure(status: StatusCode, reason: String) -> Self {
        match status {
            StatusCode::SERVICE_UNAVAILABLE => Self::Transient { reason },
            _ => Self::InDoubt { reason },
        }
    }

    /// Of a call that shows nobody anything: it delivered nothing, however it ended.
    pub(crate) fn undelivered(self) -> Self {
        match self {
            Self::InDoubt { reason } => Self::Transient { reason },
            error => error,
        }
    }
}

/// An unsuccessful try to send a reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Failure {
    pub error: SendError,
    /// Some of the reply may be visible already: ask the platform before sending again.
    pub maybe_visible: bool,
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        let maybe_visible = matches!(error, SendError::InDoubt { .. } | SendError::Unresolved { .. });
        Self { error, maybe_visible }
    }
}
