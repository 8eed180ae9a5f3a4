//! The HTTP client of all channels.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;

use crate::SendError;

/// Platforms answer within a second or two; a lease on an outbox row lasts a minute.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// An address in a platform's answer must not lead us anywhere else, so no redirect is followed.
pub(crate) fn new() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .timeout(CALL_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

/// A body of at most `max` bytes, whatever length the answer claims to have.
pub(crate) async fn limited(response: reqwest::Response, max: u64) -> Result<Bytes, SendError> {
    let too_large = || SendError::Rejected { reason: format!("the file is larger than {max} bytes") };
    if response.content_length().is_some_and(|length| length > max) {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    let mut chunks = response.bytes_stream();
    let broken = |error: reqwest::Error| SendError::Transient { reason: error.without_url().to_string() };
    while let Some(chunk) = chunks.try_next().await.map_err(broken)? {
        body.extend_from_slice(&chunk);
        if body.len() as u64 > max {
            return Err(too_large());
        }
    }
    Ok(body.freeze())
}
