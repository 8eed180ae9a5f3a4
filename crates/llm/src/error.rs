//! What can go wrong between us and a provider, sorted by what follows from it.

use konstruct_guard::{Refused, refusal};
use reqwest::StatusCode;

/// One failed try at one provider. Texts are for the people who run the installation; they hold no body and no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No connection, or one that broke before the answer was complete.
    #[error("cannot reach the provider, or the connection broke: check spec baseUrl and the network")]
    Connect,
    /// Nothing was sent.
    #[error("spec baseUrl is refused: {0}, or ask the platform's administrator to allow its network")]
    Guarded(Refused),
    #[error("the provider did not answer in time: raise spec.timeoutSeconds or choose a faster model")]
    Timeout,
    /// 408, 429 and 5xx: the same request may succeed later or elsewhere.
    #[error("the provider answered {0}: it is overloaded, limits our rate or has a fault of its own")]
    Status(u16),
    /// Any other refusal: the same request would be refused again.
    #[error("the provider refused the request with {status}: {reason}")]
    Rejected { status: u16, reason: Rejection },
    /// Success without a usable answer.
    #[error(
        "the provider's answer is not what its API promises ({0}): check the provider type and spec baseUrl"
    )]
    Malformed(&'static str),
    /// The request cannot be put in this provider's terms. Nothing was sent.
    #[error("{0}")]
    Request(&'static str),
}

/// Why a provider refused, as far as its error object gives it away, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error(
        "the API key is missing, wrong or revoked; put a valid one in the Secret that the LLMProvider names"
    )]
    Credentials,
    #[error("the API key may not use this model or endpoint; allow it at the provider or use another key")]
    Permission,
    #[error("the account has no credit; add some at the provider")]
    Billing,
    #[error("it does not know this model or address; correct the model's name or spec baseUrl")]
    NotFound,
    #[error("the conversation is too long for this model; shorten the instructions or memory.windowMessages")]
    TooLong,
    #[error("this model takes no temperature; remove it from the agent's model")]
    Temperature,
    #[error("it redirects elsewhere; set spec baseUrl to the final address")]
    Redirect,
    #[error("it does not accept the request for this model; check the agent's model settings")]
    Other,
}

impl Error {
    /// Whether the next model of a chain should be tried. A refusal of the request itself is not worked around:
    /// it would hide a wrong key or a wrong setting behind a model that nobody chose to be first.
    pub const fn may_fall_back(&self) -> bool {
        match self {
            Self::Connect | Self::Timeout => true,
            Self::Status(status) => retryable(*status),
            Self::Rejected { .. } | Self::Malformed(_) | Self::Request(_) | Self::Guarded(_) => false,
        }
    }

    /// A short name for metrics and error details, from a closed set.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Guarded(_) => "address_refused",
            Self::Timeout => "timeout",
            Self::Status(408) => "status_408",
            Self::Status(429) => "status_429",
            Self::Status(_) => "status_5xx",
            Self::Rejected { reason: Rejection::Credentials | Rejection::Permission, .. } => "credentials",
            Self::Rejected { .. } => "rejected",
            Self::Malformed(_) => "malformed",
            Self::Request(_) => "request",
        }
    }

    /// Sorts an unsuccessful status, with what the provider's error object says.
    pub(crate) fn from_status(status: u16, details: &ErrorDetails) -> Self {
        if retryable(status) {
            return Self::Status(status);
        }
        Self::Rejected { status, reason: Rejection::classify(status, details) }
    }

    /// An error object that came inside a stream which had begun with 200. Its type says what the status would
    /// have been; an unknown type is the provider's fault, not the request's.
    pub(crate) fn in_stream(details: &ErrorDetails) -> Self {
        let status = details.status().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR.as_u16());
        Self::from_status(status, details)
    }

    /// Sorts a failure of the HTTP client itself.
    pub(crate) fn from_transport(error: &reqwest::Error) -> Self {
        match refusal(error) {
            // A name that DNS does not know now may be known again.
            Some(Refused::NoAddress) => return Self::Connect,
            Some(refused) => return Self::Guarded(refused),
            None => {}
        }
        if error.is_timeout() && !error.is_connect() { Self::Timeout } else { Self::Connect }
    }
}

const fn retryable(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}

