//! The one HTTP client: its limits, and the way from a response to either bytes or an [`Error`].

use std::time::Duration;

use konstruct_guard::Guard;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, ClientBuilder, Response, Url, redirect};
use serde::Serialize;
use tokio::time::timeout;

use crate::error::{Error, ErrorDetails};

/// A host that does not even accept the connection by then is taken for unreachable.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Most of an error's body that is read, and how long it may take.
const ERROR_BODY_MAX: usize = 64 * 1024;
const ERROR_BODY_LIMIT: Duration = Duration::from_secs(5);

/// Shared by all providers: connections are pooled per host.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: Client,
    /// For providers of which the platform knows no more than what a tenant wrote.
    guard: Option<Guard>,
}

/// The client's TLS could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client for model providers: check that the CA certificates are installed")]
pub struct BuildClient(#[source] reqwest::Error);

impl HttpClient {
    pub fn new() -> Result<Self, BuildClient> {
        Ok(Self { client: builder().build().map_err(BuildClient)?, guard: None })
    }

    /// Reaches what the guard lets through, and nothing else.
    pub fn guarded(guard: Guard) -> Result<Self, BuildClient> {
        Ok(Self { client: guard.client(builder()).map_err(BuildClient)?, guard: Some(guard) })
    }

    /// Names are checked when they are looked up, addresses here.
    fn check(&self, url: &Url) -> Result<(), Error> {
        self.guard.as_ref().map_or(Ok(()), |guard| guard.check(url)).map_err(Error::Guarded)
    }

    /// Sends a request whose answer is a stream of events; resolves when the answer has begun.
    pub(crate) async fn post_for_events<T: Serialize + Sync>(
        &self,
        url: &Url,
        headers: &HeaderMap,
        body: &T,
        wait: Duration,
    ) -> Result<Response, Error> {
        self.check(url)?;
        let request = self.client.post(url.clone()).headers(headers.clone()).json(body);
        let response = succeed(request.header(ACCEPT, "text/event-stream"), wait).await?;
        let content_type = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        if content_type.is_some_and(|value| value.starts_with(b"text/event-stream")) {
            return Ok(response);
        }
        Err(Error::Malformed("not an event stream"))
    }

    /// Whether a GET succeeds; its body is not read.
    pub(crate) async fn get(&self, url: &Url, headers: &HeaderMap, wait: Duration) -> Result<(), Error> {
        self.check(url)?;
        succeed(self.client.get(url.clone()).headers(headers.clone()), wait).await.map(drop)
    }
}

fn builder() -> ClientBuilder {
    Client::builder()
        .connect_timeout(CONNECT_LIMIT)
        // A redirect would carry the key to an address that nobody configured.
        .redirect(redirect::Policy::none())
        .tcp_nodelay(true)
        .pool_idle_timeout(Duration::from_mins(1))
        .user_agent(concat!("konstruct/", env!("CARGO_PKG_VERSION")))
}

async fn succeed(request: reqwest::RequestBuilder, wait: Duration) -> Result<Response, Error> {
    let sent = timeout(wait, request.send()).await.map_err(|_| Error::Timeout)?;
    let response = sent.map_err(|error| Error::from_transport(&error))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let details = timeout(ERROR_BODY_LIMIT, read_details(response)).await.unwrap_or_default();
    Err(Error::from_status(status.as_u16(), &details))
}

async fn read_details(mut response: Response) -> ErrorDetails {
    let mut body = Vec::new();
    while let Ok(Some(bytes)) = response.chunk().await {
        if body.len() + bytes.len() > ERROR_BODY_MAX {
            return ErrorDetails::default();
        }
        body.extend_from_slice(&bytes);
    }
    ErrorDetails::from_body(&body)
}
