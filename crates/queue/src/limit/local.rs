//! The same counters in this process, for as long as Redis does not answer. Others may count beside it, so each gets half.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Asker, Counter, Decision, Refused, period_us};

/// Every allowance divided by it.
const SHARE: u64 = 2;
/// Keeps an outage under a flood of made-up people from taking the memory. Those above it are counted by the counters
/// that they share with others.
const COUNTERS_MAX: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Local {
    counters: Mutex<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    empty_at: HashMap<String, u64>,
    refused: HashMap<String, Window>,
    /// Until when each message that was let in is the same one: platforms deliver one twice, and most of all while
    /// something is slow.
    seen: HashMap<String, u64>,
}

/// One refusal: since when, where it began, and until when it is the same one.
#[derive(Clone, Debug)]
struct Window {
    since: u64,
    first_at: String,
    until: u64,
}

impl Local {
    /// `now` is the time since any moment that stays the same, `seen` names the message.
    pub(super) fn decide(
        &self,
        now: Duration,
        asker: Asker<'_>,
        seen: String,
        keys: &[String],
        counters: &[Counter],
    ) -> Decision {
        let now = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        let mut known = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        known.make_room(now);
        if known.seen.get(&seen).is_some_and(|until| *until > now) {
            return Decision::Allowed;
        }
        let after: Vec<u64> = keys
            .iter()
            .zip(counters)
            .map(|(key, counter)| {
                known.empty_at.get(key).copied().unwrap_or(0).max(now) + counter.step(SHARE)
            })
            .collect();
        let waits = after.iter().map(|at| (at - now).saturating_sub(period_us()));
        let worst = waits.zip(counters).max_by_key(|(wait, _)| *wait).filter(|(wait, _)| *wait > 0);
        if let Some((wait, counter)) = worst {
            let window = known.refuse(now, asker, wait.max(period_us()));
            return Decision::Refused(Refused {
                scope: counter.scope,
                resets_in: Duration::from_micros(wait),
                since: format!("local-{}", window.since),
                first_at: window.first_at,
            });
        }
        for (key, at) in keys.iter().zip(after) {
            if known.empty_at.len() < COUNTERS_MAX || known.empty_at.contains_key(key) {
                known.empty_at.insert(key.clone(), at);
            }
        }
        if known.seen.len() < COUNTERS_MAX {
            known.seen.insert(seen, now + 2 * period_us());
        }
        Decision::Allowed
    }
}

impl Counters {
    fn refuse(&mut self, now: u64, asker: Asker<'_>, lasting: u64) -> Window {
        if let Some(window) = self.refused.get(asker.id).filter(|window| window.until > now) {
            return window.clone();
        }
        let window = Window { since: now, first_at: asker.place.to_owned(), until: now + lasting };
        if self.refused.len() < COUNTERS_MAX {
            self.refused.insert(asker.id.to_owned(), window.clone());
        }
        window
    }

    fn make_room(&mut self, now: u64) {
        if self.empty_at.len() >= COUNTERS_MAX {
            self.empty_at.retain(|_, at| *at > now);
        }
        if self.refused.len() >= COUNTERS_MAX {
            self.refused.retain(|_, window| window.until > now);
        }
        if self.seen.len() >= COUNTERS_MAX {
            self.seen.retain(|_, until| *until > now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scope;
    use super::*;

    fn counters(tenant: u32, person: u32) -> Vec<Counter> {
        let counter = |scope, per_minute| Counter { scope, id: String::new(), per_minute };
        vec![counter(Scope::Tenant, tenant), counter(Scope::Person, person)]
    }

    fn decide(local: &Local, at_ms: u64, person: &str, counters: &[Counter]) -> Decision {
        let message = uuid::Uuid::new_v4().to_string();
        say(local, at_ms, person, &message, counters)
    }

    fn say(local: &Local, at_ms: u64, person: &str, message: &str, counters: &[Counter]) -> Decision {
        let keys = ["tenant".to_owned(), person.to_owned()];
        let asker = Asker { id: person, place: &format!("{person}'s thread at {at_ms}"), message };
        local.decide(Duration::from_millis(at_ms), asker, message.to_owned(), &keys, counters)
    }

    #[test]
    fn a_message_that_is_delivered_again_is_counted_once_for_two_minutes() {
        let (local, limits) = (Local::default(), counters(100, 2));
        for at in [0, 1, 119_999] {
            assert_eq!(say(&local, at, "ann", "hello", &limits), Decision::Allowed, "{at}");
        }
        assert_eq!(say(&local, 120_000, "ann", "hello", &limits), Decision::Allowed, "as a new one");
        assert!(matches!(say(&local, 120_001, "ann", "and", &limits), Decision::Refused(_)));
    }

    #[test]
    fn half_of_the_allowance_and_then_the_one_that_takes_longest() {
        let (local, limits) = (Local::default(), counters(100, 6));
        for _ in 0..3 {
            assert_eq!(decide(&local, 0, "ann", &limits), Decision::Allowed);
        }
        let Decision::Refused(refused) = decide(&local, 0, "ann", &limits) else { panic!("four of three") };
        assert_eq!((refused.scope, refused.resets_in), (Scope::Person, Duration::from_secs(20)));
        assert_eq!(decide(&local, 0, "bob", &limits), Decision::Allowed, "the refused one took nothing");
        assert_eq!(decide(&local, 20_000, "ann", &limits), Decision::Allowed);
        assert!(matches!(decide(&local, 20_000, "ann", &limits), Decision::Refused(_)));
    }

    #[test]
    fn one_refusal_is_one_window_and_the_next_is_another() {
        let (local, limits) = (Local::default(), counters(100, 2));
        let window = |at: u64| match decide(&local, at, "ann", &limits) {
            Decision::Refused(refused) => Some((refused.since, refused.first_at)),
            Decision::Allowed => None,
        };
        assert_eq!(window(0), None);
        let first = window(10);
        assert!(first.is_some());
        assert_eq!(window(59_000), first);
        assert_eq!(window(60_100), None, "a minute's allowance is back");
        assert_ne!(window(60_200), first);
    }

    #[test]
    fn nothing_allowed_and_a_great_many_do_not_break_the_arithmetic() {
        let (local, limits) = (Local::default(), counters(u32::MAX, 0));
        assert_eq!(decide(&local, 0, "ann", &limits), Decision::Allowed);
        assert!(matches!(decide(&local, 1, "ann", &limits), Decision::Refused(_)));
    }
}
