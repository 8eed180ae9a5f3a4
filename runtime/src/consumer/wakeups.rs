//! Times to look for work without being told.

use std::collections::BTreeSet;

use tokio::time::Instant;

#[derive(Debug, Default)]
pub(super) struct Wakeups(BTreeSet<Instant>);

impl Wakeups {
    pub(super) fn add(&mut self, at: Instant) {
        self.0.insert(at);
    }

    pub(super) fn first(&self) -> Option<Instant> {
        self.0.first().copied()
    }

    /// Removes what is due. One look serves them all.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        let before = self.0.len();
        self.0.retain(|at| *at > now);
        self.0.len() < before
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_due_goes_and_the_rest_stays() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let mut wakeups = Wakeups::default();
        assert!(!wakeups.take_due(now));
        for at in [now + second, now, now + second * 2] {
            wakeups.add(at);
        }
        assert!(wakeups.take_due(now));
        assert!(!wakeups.take_due(now));
        assert_eq!(wakeups.first(), Some(now + second));
    }
}
