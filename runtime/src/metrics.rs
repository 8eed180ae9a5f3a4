//! What a runtime counts. The tenant is the namespace, which the scraper adds.

use std::sync::LazyLock;
use std::time::Duration;

use konstruct_store::Claim;
use konstruct_telemetry::metrics::{Counter, Gauge, Histogram, SECONDS, counter, gauge, histogram};

/// A model may think for minutes.
const MODEL_SECONDS: [f64; 12] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0];

/// `answered`, `empty`, `model_unavailable` and `parked` each gave a reply; `retried`, `released` and `lease_lost`
/// gave none, and the messages are claimed again.
pub(crate) static TURNS: LazyLock<Counter<1>> =
    LazyLock::new(|| counter("konstruct_runtime_turns_total", "Turns by how they ended.", ["outcome"]));

pub(crate) static RUNNING_TURNS: LazyLock<Gauge<0>> =
    LazyLock::new(|| gauge("konstruct_runtime_running_turns", "Turns under way.", []));

pub(crate) static TURN_SECONDS: LazyLock<Histogram<0>> = LazyLock::new(|| {
    histogram(
        "konstruct_runtime_turn_seconds",
        "From the claim to the committed reply, without the time of the model.",
        [],
        &SECONDS,
    )
});

pub(crate) static QUEUE_WAIT_SECONDS: LazyLock<Histogram<0>> = LazyLock::new(|| {
    histogram(
        "konstruct_runtime_queue_wait_seconds",
        "From a message's commit to the first claim of it.",
        [],
        &SECONDS,
    )
});

pub(crate) static MODEL_SECONDS_TAKEN: LazyLock<Histogram<0>> = LazyLock::new(|| {
    histogram(
        "konstruct_runtime_model_seconds",
        "From the request to the ai-gateway to its answer, retries included.",
        [],
        &MODEL_SECONDS,
    )
});

pub(crate) static MODEL_FAILURES: LazyLock<Counter<1>> = LazyLock::new(|| {
    counter(
        "konstruct_runtime_model_failures_total",
        "Turns that no model could be reached for, by reason.",
        ["reason"],
    )
});

pub(crate) fn observe_wait(claim: &Claim) {
    // A later attempt waited for reasons that other metrics show.
    if claim.attempt > 1 {
        return;
    }
    for message in &claim.messages {
        let waited = u64::try_from(message.waited_ms).unwrap_or(0);
        QUEUE_WAIT_SECONDS.observe_duration([], Duration::from_millis(waited));
    }
}

/// Creates them all, so that a scrape shows the zeroes of what has not happened yet.
pub(crate) fn register() {
    for outcome in
        ["answered", "empty", "model_unavailable", "parked", "retried", "released", "lease_lost", "paused"]
    {
        TURNS.add([outcome], 0);
    }
    RUNNING_TURNS.add([], 0.0);
    LazyLock::force(&QUEUE_WAIT_SECONDS);
    LazyLock::force(&TURN_SECONDS);
    LazyLock::force(&MODEL_SECONDS_TAKEN);
    LazyLock::force(&MODEL_FAILURES);
}
