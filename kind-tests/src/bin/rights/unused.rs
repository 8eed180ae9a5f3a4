//! The rights that no test uses, with the reason why each is granted all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};

use crate::Right;

/// Below this a role gives too much, however well that is explained.
const LEAST: f64 = 95.0;

pub(crate) struct Verdict {
    pub(crate) findings: Vec<String>,
    pub(crate) used: usize,
    pub(crate) percent: f64,
}

/// Lines `ACCOUNT ROLE VERB RESOURCE: reason`.
pub(crate) fn read(path: &Path) -> Result<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (right, reason) =
                line.split_once(": ").with_context(|| format!("{line:?} gives no reason"))?;
            Ok((right.to_owned(), reason.to_owned()))
        })
        .collect()
}

#[allow(clippy::cast_precision_loss, reason = "there are dozens of rights")]
pub(crate) fn judge(
    granted: &BTreeSet<Right>,
    used: &BTreeSet<Right>,
    explained: &BTreeMap<String, String>,
) -> Verdict {
    let unused: BTreeSet<String> = granted.difference(used).map(ToString::to_string).collect();
    let mut findings: Vec<String> = unused
        .iter()
        .filter(|right| !explained.contains_key(*right))
        .map(|right| format!("{right} is granted, not used and not explained: take it away, or say why not"))
        .collect();
    let stale = explained.keys().filter(|right| !unused.contains(*right));
    findings.extend(
        stale.map(|right| format!("{right} is explained, but it was used or is not granted any more")),
    );
    let count = granted.intersection(used).count();
    let percent = if granted.is_empty() { 0.0 } else { 100.0 * count as f64 / granted.len() as f64 };
    if percent < LEAST {
        findings.push(format!("less than {LEAST} % of what is granted was used"));
    }
    Verdict { findings, used: count, percent }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(verbs: &[&str]) -> BTreeSet<Right> {
        verbs.iter().map(|verb| Right::new("a", "Role/r", verb, "", "pods")).collect()
    }

    fn findings(granted: &[&str], used: &[&str], explained: &[&str]) -> usize {
        let explained =
            explained.iter().map(|verb| (format!("a Role/r {verb} pods"), "why".to_owned())).collect();
        judge(&rights(granted), &rights(used), &explained).findings.len()
    }

    #[test]
    fn every_unused_right_is_explained_and_every_explanation_needed() {
        let many: Vec<String> = (0..40).map(|number| format!("verb-{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let all = [&many[..], &["get"]].concat();
        assert_eq!(findings(&all, &all, &[]), 0);
        assert_eq!(findings(&all, &many, &["get"]), 0);
        assert_eq!(findings(&all, &many, &[]), 1, "not explained");
        assert_eq!(findings(&all, &all, &["get"]), 1, "used");
        assert_eq!(findings(&many, &many, &["get"]), 1, "not granted");
        assert_eq!(findings(&["get", "list"], &["get"], &["list"]), 1, "too much");
        assert_eq!(findings(&[], &[], &[]), 1, "nothing granted is a mistake");
    }

    #[test]
    fn a_group_and_a_part_are_named_as_kubectl_does() {
        let right = Right::new("a", "ClusterRole/r", "patch", "konstruct.dev", "tenants/status");
        assert_eq!(right.to_string(), "a ClusterRole/r patch tenants.konstruct.dev/status");
    }
}
