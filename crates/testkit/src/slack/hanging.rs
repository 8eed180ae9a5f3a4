//! Calls of a workspace that are never answered, until the caller hangs up.

use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub(super) struct Hanging {
    /// Workspaces and their methods.
    concerned: BTreeSet<(String, String)>,
    now: usize,
    most: usize,
}

impl Hanging {
    pub(super) fn add(&mut self, team_id: &str, method: &str) {
        self.concerned.insert((team_id.to_owned(), method.to_owned()));
    }

    pub(super) fn concerns(&self, team_id: &str, method: &str) -> bool {
        self.concerned.contains(&(team_id.to_owned(), method.to_owned()))
    }

    pub(super) fn begin(&mut self) {
        self.now += 1;
        self.most = self.most.max(self.now);
    }

    pub(super) fn end(&mut self) {
        self.now -= 1;
    }

    /// At the same time.
    pub(super) fn most(&self) -> usize {
        self.most
    }
}
