//! A measured figure beside its goal.

use std::fmt;

use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) goal: f64,
    /// What is compared with the goal.
    pub(crate) value: f64,
    /// How `value` follows from `raw`.
    pub(crate) statistic: &'static str,
    pub(crate) raw: Vec<f64>,
}

impl Figure {
    pub(crate) fn p95(name: &'static str, unit: &'static str, goal: f64, raw: Vec<f64>) -> Self {
        Self { name, unit, goal, value: percentile(&raw, 95), statistic: "p95", raw }
    }

    pub(crate) fn highest(name: &'static str, unit: &'static str, goal: f64, raw: Vec<f64>) -> Self {
        Self { name, unit, goal, value: percentile(&raw, 100), statistic: "highest", raw }
    }
}

/// The smallest value that `percent` of all values do not exceed.
fn percentile(raw: &[f64], percent: usize) -> f64 {
    let mut sorted = raw.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, unit, goal, value, statistic, raw } = self;
        let verdict = if value <= goal { "met" } else { "MISSED" };
        let (count, median) = (raw.len(), percentile(raw, 50));
        write!(
            f,
            "{name:20} {value:9.2} {unit:5} goal {goal:6} {verdict:6} ({statistic} of {count}, median {median:.2})"
        )
    }
}
