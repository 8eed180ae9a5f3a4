//! Reading a request's body, within limits.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Request;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::refusal::Refusal;

/// Deliveries have a few kilobytes, batches of many a few hundred; a web chat message of the greatest length, escaped, has
/// half of this.
pub(crate) const LIMIT: usize = 1024 * 1024;

/// Longer than a request on a bad line takes, shorter than somebody can hold a connection open for nothing.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) type Body = Result<Bytes, BytesRejection>;

pub(crate) fn read(body: Body) -> Result<Bytes, Refusal> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::BodyTooLarge,
        _ => Refusal::BodyUnreadable,
    })
}

/// Ends a request that is not answered in time. A stream counts as answered once it has begun.
pub(crate) async fn limit_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refusal::TooSlow.into_response(),
    }
}
