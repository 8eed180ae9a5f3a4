//! Whether a role can do its work now, and if not, what it waits for.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

/// The checks of one role. Ready when there is at least one and none is failing.
#[derive(Clone, Debug)]
pub struct Readiness {
    checks: Arc<watch::Sender<Checks>>,
}

type Checks = BTreeMap<String, Report>;

#[derive(Clone, Debug)]
struct Report {
    state: State,
    since: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Ok,
    /// Nothing is known to be wrong, and finding out would cost something that an idle role must not spend.
    Idle,
    Failed(String),
}

impl State {
    const fn is_ready(&self) -> bool {
        matches!(self, Self::Ok | Self::Idle)
    }
}

/// One thing a role depends on. The owner of the dependency reports each outcome.
#[derive(Clone, Debug)]
pub struct Check {
    name: String,
    checks: Arc<watch::Sender<Checks>>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Readiness {
    pub fn new() -> Self {
        Self { checks: Arc::new(watch::Sender::new(Checks::new())) }
    }

    /// Adds a check that fails as "starting" until its owner reports. A name that exists is shared, as it stands.
    pub fn check(&self, name: &str) -> Check {
        self.checks.send_if_modified(|checks| {
            let missing = !checks.contains_key(name);
            if missing {
                let state = State::Failed("starting".to_owned());
                checks.insert(name.to_owned(), Report { state, since: Instant::now() });
            }
            missing
        });
        Check { name: name.to_owned(), checks: Arc::clone(&self.checks) }
    }

    pub fn is_ready(&self) -> bool {
        all_ready(&self.checks.borrow())
    }

    /// Returns when the role is ready.
    pub async fn wait_until_ready(&self) {
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = self.checks.subscribe().wait_for(all_ready).await;
    }

    /// One line a check, the failing ones with what they wait for.
    pub fn report(&self) -> String {
        let checks = self.checks.borrow();
        if checks.is_empty() {
            return "waiting: no check has been set up yet\n".to_owned();
        }
        checks.iter().fold(String::new(), |mut text, (name, report)| {
            let seconds = report.since.elapsed().as_secs();
            // Writing to a String cannot fail.
            let _ = match &report.state {
                State::Ok => writeln!(text, "ok {name}"),
                State::Idle => writeln!(text, "ok {name}: idle, not probed"),
                State::Failed(what) => writeln!(text, "waiting {name}: {what} (for {seconds} s)"),
            };
            text
        })
    }
}

fn all_ready(checks: &Checks) -> bool {
    !checks.is_empty() && checks.values().all(|report| report.state.is_ready())
}

impl Check {
    /// The dependency answered.
    pub fn ok(&self) {
        self.report(State::Ok);
    }

    /// The dependency is not in use and not asked. Counts as ready.
    pub fn idle(&self) {
        self.report(State::Idle);
    }

    /// The dependency failed. `what` says what is being waited for and holds no secret.
    pub fn failed(&self, what: impl Into<String>) {
        self.report(State::Failed(what.into()));
    }

    fn report(&self, state: State) {
        self.checks.send_if_modified(|checks| {
            let before = checks.get(&self.name);
            if before.is_some_and(|report| report.state == state) {
                return false;
            }
            // How long something has been failing does not start over when the text of the failure changes.
            let still_failing = before.filter(|report| !report.state.is_ready() && !state.is_ready());
            let since = still_failing.map_or_else(Instant::now, |report| report.since);
            checks.insert(self.name.clone(), Report { state, since });
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_every_check_has_reported_and_none_fails() {
        let readiness = Readiness::new();
        assert!(!readiness.is_ready(), "without a check");
        let (postgres, redis) = (readiness.check("postgres"), readiness.check("redis"));
        assert!(!readiness.is_ready(), "while starting");
        postgres.idle();
        redis.ok();
        assert!(readiness.is_ready());
        redis.failed("connection refused");
        assert!(!readiness.is_ready());
        let report = readiness.report();
        assert!(report.contains("ok postgres: idle"), "{report}");
        assert!(report.contains("waiting redis: connection refused"), "{report}");
    }

    #[test]
    fn a_check_of_the_same_name_is_the_same_check() {
        let readiness = Readiness::new();
        readiness.check("redis").ok();
        readiness.check("redis");
        assert!(readiness.is_ready());
    }

    #[tokio::test]
    async fn waiting_ends_with_the_last_check() {
        let readiness = Readiness::new();
        let check = readiness.check("redis");
        let waiting = tokio::spawn({
            let readiness = readiness.clone();
            async move { readiness.wait_until_ready().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        check.ok();
        waiting.await.unwrap();
    }
}
