//! The HTTP client of all channels.

use std::time::Duration;

/// Platforms answer within a second or two; a lease on an outbox row lasts a minute.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// An address in a platform's answer must not lead us anywhere else, so no redirect is followed.
pub(crate) fn new() -> Result<reqwest::Client, reqwest::Error> {
    builder().timeout(CALL_TIMEOUT).redirect(reqwest::redirect::Policy::none()).build()
}

pub(crate) fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT)
}
