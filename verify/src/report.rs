//! What was claimed, and what came of trying it: as a table for people, as JSON for programs, as an exit code.

use std::error::Error;
use std::fmt;

use serde::Serialize;

/// Findings of one probe that the table shows. JSON has all of them.
const SHOWN: usize = 5;

/// What came of a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "detail", rename_all = "lowercase")]
pub enum Outcome {
    Pass,
    /// What was possible and must not be.
    Breach(Vec<String>),
    /// Why it could not run, and what to do so that it can. Never counts as passed.
    Skipped(String),
}

/// One claim about a tenant, tried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Probe {
    pub id: &'static str,
    pub claim: &'static str,
    #[serde(flatten)]
    pub outcome: Outcome,
}

#[derive(Clone, Debug, Serialize)]
pub struct TenantReport {
    pub tenant: String,
    pub probes: Vec<Probe>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub tenants: Vec<TenantReport>,
}

/// The worst that was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Isolated,
    Unverified,
    Breached,
}

impl Verdict {
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Isolated => 0,
            Self::Breached => 1,
            Self::Unverified => 2,
        }
    }
}

impl TenantReport {
    /// A tenant about which nothing was tried is not verified.
    pub fn verdict(&self) -> Verdict {
        let worst = self.probes.iter().map(|probe| match probe.outcome {
            Outcome::Pass => Verdict::Isolated,
            Outcome::Breach(_) => Verdict::Breached,
            Outcome::Skipped(_) => Verdict::Unverified,
        });
        worst.max().unwrap_or(Verdict::Unverified)
    }

    fn ids(&self, wanted: impl Fn(&Outcome) -> bool) -> Vec<&'static str> {
        self.probes.iter().filter(|probe| wanted(&probe.outcome)).map(|probe| probe.id).collect()
    }

    pub fn passed(&self) -> Vec<&'static str> {
        self.ids(|outcome| *outcome == Outcome::Pass)
    }

    pub fn breached(&self) -> Vec<&'static str> {
        self.ids(|outcome| matches!(outcome, Outcome::Breach(_)))
    }

    pub fn skipped(&self) -> Vec<&'static str> {
        self.ids(|outcome| matches!(outcome, Outcome::Skipped(_)))
    }
}

impl Report {
    pub fn verdict(&self) -> Verdict {
        self.tenants.iter().map(TenantReport::verdict).max().unwrap_or(Verdict::Unverified)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tenants.iter().try_for_each(|tenant| write!(f, "{tenant}"))
    }
}

impl fmt::Display for TenantReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.probes.iter().map(|probe| probe.id.len()).max().unwrap_or(0);
        writeln!(f, "tenant {}", self.tenant)?;
        for Probe { id, claim, outcome } in &self.probes {
            let word = match outcome {
                Outcome::Pass => "pass",
                Outcome::Breach(_) => "BREACH",
                Outcome::Skipped(_) => "skipped",
            };
            writeln!(f, "  {word:<7}  {id:<width$}  {claim}")?;
            match outcome {
                Outcome::Pass => {}
                Outcome::Breach(findings) => {
                    for finding in findings.iter().take(SHOWN) {
                        writeln!(f, "           {:<width$}  - {finding}", "")?;
                    }
                    if let Some(more) = findings.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                        writeln!(f, "           {:<width$}  - and {more} more: see --output json", "")?;
                    }
                }
                Outcome::Skipped(why) => writeln!(f, "           {:<width$}  - {why}", "")?,
            }
        }
        let count = |ids: Vec<&str>| ids.len();
        writeln!(
            f,
            "  {} passed, {} breached, {} skipped",
            count(self.passed()),
            count(self.breached()),
            count(self.skipped())
        )
    }
}

/// An error with its causes, in one line.
pub(crate) fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcomes: Vec<Outcome>) -> Report {
        let probes = outcomes.into_iter().map(|outcome| Probe { id: "id", claim: "a claim", outcome });
        Report { tenants: vec![TenantReport { tenant: "acme".to_owned(), probes: probes.collect() }] }
    }

    #[test]
    fn the_worst_outcome_decides_and_nothing_tried_is_nothing_verified() {
        let skipped = || Outcome::Skipped("why".to_owned());
        let breach = || Outcome::Breach(vec!["what".to_owned()]);
        assert_eq!(Report::default().verdict().exit_code(), 2);
        assert_eq!(report(vec![]).verdict().exit_code(), 2);
        assert_eq!(report(vec![Outcome::Pass]).verdict().exit_code(), 0);
        assert_eq!(report(vec![Outcome::Pass, skipped()]).verdict().exit_code(), 2);
        assert_eq!(report(vec![skipped(), breach(), Outcome::Pass]).verdict().exit_code(), 1);
    }

    #[test]
    fn the_table_says_what_is_open_and_how_much_more() {
        let findings = (1..=7).map(|n| format!("finding {n}")).collect();
        let table =
            report(vec![Outcome::Breach(findings), Outcome::Skipped("do this".to_owned())]).to_string();
        assert!(table.contains("BREACH   id  a claim"), "{table}");
        assert!(table.contains("finding 5") && !table.contains("finding 6"), "{table}");
        assert!(table.contains("and 2 more"), "{table}");
        assert!(table.contains("do this") && table.contains("0 passed, 1 breached, 1 skipped"), "{table}");
    }

    #[test]
    fn json_names_the_outcome_of_each_probe() {
        let json = serde_json::to_value(report(vec![Outcome::Breach(vec!["what".to_owned()])])).unwrap();
        let probe = &json["tenants"][0]["probes"][0];
        assert_eq!(probe["outcome"], "breach");
        assert_eq!(probe["detail"][0], "what");
    }
}
