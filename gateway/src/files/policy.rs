//! What follows from a failed try to fetch a file.

use std::time::Duration;

use konstruct_channels::SendError;

/// Meta blocks a number for half an hour after twenty failures within an hour.
pub(super) const TRIES_MAX: i32 = 4;
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// Whom the platform lets wait for longer gets no file in any useful time.
const WAIT_MAX: Duration = Duration::from_mins(1);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    TryAgain(Duration),
    /// The reason is for the employee to say.
    GiveUp(String),
}

pub(super) fn next(tries: i32, error: SendError) -> Next {
    let again = |delay: Duration| (tries < TRIES_MAX).then_some(Next::TryAgain(delay));
    match error {
        SendError::Rejected { reason }
        | SendError::CredentialsRejected { reason }
        | SendError::AccountRestricted { reason, .. }
        | SendError::Unresolved { reason } => Next::GiveUp(reason),
        SendError::RetryAfter { after } => again(after.min(WAIT_MAX)).unwrap_or_else(unanswered),
        SendError::Transient { .. } | SendError::InDoubt { .. } => {
            again(FIRST_DELAY * 3_u32.pow(tries.unsigned_abs().clamp(1, 8) - 1)).unwrap_or_else(unanswered)
        }
    }
}

fn unanswered() -> Next {
    Next::GiveUp("the platform does not hand it out at the moment".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_that_fails_is_asked_again_and_not_for_ever() {
        let failed = |tries| next(tries, SendError::Transient { reason: "HTTP 500".to_owned() });
        let delays: Vec<_> = (1..TRIES_MAX).map(failed).collect();
        assert_eq!(delays, [1, 3, 9].map(|seconds| Next::TryAgain(Duration::from_secs(seconds))));
        assert!(matches!(failed(TRIES_MAX), Next::GiveUp(_)));
        let asked = next(1, SendError::RetryAfter { after: Duration::from_hours(1) });
        assert_eq!(asked, Next::TryAgain(WAIT_MAX));
        let never = next(1, SendError::Rejected { reason: "it has expired".to_owned() });
        assert_eq!(never, Next::GiveUp("it has expired".to_owned()));
    }
}
