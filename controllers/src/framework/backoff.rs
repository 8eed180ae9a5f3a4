//! How long an object that failed waits, each on its own: one broken tenant slows nobody else down.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_mins(1);

/// Failures in a row, by object UID.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: Mutex<HashMap<String, u32>>,
}

impl Backoff {
    /// Counts a failure and says how long to wait: twice as long as the last time, with a little noise so that
    /// objects that failed together do not come back together.
    pub fn failed(&self, uid: &str) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(uid.to_owned()).or_default();
        let delay = delay(*count);
        *count = count.saturating_add(1);
        delay.mul_f64(rand::random_range(0.8..1.2))
    }

    pub fn succeeded(&self, uid: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

fn delay(failures: u32) -> Duration {
    FIRST.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_a_minute_and_forgets_on_success() {
        assert_eq!(delay(0), FIRST);
        assert_eq!(delay(3), FIRST * 8);
        assert_eq!(delay(31), LONGEST);
        assert_eq!(delay(u32::MAX), LONGEST);

        let backoff = Backoff::default();
        backoff.failed("a");
        assert!(backoff.failed("a") > FIRST);
        assert!(backoff.failed("b") < FIRST * 2);
        backoff.succeeded("a");
        assert!(backoff.failed("a") < FIRST * 2);
    }
}
