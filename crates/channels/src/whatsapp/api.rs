//! Calls of the Cloud API, and what their answers mean.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::multipart::Form;
use reqwest::{RequestBuilder, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::errors::{Meaning, meaning};
use crate::{SendError, long};

/// Meta names no time; this is for a proxy's 429.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(30);
const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

/// The Graph API at one base URL and in one version.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    root: String,
}

/// Why a call was not done. `InDoubt` when it may have been.
pub(super) type Outcome = Result<Value, Meaning>;

impl Client {
    pub(super) fn new(http: reqwest::Client, base_url: &str, version: &str) -> Self {
        Self { http, root: format!("{}/{version}", base_url.trim_end_matches('/')) }
    }

    pub(super) async fn post(&self, path: &str, token: &SecretString, body: &Value) -> Outcome {
        let request = self.http.post(format!("{}/{path}", self.root));
        let request = request.header("content-type", "application/json").body(body.to_string());
        call(request, token).await
    }

    /// Lays a text down at Meta, for a message to name it. Nobody sees it before that.
    pub(super) async fn upload(&self, phone_number_id: &str, token: &SecretString, text: &str) -> Outcome {
        let file = long::file(text).map_err(Meaning::Failed)?;
        let form = Form::new()
            .text("messaging_product", "whatsapp")
            .text("type", long::MEDIA_TYPE)
            .part("file", file);
        let request = self.http.post(format!("{}/{phone_number_id}/media", self.root));
        call(request.timeout(long::TIME).multipart(form), token).await
    }

    pub(super) async fn get(&self, path: &str, token: &SecretString, query: &[(&str, &str)]) -> Outcome {
        let url = Url::parse_with_params(&format!("{}/{path}", self.root), query).map_err(|error| {
            let reason = format!("the base URL of the Graph API is invalid: {error}");
            Meaning::Failed(SendError::Rejected { reason })
        })?;
        call(self.http.get(url), token).await
    }
}

async fn call(request: RequestBuilder, token: &SecretString) -> Outcome {
    let response = request.bearer_auth(token.expose_secret()).send().await;
    let response = response.map_err(|error| Meaning::Failed(SendError::of_call(error)))?;
    let status = response.status();
    let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let in_doubt = |reason: String| Meaning::Failed(SendError::InDoubt { reason });
    let body = response.bytes().await.map_err(|error| in_doubt(error.without_url().to_string()))?;
    let answer: Option<Value> = serde_json::from_slice(&body).ok();
    let error = answer.as_ref().map_or(&Value::Null, |answer| &answer["error"]);
    if let Some(code) = error["code"].as_i64() {
        return Err(meaning(code, error));
    }
    let reason = format!("HTTP {status}");
    match (status, answer) {
        (_, Some(answer)) if status.is_success() => Ok(answer),
        (StatusCode::TOO_MANY_REQUESTS, _) => {
            let after = wait.map_or(DEFAULT_RETRY_AFTER, Duration::from_secs).min(MAX_RETRY_AFTER);
            Err(Meaning::Failed(SendError::RetryAfter { after }))
        }
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
            Err(Meaning::Failed(SendError::CredentialsRejected { reason }))
        }
        _ if status.is_client_error() => Err(Meaning::Failed(SendError::Rejected { reason })),
        _ => {
            let reason = format!("{reason} without a readable answer");
            Err(Meaning::Failed(SendError::of_failure(status, reason)))
        }
    }
}
