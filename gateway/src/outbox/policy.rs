//! What follows from a failed try.

use std::time::Duration;

use konstruct_channels::SendError;

/// After so many tries a reply is a dead letter.
const ATTEMPTS_MAX: u32 = 8;
/// Being asked to wait is not a failure of the reply, but must end too.
const WAITS_MAX: u32 = 100;

const FIRST_DELAY: Duration = Duration::from_secs(1);
const MAX_DELAY: Duration = Duration::from_mins(30);

/// When to try again; `None` when there is no use. `jitter` is between 0 and 1.
pub(super) fn next_try(attempt: u32, waits: u32, error: &SendError, jitter: f64) -> Option<Duration> {
    match error {
        SendError::Rejected { .. }
        | SendError::Unresolved { .. }
        | SendError::AccountRestricted { retry: false, .. } => None,
        SendError::RetryAfter { after } => {
            (waits < WAITS_MAX).then(|| *after + Duration::from_secs_f64(jitter))
        }
        SendError::Transient { .. }
        | SendError::InDoubt { .. }
        | SendError::CredentialsRejected { .. }
        | SendError::AccountRestricted { retry: true, .. } => {
            (attempt < ATTEMPTS_MAX).then(|| backoff(attempt).mul_f64(1.0 + jitter / 4.0))
        }
    }
}

/// 1 s, 4 s, 16 s … half an hour: seven tries again within about an hour.
fn backoff(attempt: u32) -> Duration {
    FIRST_DELAY.saturating_mul(4_u32.saturating_pow(attempt.saturating_sub(1))).min(MAX_DELAY)
}

/// The `outcome` of metrics.
pub(super) const fn outcome(error: &SendError) -> &'static str {
    match error {
        SendError::RetryAfter { .. } => "rate_limited",
        SendError::Transient { .. } => "transient",
        SendError::CredentialsRejected { .. } => "credentials_rejected",
        SendError::AccountRestricted { .. } => "account_restricted",
        SendError::Rejected { .. } => "rejected",
        SendError::Unresolved { .. } => "unresolved",
        SendError::InDoubt { .. } => "in_doubt",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(attempt: u32, error: &SendError) -> Option<u64> {
        next_try(attempt, 0, error, 0.0).map(|delay| delay.as_secs())
    }

    #[test]
    fn failures_back_off_and_end_as_dead_letters() {
        let error = SendError::Transient { reason: String::new() };
        let delays: Vec<_> = (1..=9).map(|attempt| seconds(attempt, &error)).collect();
        let expected = [Some(1), Some(4), Some(16), Some(64), Some(256), Some(1024), Some(1800), None, None];
        assert_eq!(delays, expected);
    }

    #[test]
    fn a_wish_to_wait_is_honoured_and_does_not_use_up_the_tries() {
        let error = SendError::RetryAfter { after: Duration::from_secs(7) };
        let after_waits = |waits| next_try(1, waits, &error, 0.0).map(|delay| delay.as_secs());
        assert_eq!([0, 50, 99].map(after_waits), [Some(7); 3]);
        assert_eq!(after_waits(100), None);
        let transient = SendError::Transient { reason: String::new() };
        assert_eq!(next_try(1, 99, &transient, 0.0), Some(FIRST_DELAY), "all its tries are left");
        assert!(next_try(1, 1, &error, 0.9) > Some(Duration::from_secs(7)), "never early");
    }

    #[test]
    fn what_the_platform_will_never_take_is_not_tried_again() {
        assert_eq!(seconds(1, &SendError::Rejected { reason: "channel_not_found".to_owned() }), None);
        assert_eq!(seconds(1, &SendError::Unresolved { reason: String::new() }), None);
    }
}
