//! One file from an address that somebody else named, within limits.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Client, Response, Url};
use tokio::time::timeout;

use crate::{Guard, Refused, refusal};

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub bytes: usize,
    /// For everything together, redirects included.
    pub time: Duration,
    pub redirects: u8,
    /// Whether plain http is good enough.
    pub unencrypted: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 20 << 20, time: Duration::from_secs(20), redirects: 3, unencrypted: false }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    pub body: Bytes,
    /// What the server says. The file itself may say otherwise.
    pub content_type: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the file has more than {0} bytes: send a smaller one")]
    TooLarge(usize),
    #[error("the file did not come in time: try again")]
    TooSlow,
    #[error("the address leads on and on: give the final one")]
    TooManyRedirects,
    #[error("the server answered {0}: check the address")]
    Status(u16),
    #[error("the file could not be fetched: check the address, and try again")]
    Connection(#[source] reqwest::Error),
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        match refusal(&error) {
            Some(refused) => Self::Refused(refused),
            // Its own text would name the URL, which may hold a token.
            None => Self::Connection(error.without_url()),
        }
    }
}

/// Fetches with a client that [`Guard::client`] has made. The headers, such as a token, go to the first address only.
/// `may` says which sites may be asked at all; a redirect is judged by it like the first address.
pub async fn fetch(
    guard: &Guard,
    client: &Client,
    url: Url,
    headers: HeaderMap,
    limits: Limits,
    may: &(dyn Fn(&Url) -> bool + Send + Sync),
) -> Result<Fetched, FetchError> {
    let fetching = async {
        let response = follow(guard, client, url, headers, limits, may).await?;
        read(response, limits.bytes).await
    };
    timeout(limits.time, fetching).await.unwrap_or(Err(FetchError::TooSlow))
}

async fn follow(
    guard: &Guard,
    client: &Client,
    mut url: Url,
    mut headers: HeaderMap,
    limits: Limits,
    may: &(dyn Fn(&Url) -> bool + Send + Sync),
) -> Result<Response, FetchError> {
    for _ in 0..=limits.redirects {
        check(guard, &url, limits)?;
        if !may(&url) {
            return Err(Refused::Elsewhere.into());
        }
        let response = client.get(url.clone()).headers(std::mem::take(&mut headers)).send().await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let next = location.filter(|_| status.is_redirection()).and_then(|location| url.join(location).ok());
        url = next.ok_or(FetchError::Status(status.as_u16()))?;
    }
    Err(FetchError::TooManyRedirects)
}

fn check(guard: &Guard, url: &Url, limits: Limits) -> Result<(), Refused> {
    guard.check(url)?;
    if guard.trusts(url) {
        return Ok(());
    }
    if url.scheme() != "https" && !limits.unencrypted {
        return Err(Refused::NotEncrypted);
    }
    // Other ports are where things run that were never meant for the public. An allowed network has its own.
    match url.port() {
        Some(port) if guard.allowed.is_empty() => Err(Refused::Port(port)),
        _ => Ok(()),
    }
}

async fn read(mut response: Response, max: usize) -> Result<Fetched, FetchError> {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > max) {
        return Err(FetchError::TooLarge(max));
    }
    let content_type = response.headers().get(reqwest::header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > max {
            return Err(FetchError::TooLarge(max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Fetched { body: body.freeze(), content_type })
}
