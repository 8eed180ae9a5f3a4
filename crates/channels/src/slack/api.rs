//! Calls of Slack's Web API, and what their answers mean.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::envelope::text;
use crate::{SendError, SetUp};

/// Slack names a time with each 429. This is for a proxy that does not.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(30);
const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

/// The Web API at one base URL. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) http: reqwest::Client,
    base_url: String,
}

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub team_id: String,
    pub enterprise_id: Option<String>,
    /// The bot's.
    pub user_id: Option<String>,
}

impl Client {
    pub fn new(base_url: &str) -> Result<Self, SetUp> {
        Ok(Self::with(crate::http_client::new()?, base_url))
    }

    pub(crate) fn with(http: reqwest::Client, base_url: &str) -> Self {
        Self { http, base_url: base_url.trim_end_matches('/').to_owned() }
    }

    /// Asks Slack which workspace a token belongs to.
    pub async fn identity(&self, token: &SecretString) -> Result<Identity, SendError> {
        let answer = self.post("auth.test", token, &Value::Object(serde_json::Map::new())).await?;
        let team_id = text(&answer, "team_id").ok_or_else(|| unreadable("auth.test names no team"))?;
        let also = |field| text(&answer, field).map(str::to_owned);
        let (enterprise_id, user_id) = (also("enterprise_id"), also("user_id"));
        Ok(Identity { team_id: team_id.to_owned(), enterprise_id, user_id })
    }

    pub(super) async fn post(
        &self,
        method: &str,
        token: &SecretString,
        arguments: &Value,
    ) -> Result<Value, SendError> {
        let body = arguments.to_string();
        let request = self.http.post(format!("{}/{method}", self.base_url));
        // Slack reads JSON only with a charset, and warns without one.
        call(request.header("content-type", "application/json; charset=utf-8").body(body), token).await
    }

    /// For methods that do not read JSON, whatever Slack's pages say.
    pub(super) async fn form(
        &self,
        method: &str,
        token: &SecretString,
        arguments: &[(&str, &str)],
    ) -> Result<Value, SendError> {
        let request = self.http.post(format!("{}/{method}", self.base_url));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        call(request.body(form(arguments)), token).await
    }

    pub(super) async fn get(
        &self,
        method: &str,
        token: &SecretString,
        arguments: &[(&str, &str)],
    ) -> Result<Value, SendError> {
        let url =
            Url::parse_with_params(&format!("{}/{method}", self.base_url), arguments).map_err(|error| {
                SendError::Rejected { reason: format!("the Slack base URL is invalid: {error}") }
            })?;
        call(self.http.get(url), token).await
    }
}

/// The body of a form.
pub(super) fn form(arguments: &[(&str, &str)]) -> String {
    let url = Url::parse_with_params("http://form/", arguments).ok();
    url.and_then(|url| url.query().map(str::to_owned)).unwrap_or_default()
}

async fn call(request: RequestBuilder, token: &SecretString) -> Result<Value, SendError> {
    let response = request.bearer_auth(token.expose_secret()).send().await.map_err(SendError::of_call)?;
    check_status(&response)?;
    let body = response.bytes().await.map_err(|error| unreadable(&error.without_url().to_string()))?;
    let answer: Value = serde_json::from_slice(&body)
        .map_err(|error| unreadable(&format!("the answer is not JSON: {error}")))?;
    if answer["ok"] == true {
        return Ok(answer);
    }
    Err(meaning_of(text(&answer, "error").unwrap_or("an answer without ok and without error")))
}

/// Slack answers 200 also when it refuses; other codes come from its edge or from a proxy.
pub(super) fn check_status(response: &Response) -> Result<(), SendError> {
    let status = response.status();
    match status {
        StatusCode::TOO_MANY_REQUESTS => Err(SendError::RetryAfter { after: retry_after(response) }),
        _ if status.is_success() => Ok(()),
        _ if status.is_server_error() => Err(SendError::InDoubt { reason: format!("HTTP {status}") }),
        _ => Err(SendError::Rejected { reason: format!("HTTP {status}") }),
    }
}

fn retry_after(response: &Response) -> Duration {
    let seconds =
        response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    seconds.map_or(DEFAULT_RETRY_AFTER, Duration::from_secs).min(MAX_RETRY_AFTER)
}

/// What an error code of `{"ok": false}` means for the sender. An unknown code is about the message: most are.
fn meaning_of(code: &str) -> SendError {
    let reason = code.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(100).collect();
    match code {
        "ratelimited" | "rate_limited" => SendError::RetryAfter { after: DEFAULT_RETRY_AFTER },
        "service_unavailable" | "request_timeout" | "team_added_to_org" => SendError::Transient { reason },
        // "Some aspect of the operation may have succeeded before the error", say Slack's pages.
        "internal_error" | "fatal_error" => SendError::InDoubt { reason },
        "invalid_auth"
        | "not_authed"
        | "account_inactive"
        | "token_revoked"
        | "token_expired"
        | "no_permission"
        | "missing_scope"
        | "not_allowed_token_type"
        | "access_denied"
        | "org_login_required"
        | "two_factor_setup_required" => SendError::CredentialsRejected { reason },
        _ => SendError::Rejected { reason },
    }
}

fn unreadable(reason: &str) -> SendError {
    SendError::InDoubt { reason: reason.to_owned() }
}
