//! Errors in each provider's shape.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Api;

/// A request that the provider would not serve.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) code: Option<&'static str>,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, code: None, message: message.into() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    pub(super) fn with_code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// What the provider sends with a status that a test asked for. The message quotes a prompt, as real ones may:
    /// nobody should find it in a log.
    pub(super) fn injected(api: Api, status: u16) -> Self {
        let kind = match (api, status) {
            (_, 401) => "authentication_error",
            (_, 403) => "permission_error",
            (Api::Anthropic, 404) => "not_found_error",
            (Api::Anthropic, 429) => "rate_limit_error",
            (Api::OpenAi, 429) => "requests",
            (Api::Anthropic, 529) => "overloaded_error",
            (_, 500..) => "api_error",
            _ => "invalid_request_error",
        };
        Self::new(status, kind, "injected: SECRET-BODY-TEXT")
    }

    pub(super) fn body(&self, api: Api) -> Value {
        match api {
            Api::Anthropic => json!({
                "type": "error",
                "error": {"type": self.kind, "message": self.message},
                "request_id": "req_double",
            }),
            Api::OpenAi => json!({
                "error": {"message": self.message, "type": self.kind, "param": null, "code": self.code},
            }),
        }
    }

    pub(super) fn into_response(self, api: Api) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self.body(api))).into_response()
    }
}

/// Refuses fields that the API does not have.
pub(super) fn known_fields(body: &Value, known: &[&str], wording: &str) -> Result<(), Refusal> {
    let fields = body.as_object().ok_or_else(|| Refusal::invalid("the body is not a JSON object"))?;
    match fields.keys().find(|field| !known.contains(&field.as_str())) {
        Some(field) => Err(Refusal::invalid(wording.replace("{}", field))),
        None => Ok(()),
    }
}
