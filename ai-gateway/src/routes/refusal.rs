//! Errors in OpenAI's shape: `{"error": {"message", "type", "code"}}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use konstruct_domain::Money;
use konstruct_llm::Error;
use serde_json::{Value, json};

use crate::admission::Busy;
use crate::allowance::{Kind, Reached};
use crate::budget::UsedUp;
use crate::chain::{Failure, describe};
use crate::identity::Denied;

/// Why a request gets no answer. The message says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Denied(Denied),
    Busy(Busy),
    TooLarge,
    TooSlow,
    Invalid(String),
    UnknownAgent(String),
    /// PostgreSQL does not answer, so nothing is known about the agent.
    NotReadable,
    /// The tenant's month is used up.
    UsedUp(UsedUp),
    Failure(Failure),
    NoSuchPath,
    NoSuchMethod,
}

/// The parts of an error object.
struct Shape {
    status: StatusCode,
    kind: &'static str,
    code: &'static str,
    message: String,
    details: Option<Value>,
}

impl Shape {
    fn new(status: StatusCode, kind: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, code, message: message.into(), details: None }
    }

    fn invalid(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(status, "invalid_request_error", code, message)
    }
}

impl Refusal {
    /// The label of the metric.
    pub(super) const fn outcome(&self) -> &'static str {
        match self {
            Self::Denied(Denied::Unavailable | Denied::NoDirectory) | Self::NotReadable => "unavailable",
            Self::Denied(_) => "denied",
            Self::Busy(_) => "busy",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::UnknownAgent(_) => "unknown_agent",
            Self::UsedUp(_) => "used_up",
            Self::Failure(Failure::All(_)) => "all_providers_failed",
            Self::Failure(Failure::Rejected(_)) => "provider_rejected",
            Self::Invalid(_) | Self::Failure(Failure::Request(_)) | Self::NoSuchPath | Self::NoSuchMethod => {
                "invalid"
            }
        }
    }

    /// Whether the same request may be answered in a second.
    const fn passes_soon(&self) -> bool {
        matches!(
            self,
            Self::Denied(Denied::Unavailable | Denied::NoDirectory) | Self::Busy(_) | Self::NotReadable
        )
    }

    fn shape(&self) -> Shape {
        use StatusCode as S;
        match self {
            Self::Denied(denied) => denied_shape(*denied),
            Self::Busy(Busy::Everybody) => Shape::new(
                S::SERVICE_UNAVAILABLE,
                "server_error",
                "overloaded",
                "the ai-gateway is busy: try again",
            ),
            Self::Busy(Busy::Tenant) => {
                let message = "too many requests of this tenant at the same time: try again";
                Shape::new(S::TOO_MANY_REQUESTS, "rate_limit_error", "too_many_requests", message)
            }
            Self::TooLarge => {
                let message = "the body has more than 1 MiB: send fewer or shorter messages";
                Shape::invalid(S::PAYLOAD_TOO_LARGE, "request_too_large", message)
            }
            Self::TooSlow => {
                let message = "the body did not arrive in time: send it again";
                Shape::invalid(S::REQUEST_TIMEOUT, "request_timeout", message)
            }
            Self::Invalid(message) => Shape::invalid(S::BAD_REQUEST, "invalid_request", message),
            Self::UnknownAgent(model) => {
                let message = format!(
                    "there is no model {model:?}: use agent/<name of an Agent>, GET /v1/models lists them"
                );
                Shape::invalid(S::NOT_FOUND, "model_not_found", message)
            }
            Self::NotReadable => not_readable(),
            Self::UsedUp(used_up) => used_up_shape(used_up),
            Self::Failure(failure) => failure_shape(failure),
            Self::NoSuchPath => {
                let message = "no such path: use POST /v1/chat/completions or GET /v1/models";
                Shape::invalid(S::NOT_FOUND, "unknown_url", message)
            }
            Self::NoSuchMethod => {
                let message = "no such method here: use POST /v1/chat/completions or GET /v1/models";
                Shape::invalid(S::METHOD_NOT_ALLOWED, "method_not_allowed", message)
            }
        }
    }
}

fn denied_shape(denied: Denied) -> Shape {
    use StatusCode as S;
    match denied {
        Denied::Missing => {
            let message = "no token: send the runtime's service-account token as Authorization: Bearer";
            Shape::new(S::UNAUTHORIZED, "authentication_error", "missing_token", message)
        }
        Denied::Invalid => {
            let message = "the token is invalid, expired or made for another audience: use a fresh one";
            Shape::new(S::UNAUTHORIZED, "authentication_error", "invalid_token", message)
        }
        Denied::NotARuntime => {
            let message = "the token is valid, but not that of a tenant's runtime: only runtimes may ask";
            Shape::new(S::FORBIDDEN, "permission_error", "not_a_runtime", message)
        }
        Denied::Unavailable => {
            let message =
                "tokens cannot be verified now because the Kubernetes API does not answer: try again";
            Shape::new(S::SERVICE_UNAVAILABLE, "server_error", "identity_unavailable", message)
        }
        Denied::NoDirectory => not_readable(),
    }
}

fn not_readable() -> Shape {
    let message = "what is not loaded yet cannot be read now because PostgreSQL does not answer: try again";
    Shape::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", "configuration_unavailable", message)
}

fn used_up_shape(UsedUp { reached: Reached { kind, limit, used }, resets_on }: &UsedUp) -> Shape {
    let money = |micros: u64| Money::from_micros(micros).to_string();
    let (code, what, limit, used) = match kind {
        Kind::Tokens => (
            "tokens_per_month_used_up",
            format!("read and written {used} tokens this month and limits.tokensPerMonth is {limit}"),
            json!(limit),
            json!(used),
        ),
        Kind::Spend => (
            "spend_per_month_used_up",
            format!("cost {} this month and limits.spendPerMonth is {}", money(*used), money(*limit)),
            json!(money(*limit)),
            json!(money(*used)),
        ),
    };
    let message = format!(
        "the tenant's models have {what}: wait until {resets_on} (UTC), or raise the limit of the Tenant or its Plan"
    );
    let mut shape = Shape::new(StatusCode::TOO_MANY_REQUESTS, "insufficient_quota", code, message);
    shape.details = Some(json!({"limit": limit, "used": used, "resets_on": resets_on}));
    shape
}

fn failure_shape(failure: &Failure) -> Shape {
    let (code, tries) = match failure {
        Failure::Request(message) => {
            return Shape::invalid(StatusCode::BAD_REQUEST, "invalid_request", *message);
        }
        Failure::All(tries) => ("all_providers_failed", tries),
        Failure::Rejected(tries) => ("provider_rejected", tries),
    };
    let mut shape = Shape::new(StatusCode::BAD_GATEWAY, "server_error", code, describe(tries));
    shape.details = Some(json!(tries.iter().map(crate::chain::Try::detail).collect::<Vec<_>>()));
    shape
}

/// The error object of a stream that has begun and cannot go on.
pub(super) fn interrupted(error: &Error) -> Value {
    json!({"error": {"message": error.to_string(), "type": "server_error", "code": "interrupted"}})
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let passes_soon = self.passes_soon();
        let Shape { status, kind, code, message, details } = self.shape();
        let mut error = json!({"message": message, "type": kind, "code": code, "param": null});
        if let Some(details) = details {
            error["details"] = details;
        }
        let mut response = (status, Json(json!({"error": error}))).into_response();
        if passes_soon {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
