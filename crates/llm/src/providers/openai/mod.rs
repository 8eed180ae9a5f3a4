//! OpenAI's Chat Completions API and the many servers that speak it.

mod stream;

use std::time::Duration;

use futures::StreamExt;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use secrecy::SecretString;

use super::{Call, Invalid, address, key_header};
use crate::answer::ChunkStream;
use crate::chat::{ChatRequest, StreamOptions};
use crate::error::Error;
use crate::http::HttpClient;
use crate::sse;

#[derive(Debug)]
pub(super) struct OpenAi {
    completions: Url,
    models: Url,
    headers: HeaderMap,
    http: HttpClient,
}

impl OpenAi {
    pub(super) fn new(base_url: &str, key: Option<&SecretString>, http: HttpClient) -> Result<Self, Invalid> {
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            headers.insert(AUTHORIZATION, key_header("Bearer ", key)?);
        }
        Ok(Self {
            completions: address(base_url, "/chat/completions")?,
            models: address(base_url, "/models")?,
            headers,
            http,
        })
    }

    pub(super) async fn stream(&self, call: Call<'_>) -> Result<ChunkStream, Error> {
        let body = self.request(call);
        let response = self.http.post_for_events(&self.completions, &self.headers, &body, call.wait).await?;
        Ok(stream::chunks(sse::events(response, call.wait)).boxed())
    }

    pub(super) async fn list_models(&self, wait: Duration) -> Result<(), Error> {
        self.http.get(&self.models, &self.headers, wait).await
    }

    fn request(&self, call: Call<'_>) -> ChatRequest {
        // OpenAI's newer models refuse `max_tokens`; most compatible servers ignore `max_completion_tokens` and
        // would write without a limit.
        let at_openai = self.completions.host_str() == Some("api.openai.com");
        ChatRequest {
            model: call.model.to_owned(),
            max_tokens: (!at_openai).then_some(call.max_output_tokens),
            max_completion_tokens: at_openai.then_some(call.max_output_tokens),
            temperature: call.temperature,
            stream: Some(true),
            // Without it a stream has no token counts.
            stream_options: Some(StreamOptions { include_usage: true }),
            n: None,
            ..call.request.clone()
        }
    }
}
