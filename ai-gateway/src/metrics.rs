//! What is counted. Labels have few, fixed values.

use std::sync::LazyLock;

use konstruct_telemetry::metrics::{Counter, Gauge, Histogram, SECONDS, counter, gauge, histogram};

pub(crate) static REQUESTS: LazyLock<Counter<1>> = LazyLock::new(|| {
    counter("konstruct_ai_gateway_requests_total", "Requests for an answer, by how they ended.", ["outcome"])
});

pub(crate) static REQUEST_SECONDS: LazyLock<Histogram<1>> = LazyLock::new(|| {
    let help = "Time until the answer was complete, or for a streamed one until it began.";
    histogram("konstruct_ai_gateway_request_seconds", help, ["outcome"], &SECONDS)
});

pub(crate) static TRIES: LazyLock<Counter<2>> = LazyLock::new(|| {
    let help = "Tries at one provider, by its type and what came of it.";
    counter("konstruct_ai_gateway_tries_total", help, ["provider_type", "outcome"])
});

pub(crate) static FIRST_OUTPUT_SECONDS: LazyLock<Histogram<1>> = LazyLock::new(|| {
    let help = "Time from sending a request to a provider to the first piece of its answer.";
    histogram("konstruct_ai_gateway_first_output_seconds", help, ["provider_type"], &SECONDS)
});

pub(crate) static TOKENS: LazyLock<Counter<2>> = LazyLock::new(|| {
    let help = "Tokens read and written by models.";
    counter("konstruct_ai_gateway_tokens_total", help, ["provider_type", "direction"])
});

pub(crate) static METER_WAITING: LazyLock<Gauge<0>> = LazyLock::new(|| {
    gauge(
        "konstruct_ai_gateway_meter_waiting_calls",
        "Model calls whose record is not in PostgreSQL yet.",
        [],
    )
});

pub(crate) static METER_RETRIES: LazyLock<Counter<0>> = LazyLock::new(|| {
    counter("konstruct_ai_gateway_meter_retries_total", "Failed writes of a model call's record.", [])
});

pub(crate) static UNMETERED: LazyLock<Counter<0>> = LazyLock::new(|| {
    counter("konstruct_ai_gateway_unmetered_calls_total", "Model calls whose record was given up.", [])
});

pub(crate) static TOKEN_REVIEWS: LazyLock<Counter<1>> = LazyLock::new(|| {
    counter("konstruct_ai_gateway_token_reviews_total", "TokenReviews by their outcome.", ["outcome"])
});
