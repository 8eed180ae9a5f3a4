//! Where a look through a queue goes on.
//!
//! A queue's index begins with rows that are finished and not cleaned away, for as long as some transaction might still
//! see them. A look that began there each time would step over all of them, so it begins where the last one found the
//! first row that waits. Numbers are given before they are committed: a lower one may appear later, which the margins
//! here allow for.
//!
//! Several look at the same time. What a look has seen counts only when nobody has gone on since it began: taken for the
//! beginning of the next pass, what it saw at the end of the last one would hide everything before it.

use std::time::{Duration, Instant};

/// Longer than a number is given before its row is committed.
const SETTLED: Duration = Duration::from_secs(5);
/// For numbers that took longer, and for rows that were put back.
const EVERYTHING: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(crate) struct Scan {
    /// Nothing waits at or below this.
    base: i64,
    cursor: i64,
    /// This pass began then or later.
    began: Instant,
    /// The first number that this pass has seen.
    lowest: Option<i64>,
    highest: i64,
    /// What an earlier pass, which ended then, would begin with. A later one confirms it.
    candidate: Option<(Instant, i64)>,
    everything_at: Instant,
    /// How many looks have counted.
    looks: u64,
}

/// From where a look is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Behind which number to look.
    pub(crate) cursor: i64,
    /// Behind which number everything lies that waits.
    pub(crate) base: i64,
    looks: u64,
}

impl Position {
    pub(crate) const fn is_at_start(self) -> bool {
        self.cursor == self.base
    }
}

/// What one look has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) first: Option<i64>,
    pub(crate) last: Option<i64>,
    /// There may be more behind it.
    pub(crate) full: bool,
}

impl Scan {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            base: 0,
            cursor: 0,
            began: now,
            lowest: None,
            highest: 0,
            candidate: None,
            everything_at: now + EVERYTHING,
            looks: 0,
        }
    }

    pub(crate) const fn position(&self) -> Position {
        Position { cursor: self.cursor, base: self.base, looks: self.looks }
    }

    /// Goes on behind what a look from `from` has seen. True at the end of the queue: the next look begins again.
    pub(crate) fn advance(&mut self, now: Instant, from: Position, seen: Seen) -> bool {
        if from != self.position() {
            return !seen.full;
        }
        self.looks += 1;
        if from.is_at_start() {
            self.lowest = seen.first;
        }
        self.highest = self.highest.max(seen.last.unwrap_or(0));
        match seen.last {
            Some(last) if seen.full => {
                self.cursor = last;
                false
            }
            _ => {
                self.end(now);
                true
            }
        }
    }

    fn end(&mut self, now: Instant) {
        let floor = self.lowest.map_or(self.highest, |lowest| lowest - 1);
        match self.candidate {
            None => self.candidate = Some((now, floor)),
            Some((at, candidate)) if self.began >= at + SETTLED => {
                self.base = candidate.min(floor);
                self.candidate = Some((now, floor));
            }
            Some(_) => {}
        }
        if now >= self.everything_at {
            self.everything_at = now + EVERYTHING;
            (self.base, self.candidate) = (0, None);
        }
        (self.cursor, self.began, self.lowest) = (self.base, now, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A look while nobody else looks.
    fn look(scan: &mut Scan, now: Instant, seen: Seen) -> bool {
        scan.advance(now, scan.position(), seen)
    }

    fn seen(first: i64, last: i64, full: bool) -> Seen {
        Seen { first: Some(first), last: Some(last), full }
    }

    #[test]
    fn a_pass_goes_on_to_the_end_and_begins_again() {
        let start = Instant::now();
        let mut scan = Scan::new(start);
        assert!(!look(&mut scan, start, seen(3, 10, true)));
        assert_eq!(scan.position().cursor, 10);
        assert!(look(&mut scan, start, seen(11, 12, false)));
        assert_eq!((scan.position().cursor, scan.position().is_at_start()), (0, true));
    }

    #[test]
    fn a_number_that_appears_late_is_still_met() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut scan = Scan::new(start);
        // Up to 100 everything is finished; 90 is not committed yet.
        look(&mut scan, at(0), seen(101, 120, false));
        look(&mut scan, at(1), seen(101, 120, false));
        assert_eq!(scan.base, 0, "not long enough ago");
        // It has appeared.
        look(&mut scan, at(7), seen(90, 120, false));
        look(&mut scan, at(8), seen(90, 120, false));
        assert!(scan.base < 90, "{scan:?}");
        look(&mut scan, at(20), seen(121, 130, false));
        look(&mut scan, at(30), seen(121, 130, false));
        look(&mut scan, at(40), seen(121, 130, false));
        look(&mut scan, at(50), seen(121, 130, false));
        assert_eq!(scan.base, 120);
        look(&mut scan, at(61), Seen::default());
        assert_eq!(scan.base, 0, "now and then everything");
    }

    #[test]
    fn an_empty_queue_begins_behind_what_was_there() {
        let start = Instant::now();
        let mut scan = Scan::new(start);
        look(&mut scan, start, seen(1, 50, false));
        for second in [6, 12, 18, 24] {
            look(&mut scan, start + Duration::from_secs(second), Seen::default());
        }
        assert_eq!(scan.base, 50);
    }

    #[test]
    fn the_end_seen_by_two_at_once_hides_nothing_before_it() {
        let start = Instant::now();
        let mut scan = Scan::new(start);
        for second in 0..40 {
            let now = start + Duration::from_secs(second);
            assert!(!look(&mut scan, now, seen(1, 256, true)));
            let (one, other) = (scan.position(), scan.position());
            assert!(scan.advance(now, one, seen(257, 387, false)));
            assert!(scan.advance(now, other, seen(257, 387, false)), "it has seen the end");
            assert_eq!(scan.position().cursor, 0, "{scan:?}");
        }
    }
}
