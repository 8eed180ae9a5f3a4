//! How fast a platform may be used: what would be refused is not even tried.
//!
//! Each process has its own count. What several of them do together the platform refuses itself, and then the scope
//! that it names is paused.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Scopes that have rested for so long are forgotten.
const FORGET: Duration = Duration::from_mins(10);
const SCOPES_MAX: usize = 10_000;
const PAUSE_FIRST: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_mins(5);

/// A scope may be used `burst` times at once, and then once in each `every`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub every: Duration,
    pub burst: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Pace {
    scopes: Mutex<HashMap<String, Scope>>,
}

#[derive(Clone, Copy, Debug)]
struct Scope {
    /// When the scope will have rested completely.
    rested_at: Instant,
    paused_until: Option<Instant>,
    pauses: u32,
}

impl Pace {
    /// Uses all scopes once, or none of them: then returns how long to wait.
    pub(crate) fn take(&self, wanted: &[(&str, Rate)]) -> Result<(), Duration> {
        let now = Instant::now();
        let mut scopes = self.lock();
        if scopes.len() > SCOPES_MAX {
            scopes.retain(|_, scope| scope.last_use() + FORGET > now);
        }
        let wait = wanted.iter().filter_map(|(name, rate)| scopes.get(*name)?.wait(*rate, now)).max();
        if let Some(wait) = wait {
            return Err(wait);
        }
        for (name, rate) in wanted {
            let scope = scopes.entry((*name).to_owned()).or_insert(Scope::rested(now));
            scope.rested_at = scope.rested_at.max(now) + rate.every;
        }
        Ok(())
    }

    /// The platform asks to leave a scope alone: for `after`, or for longer each time.
    pub(crate) fn pause(&self, name: &str, after: Option<Duration>) -> Duration {
        let now = Instant::now();
        let mut scopes = self.lock();
        let scope = scopes.entry(name.to_owned()).or_insert(Scope::rested(now));
        let grown = PAUSE_FIRST.saturating_mul(2_u32.saturating_pow(scope.pauses)).min(PAUSE_MAX);
        let after = after.unwrap_or(grown);
        scope.pauses = scope.pauses.saturating_add(1);
        scope.paused_until = scope.paused_until.max(Some(now + after));
        after
    }

    /// The scope could be used: the next pause is a short one again.
    pub(crate) fn worked(&self, name: &str) {
        if let Some(scope) = self.lock().get_mut(name) {
            scope.pauses = 0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Scope>> {
        self.scopes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scope {
    const fn rested(now: Instant) -> Self {
        Self { rested_at: now, paused_until: None, pauses: 0 }
    }

    fn last_use(&self) -> Instant {
        self.paused_until.map_or(self.rested_at, |until| until.max(self.rested_at))
    }

    fn wait(&self, rate: Rate, now: Instant) -> Option<Duration> {
        let room = rate.every * rate.burst.saturating_sub(1);
        let rate = self.rested_at.saturating_duration_since(now).saturating_sub(room);
        let pause = self.paused_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        Some(rate.max(pause)).filter(|wait| !wait.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Rate = Rate { every: Duration::from_mins(1), burst: 2 };

    #[test]
    fn a_burst_is_let_through_and_then_one_at_a_time() {
        let pace = Pace::default();
        assert_eq!(pace.take(&[("a", SLOW)]), Ok(()));
        assert_eq!(pace.take(&[("a", SLOW)]), Ok(()));
        let wait = pace.take(&[("a", SLOW)]).unwrap_err();
        assert!(wait > Duration::from_secs(58) && wait <= Duration::from_mins(1), "{wait:?}");
        assert_eq!(pace.take(&[("b", SLOW)]), Ok(()), "another scope");
    }

    #[test]
    fn what_must_wait_for_one_scope_uses_up_nothing_of_another() {
        let pace = Pace::default();
        let once = Rate { burst: 1, ..SLOW };
        pace.take(&[("pair", once)]).unwrap();
        assert!(pace.take(&[("number", once), ("pair", once)]).is_err());
        assert_eq!(pace.take(&[("number", once)]), Ok(()));
    }

    #[test]
    fn pauses_grow_until_something_works() {
        let pace = Pace::default();
        let pauses: Vec<_> = (0..4).map(|_| pace.pause("a", None).as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 16]);
        assert!(pace.take(&[("a", SLOW)]).unwrap_err() > Duration::from_secs(14));
        pace.worked("a");
        assert_eq!(pace.pause("a", None).as_secs(), 2);
        assert_eq!(pace.pause("b", Some(Duration::from_secs(7))).as_secs(), 7);
        for _ in 0..40 {
            assert!(pace.pause("a", None) <= PAUSE_MAX);
        }
    }
}
