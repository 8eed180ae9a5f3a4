//! Metrics of this process, in one registry.
//!
//! Names are `konstruct_<role>_<what>_<unit>`: base units (`seconds`, `bytes`), counters end in `_total`. Labels have
//! few, fixed values: no ids, no names a person chose, nothing from a message. The tenant of a runtime is its
//! namespace, which the scraper adds.
//!
//! A metric is a `static`, so that several roles in one process share it:
//!
//! ```
//! use std::sync::LazyLock;
//! use konstruct_telemetry::metrics::{Counter, counter};
//!
//! static TURNS: LazyLock<Counter<1>> =
//!     LazyLock::new(|| counter("konstruct_runtime_turns_total", "Finished turns.", ["outcome"]));
//! TURNS.inc(["answered"]);
//! ```

use std::fs;
use std::sync::LazyLock;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, PullingGauge, Registry, TextEncoder,
};

/// Bounds for things a person waits for, in seconds.
pub const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let registry = Registry::new();
    let memory = PullingGauge::new(
        "process_resident_memory_bytes",
        "Memory of this process that is in RAM.",
        Box::new(resident_memory),
    );
    register(&registry, "process_resident_memory_bytes", memory);
    registry
});

/// A metric that cannot be registered is a mistake in its name. It is logged and the process goes on without it:
/// counting must never be the reason why a message is not answered.
fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    name: &str,
    metric: prometheus::Result<C>,
) -> Option<C> {
    let registered = metric.and_then(|metric| registry.register(Box::new(metric.clone())).map(|()| metric));
    match registered {
        Ok(metric) => Some(metric),
        Err(error) => {
            tracing::error!(metric = name, %error, "not counting: fix the metric's name or labels");
            None
        }
    }
}

/// Counts up. `N` labels.
#[derive(Clone, Debug)]
pub struct Counter<const N: usize>(Option<IntCounterVec>);

pub fn counter<const N: usize>(name: &str, help: &str, labels: [&str; N]) -> Counter<N> {
    Counter(register(&REGISTRY, name, IntCounterVec::new(Opts::new(name, help), &labels)))
}

impl<const N: usize> Counter<N> {
    pub fn inc(&self, labels: [&str; N]) {
        self.add(labels, 1);
    }

    pub fn add(&self, labels: [&str; N], by: u64) {
        if let Some(Ok(counter)) = self.0.as_ref().map(|vec| vec.get_metric_with_label_values(&labels)) {
            counter.inc_by(by);
        }
    }

    pub fn get(&self, labels: [&str; N]) -> u64 {
        let counter = self.0.as_ref().and_then(|vec| vec.get_metric_with_label_values(&labels).ok());
        counter.map_or(0, |counter| counter.get())
    }
}

/// Goes up and down.
#[derive(Clone, Debug)]
pub struct Gauge<const N: usize>(Option<GaugeVec>);

pub fn gauge<const N: usize>(name: &str, help: &str, labels: [&str; N]) -> Gauge<N> {
    Gauge(register(&REGISTRY, name, GaugeVec::new(Opts::new(name, help), &labels)))
}

impl<const N: usize> Gauge<N> {
    pub fn set(&self, labels: [&str; N], value: f64) {
        if let Some(gauge) = self.with(labels) {
            gauge.set(value);
        }
    }

    pub fn add(&self, labels: [&str; N], by: f64) {
        if let Some(gauge) = self.with(labels) {
            gauge.add(by);
        }
    }

    pub fn get(&self, labels: [&str; N]) -> f64 {
        self.with(labels).map_or(0.0, |gauge| gauge.get())
    }

    fn with(&self, labels: [&str; N]) -> Option<prometheus::Gauge> {
        self.0.as_ref()?.get_metric_with_label_values(&labels).ok()
    }
}

/// A distribution of durations (see [`SECONDS`]) or sizes.
#[derive(Clone, Debug)]
pub struct Histogram<const N: usize>(Option<HistogramVec>);

pub fn histogram<const N: usize>(name: &str, help: &str, labels: [&str; N], buckets: &[f64]) -> Histogram<N> {
    let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    Histogram(register(&REGISTRY, name, HistogramVec::new(options, &labels)))
}

impl<const N: usize> Histogram<N> {
    pub fn observe(&self, labels: [&str; N], value: f64) {
        if let Some(Ok(histogram)) = self.0.as_ref().map(|vec| vec.get_metric_with_label_values(&labels)) {
            histogram.observe(value);
        }
    }

    pub fn observe_duration(&self, labels: [&str; N], duration: Duration) {
        self.observe(labels, duration.as_secs_f64());
    }
}

/// Everything registered, in the Prometheus text format.
pub(crate) fn render() -> prometheus::Result<String> {
    TextEncoder::new().encode_to_string(&REGISTRY.gather())
}

/// `VmRSS` of `/proc/self/status` in bytes; 0 where there is no such file.
fn resident_memory() -> f64 {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return 0.0 };
    parse_resident_memory(&status).unwrap_or(0.0)
}

fn parse_resident_memory(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_rendered_with_its_labels() {
        let turns = counter("konstruct_test_turns_total", "Turns.", ["outcome"]);
        turns.inc(["answered"]);
        turns.add(["answered"], 2);
        let waiting = gauge("konstruct_test_waiting_messages", "Waiting.", []);
        waiting.set([], 4.0);
        let took = histogram("konstruct_test_turn_seconds", "Time.", [], &SECONDS);
        took.observe_duration([], Duration::from_millis(3));

        let text = render().unwrap();
        assert!(text.contains("konstruct_test_turns_total{outcome=\"answered\"} 3"), "{text}");
        assert!(text.contains("konstruct_test_waiting_messages 4"), "{text}");
        assert!(text.contains("konstruct_test_turn_seconds_bucket{le=\"0.005\"} 1"), "{text}");
        assert_eq!(turns.get(["answered"]), 3);
    }

    #[test]
    fn a_bad_name_or_a_second_registration_is_not_fatal() {
        counter("not a name", "x", []).inc([]);
        let first = counter("konstruct_test_twice_total", "x", []);
        counter("konstruct_test_twice_total", "x", []).inc([]);
        assert_eq!(first.get([]), 0);
    }

    #[test]
    fn resident_memory_is_in_bytes() {
        assert_eq!(parse_resident_memory("VmPeak:\t 9 kB\nVmRSS:\t    2048 kB\n"), Some(2_097_152.0));
        assert_eq!(parse_resident_memory("nonsense"), None);
        assert!(resident_memory() > 1_000_000.0);
    }
}
