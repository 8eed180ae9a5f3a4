//! What the gateway counts.

use std::sync::LazyLock;

use konstruct_telemetry::metrics::{Counter, Histogram, SECONDS, counter, histogram};

pub(crate) static EVENTS: LazyLock<Counter<2>> = LazyLock::new(|| {
    counter("konstruct_gateway_events_total", "Deliveries from channels.", ["channel", "outcome"])
});

pub(crate) static ACK: LazyLock<Histogram<1>> = LazyLock::new(|| {
    histogram(
        "konstruct_gateway_ack_seconds",
        "From a delivery's arrival to its answer, commit included.",
        ["channel"],
        &SECONDS,
    )
});

pub(crate) static OUTBOX: LazyLock<Counter<2>> = LazyLock::new(|| {
    counter("konstruct_gateway_outbox_total", "Tries to send a reply.", ["channel", "outcome"])
});

pub(crate) static SEND: LazyLock<Histogram<1>> = LazyLock::new(|| {
    histogram("konstruct_gateway_send_seconds", "Time of one try to send a reply.", ["channel"], &SECONDS)
});

pub(crate) static FILES: LazyLock<Counter<2>> = LazyLock::new(|| {
    counter(
        "konstruct_gateway_files_total",
        "Tries to fetch a file that a person sent.",
        ["channel", "outcome"],
    )
});

pub(crate) static REFUSED: LazyLock<Counter<2>> = LazyLock::new(|| {
    counter(
        "konstruct_gateway_rate_limited_total",
        "Messages above a limit, by what the limit is of.",
        ["channel", "scope"],
    )
});

pub(crate) static LIMITED_ALONE: LazyLock<Counter<0>> = LazyLock::new(|| {
    counter(
        "konstruct_gateway_limits_without_redis_total",
        "Limits that this process decided alone because Redis did not answer in time.",
        [],
    )
});