impl Rejection {
    fn classify(status: u16, details: &ErrorDetails) -> Self {
        match status {
            300..=399 => Self::Redirect,
            401 => Self::Credentials,
            402 => Self::Billing,
            403 => Self::Permission,
            404 => Self::NotFound,
            413 => Self::TooLong,
            _ if details.mentions_code("context_length_exceeded") || details.mentions("too long") => {
                Self::TooLong
            }
            _ if details.mentions_code("exceed_context_size_error") => Self::TooLong,
            _ if details.mentions_code("model_not_found") => Self::NotFound,
            _ if details.mentions("temperature") => Self::Temperature,
            _ => Self::Other,
        }
    }
}

/// A provider's error object: `{"error": {"type", "code", "message"}}`, which Anthropic and OpenAI share.
/// Read to sort the error, then dropped.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct ErrorDetails {
    r#type: Option<String>,
    /// A string at OpenAI, a number at some compatible servers.
    code: Option<serde_json::Value>,
    message: Option<String>,
}

impl ErrorDetails {
    /// Reads the error object of a body; a body without one gives no details.
    pub(crate) fn from_body(body: &[u8]) -> Self {
        #[derive(serde::Deserialize)]
        struct Body {
            error: ErrorDetails,
        }
        serde_json::from_slice::<Body>(body).map(|body| body.error).unwrap_or_default()
    }

    fn mentions_code(&self, wanted: &str) -> bool {
        self.r#type.as_deref() == Some(wanted)
            || self.code.as_ref().and_then(|code| code.as_str()) == Some(wanted)
    }

    fn mentions(&self, word: &str) -> bool {
        self.message.as_deref().is_some_and(|message| message.contains(word))
    }

    fn status(&self) -> Option<u16> {
        if let Some(code) = self.code.as_ref().and_then(serde_json::Value::as_u64) {
            return u16::try_from(code).ok();
        }
        let name = self.r#type.as_deref()?;
        Some(match name {
            "invalid_request_error" | "exceed_context_size_error" => 400,
            "authentication_error" => 401,
            "billing_error" => 402,
            "permission_error" => 403,
            "not_found_error" => 404,
            "request_too_large" => 413,
            "rate_limit_error" | "requests" | "tokens" => 429,
            "timeout_error" => 504,
            "overloaded_error" => 529,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(body: &str) -> ErrorDetails {
        ErrorDetails::from_body(body.as_bytes())
    }

    #[test]
    fn only_failures_of_the_way_or_the_server_fall_back() {
        for status in [408, 429, 500, 502, 503, 504, 529] {
            assert!(Error::from_status(status, &ErrorDetails::default()).may_fall_back(), "{status}");
        }
        for status in [301, 400, 401, 402, 403, 404, 409, 413, 418, 422] {
            assert!(!Error::from_status(status, &ErrorDetails::default()).may_fall_back(), "{status}");
        }
        assert!(Error::Connect.may_fall_back() && Error::Timeout.may_fall_back());
        assert!(!Error::Malformed("x").may_fall_back() && !Error::Request("x").may_fall_back());
    }

    #[test]
    fn a_refusal_names_its_cause() {
        let cases = [
            (400, r#"{"error":{"code":"context_length_exceeded"}}"#, Rejection::TooLong),
            (400, r#"{"error":{"message":"prompt is too long: 2 tokens > 1 maximum"}}"#, Rejection::TooLong),
            (
                400,
                r#"{"error":{"message":"`temperature` is deprecated for this model."}}"#,
                Rejection::Temperature,
            ),
            (400, r#"{"error":{"code":400,"type":"exceed_context_size_error"}}"#, Rejection::TooLong),
            (404, r#"{"error":{"type":"not_found_error"}}"#, Rejection::NotFound),
            (400, "<html>", Rejection::Other),
        ];
        for (status, body, reason) in cases {
            assert_eq!(
                Error::from_status(status, &details(body)),
                Error::Rejected { status, reason },
                "{body}"
            );
        }
    }

    #[test]
    fn an_error_inside_a_stream_counts_as_the_status_it_would_have_been() {
        let cases = [
            (r#"{"error":{"type":"overloaded_error"}}"#, Error::Status(529)),
            (r#"{"error":{"type":"api_error"}}"#, Error::Status(500)),
            (r#"{"error":{"code":503}}"#, Error::Status(503)),
            (
                r#"{"error":{"type":"authentication_error"}}"#,
                Error::Rejected { status: 401, reason: Rejection::Credentials },
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(Error::in_stream(&details(body)), expected, "{body}");
        }
    }
}
