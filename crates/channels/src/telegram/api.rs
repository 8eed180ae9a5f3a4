//! Calls of the Bot API, and what their answers mean. The token is part of every address: no address is ever shown.

use std::time::Duration;

use reqwest::multipart::Form;
use reqwest::{RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::json::{printable, text};
use crate::{SendError, long};

/// For a 429 that names no time.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(5);
const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

#[derive(Clone, Debug)]
pub(super) struct Client {
    pub http: reqwest::Client,
    base_url: String,
}

/// Why a call was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The group goes by another id now.
    Moved {
        chat: String,
    },
    /// The markup cannot be read; without it the text may be taken.
    Markup,
    Failed(SendError),
}

impl From<Refusal> for SendError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Failed(error) => error,
            Refusal::Moved { .. } => Self::Rejected { reason: "the group has moved".to_owned() },
            Refusal::Markup => Self::Rejected { reason: "Telegram cannot read the markup".to_owned() },
        }
    }
}

impl Client {
    pub(super) fn new(http: reqwest::Client, base_url: &str) -> Self {
        Self { http, base_url: base_url.trim_end_matches('/').to_owned() }
    }

    pub(super) fn file_url(&self, token: &SecretString, path: &str) -> String {
        format!("{}/file/bot{}/{path}", self.base_url, token.expose_secret())
    }

    pub(super) async fn call(
        &self,
        method: &str,
        token: &SecretString,
        arguments: &Value,
    ) -> Result<Value, Refusal> {
        self.call_within(None, method, token, arguments).await
    }

    /// Returns the `result`.
    pub(super) async fn call_within(
        &self,
        time: Option<Duration>,
        method: &str,
        token: &SecretString,
        arguments: &Value,
    ) -> Result<Value, Refusal> {
        let mut request = self.post(method, token).header("content-type", "application/json");
        if let Some(time) = time {
            request = request.timeout(time);
        }
        result(request.body(arguments.to_string())).await
    }

    /// The same with a text as the document.
    pub(super) async fn call_with_document(
        &self,
        method: &str,
        token: &SecretString,
        arguments: &Value,
        document: &str,
    ) -> Result<Value, Refusal> {
        let file = long::file(document).map_err(Refusal::Failed)?;
        // In a form everything is text, also what is an object elsewhere.
        let as_text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let arguments = arguments.as_object().into_iter().flatten();
        let form = arguments
            .fold(Form::new(), |form, (name, value)| form.text(name.clone(), as_text(value)))
            .part("document", file);
        result(self.post(method, token).timeout(long::TIME).multipart(form)).await
    }

    fn post(&self, method: &str, token: &SecretString) -> RequestBuilder {
        self.http.post(format!("{}/bot{}/{method}", self.base_url, token.expose_secret()))
    }
}

async fn result(request: RequestBuilder) -> Result<Value, Refusal> {
    let response = request.send().await.map_err(|error| Refusal::Failed(SendError::of_call(error)))?;
    let status = response.status();
    let in_doubt = |reason: String| Refusal::Failed(SendError::InDoubt { reason });
    let body = response.bytes().await.map_err(|error| in_doubt(error.without_url().to_string()))?;
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    if answer["ok"] == true && status.is_success() {
        return Ok(answer["result"].clone());
    }
    Err(meaning_of(status, &answer))
}

fn meaning_of(status: StatusCode, answer: &Value) -> Refusal {
    let description = text(answer, "description").map_or_else(|| format!("HTTP {status}"), printable);
    let parameters = &answer["parameters"];
    if let Some(chat) = parameters["migrate_to_chat_id"].as_i64() {
        return Refusal::Moved { chat: chat.to_string() };
    }
    let reason = description.clone();
    Refusal::Failed(match status {
        StatusCode::TOO_MANY_REQUESTS => {
            let after = parameters["retry_after"].as_u64().map_or(DEFAULT_RETRY_AFTER, Duration::from_secs);
            SendError::RetryAfter { after: after.min(MAX_RETRY_AFTER) }
        }
        // A token that is not one at all leads to an address that does not exist.
        StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND => SendError::CredentialsRejected { reason },
        StatusCode::CONFLICT => SendError::Transient { reason },
        StatusCode::BAD_REQUEST if description.contains("can't parse entities") => return Refusal::Markup,
        _ if status.is_client_error() => SendError::Rejected { reason },
        _ => SendError::of_failure(status, reason),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_lead_to_what_is_to_be_done() {
        let of = |status: u16, answer: Value| meaning_of(StatusCode::from_u16(status).unwrap(), &answer);
        let wait = of(429, json!({"ok": false, "parameters": {"retry_after": 7}}));
        assert_eq!(wait, Refusal::Failed(SendError::RetryAfter { after: Duration::from_secs(7) }));
        let moved = of(400, json!({"ok": false, "parameters": {"migrate_to_chat_id": -100}}));
        assert_eq!(moved, Refusal::Moved { chat: "-100".to_owned() });
        let markup = of(400, json!({"ok": false, "description": "Bad Request: can't parse entities: x"}));
        assert_eq!(markup, Refusal::Markup);
        assert!(matches!(of(401, json!({})), Refusal::Failed(SendError::CredentialsRejected { .. })));
        assert!(matches!(of(403, json!({})), Refusal::Failed(SendError::Rejected { .. })));
        assert!(matches!(of(503, Value::Null), Refusal::Failed(SendError::Transient { .. })));
        assert!(matches!(of(502, Value::Null), Refusal::Failed(SendError::InDoubt { .. })));
    }
}
