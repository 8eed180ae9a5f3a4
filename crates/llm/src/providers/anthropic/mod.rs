//! Anthropic's Messages API.

mod request;
mod stream;

use std::time::Duration;

use futures::StreamExt;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::SecretString;

use super::{Call, Invalid, address, key_header};
use crate::answer::ChunkStream;
use crate::error::Error;
use crate::http::HttpClient;
use crate::sse;

/// The version of the API that this module speaks; required with every request.
const VERSION: &str = "2023-06-01";

#[derive(Debug)]
pub(super) struct Anthropic {
    messages: Url,
    models: Url,
    headers: HeaderMap,
    http: HttpClient,
}

impl Anthropic {
    pub(super) fn new(base_url: &str, key: &SecretString, http: HttpClient) -> Result<Self, Invalid> {
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", key_header("", key)?);
        headers.insert("anthropic-version", HeaderValue::from_static(VERSION));
        Ok(Self {
            messages: address(base_url, "/v1/messages")?,
            models: address(base_url, "/v1/models")?,
            headers,
            http,
        })
    }

    pub(super) async fn stream(&self, call: Call<'_>) -> Result<ChunkStream, Error> {
        let body = request::build(call)?;
        let response = self.http.post_for_events(&self.messages, &self.headers, &body, call.wait).await?;
        Ok(stream::chunks(sse::events(response, call.wait)).boxed())
    }

    pub(super) async fn list_models(&self, wait: Duration) -> Result<(), Error> {
        self.http.get(&self.models, &self.headers, wait).await
    }
}
