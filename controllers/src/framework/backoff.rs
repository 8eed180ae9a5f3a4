//! How long an object that failed, or that waits for somebody, is left alone: each on its own, so that one broken tenant
//! slows nobody else down, and longer each time, so that thousands that wait cost little.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Times in a row, by object UID.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    times: Mutex<HashMap<String, u32>>,
}

impl Backoff {
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, times: Mutex::default() }
    }

    /// Counts one more time and says how long to wait: twice as long as the last time, with a little noise so that
    /// objects that began together do not come back together.
    pub fn again(&self, uid: &str) -> Duration {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let count = times.entry(uid.to_owned()).or_default();
        let delay = self.delay(*count);
        *count = count.saturating_add(1);
        delay.mul_f64(rand::random_range(0.8..1.2))
    }

    pub fn over(&self, uid: &str) {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    fn delay(&self, times: u32) -> Duration {
        self.first.saturating_mul(2_u32.saturating_pow(times)).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_longest_and_forgets_when_it_is_over() {
        let (first, longest) = (Duration::from_millis(250), Duration::from_mins(1));
        let backoff = Backoff::new(first, longest);
        assert_eq!(backoff.delay(0), first);
        assert_eq!(backoff.delay(3), first * 8);
        assert_eq!(backoff.delay(31), longest);
        assert_eq!(backoff.delay(u32::MAX), longest);

        backoff.again("a");
        assert!(backoff.again("a") > first);
        assert!(backoff.again("b") < first * 2);
        backoff.over("a");
        assert!(backoff.again("a") < first * 2);
    }
}
