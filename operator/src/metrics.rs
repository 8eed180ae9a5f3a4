//! What the operator counts.

use std::sync::LazyLock;
use std::time::Duration;

use konstruct_controllers::Metrics;
use konstruct_telemetry::metrics::{Gauge, Histogram, SECONDS, gauge, histogram};

static PASSES: LazyLock<Histogram<2>> = LazyLock::new(|| {
    histogram(
        "konstruct_operator_reconcile_seconds",
        "Passes over one object, by controller and outcome (ok or the category of the failure).",
        ["controller", "outcome"],
        &SECONDS,
    )
});

static LEADING: LazyLock<Gauge<0>> =
    LazyLock::new(|| gauge("konstruct_operator_leading", "1 while this replica acts.", []));

pub(crate) fn leading(leads: bool) {
    LEADING.set([], f64::from(u8::from(leads)));
}

/// Passes, measured.
pub(crate) struct Passes;

impl Metrics for Passes {
    fn reconciled(&self, controller: &'static str, outcome: &'static str, took: Duration) {
        PASSES.observe_duration([controller, outcome], took);
    }
}
