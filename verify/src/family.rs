//! Probes that share a session, one after the other. What cannot run is said so for each claim.

use std::error::Error;
use std::time::Duration;

use crate::report::{Outcome, Probe, explain};

/// What was possible and must not be. Empty: the claim holds.
pub(crate) type Findings = Vec<String>;

/// Longest time for one probe. A server that hangs is no proof of anything.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Family<S> {
    session: Result<S, String>,
    probes: Vec<Probe>,
}

impl<S> Family<S> {
    /// Without a session, every claim is skipped for the reason given.
    pub(crate) fn new(session: Result<S, String>) -> Self {
        Self { session, probes: Vec::new() }
    }

    pub(crate) async fn claim<E: Error>(
        &mut self,
        id: &'static str,
        claim: &'static str,
        probe: impl AsyncFnOnce(&mut S) -> Result<Findings, E>,
    ) {
        let outcome = match &mut self.session {
            Err(why) => Outcome::Skipped(why.clone()),
            Ok(session) => match tokio::time::timeout(PATIENCE, probe(session)).await {
                Ok(Ok(findings)) if findings.is_empty() => Outcome::Pass,
                Ok(Ok(findings)) => Outcome::Breach(findings),
                Ok(Err(error)) => Outcome::Skipped(explain(&error)),
                Err(_) => {
                    let why = format!("{id} did not end within {} s: try again", PATIENCE.as_secs());
                    // Nobody knows what a session does that was left in the middle of something.
                    self.session = Err(why.clone());
                    Outcome::Skipped(why)
                }
            },
        };
        self.probes.push(Probe { id, claim, outcome });
    }

    pub(crate) fn finish(self) -> Vec<Probe> {
        self.probes
    }
}
