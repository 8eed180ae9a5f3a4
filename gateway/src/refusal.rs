//! Requests that are not done, each with what to do about it.

use std::time::Duration;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use konstruct_channels::{Malformed, Refused};
use konstruct_domain::message::TEXT_MAX;
use serde_json::json;

#[derive(Debug)]
pub(crate) enum Refusal {
    NotFound,
    UnknownToken,
    BodyTooLarge,
    BodyUnreadable,
    TooSlow,
    Malformed(String),
    NotAuthentic(Refused),
    InvalidMessage(&'static str),
    MessageTooLong {
        characters: usize,
    },
    /// No token, or one that is forged or has run out.
    Session,
    /// A site that is not allowed.
    Origin,
    /// A site's signature of its user that is not right.
    Identity,
    NoPictures,
    Picture(konstruct_media::Refused),
    PictureMissing,
    /// The text is for the person, in their language.
    TooMany {
        message: String,
        resets_in: Duration,
    },
    /// PostgreSQL is down, or the configuration is not loaded yet.
    Unavailable,
}

impl Refusal {
    /// The `outcome` of metrics, and the `code` of the answer.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::UnknownToken => "unknown_conversation",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyUnreadable => "body_unreadable",
            Self::TooSlow => "too_slow",
            Self::Malformed(_) => "malformed",
            Self::NotAuthentic(_) => "invalid_signature",
            Self::InvalidMessage(_) => "invalid_message",
            Self::MessageTooLong { .. } => "message_too_long",
            Self::Session => "session_invalid",
            Self::Origin => "origin_not_allowed",
            Self::Identity => "identity_invalid",
            Self::NoPictures => "pictures_not_taken",
            Self::Picture(_) => "picture_refused",
            Self::PictureMissing => "picture_missing",
            Self::TooMany { .. } => "rate_limited",
            Self::Unavailable => "unavailable",
        }
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::UnknownToken => StatusCode::NOT_FOUND,
            Self::BodyTooLarge | Self::MessageTooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyUnreadable | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NotAuthentic(_) | Self::Session => StatusCode::UNAUTHORIZED,
            Self::Origin | Self::Identity => StatusCode::FORBIDDEN,
            Self::InvalidMessage(_) | Self::NoPictures | Self::Picture(_) | Self::PictureMissing => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::NotFound => {
                "there is nothing at this address: check it, and in a cluster check that the ChannelConnection is Ready"
                    .to_owned()
            }
            Self::UnknownToken => "this is not a conversation of this chat: start a new one".to_owned(),
            Self::BodyTooLarge => "the request is larger than 1 MB: send less".to_owned(),
            Self::BodyUnreadable => "the request broke off: send it again".to_owned(),
            Self::TooSlow => "the request took too long: send it again".to_owned(),
            Self::Malformed(what) | Self::TooMany { message: what, .. } => what.clone(),
            Self::NotAuthentic(refused) => refused.to_string(),
            Self::Session => "the session is not valid or has run out: open a new one at …/sessions".to_owned(),
            Self::Origin => {
                "this site may not have the chat: add its address to spec.webChat.allowedOrigins of the ChannelConnection"
                    .to_owned()
            }
            Self::Identity => {
                "the user is not signed as it must be: send the HMAC-SHA-256 of its id, in hexadecimal, with the secret of \
                 spec.webChat.identitySecretRef"
                    .to_owned()
            }
            Self::NoPictures => "pictures are not taken here: describe in words what is on it".to_owned(),
            Self::Picture(refused) => refused.to_string(),
            Self::PictureMissing => "a picture of the message is not there any more: add it again".to_owned(),
            Self::InvalidMessage(what) => (*what).to_owned(),
            Self::MessageTooLong { characters } => {
                format!("the message has {characters} characters: send at most {TEXT_MAX}, or several messages")
            }
            Self::Unavailable => "the service is not available at the moment: try again in a few seconds".to_owned(),
        }
    }

    /// Whether the same request again has no chance. A wrong secret and a missing connection may be put right while
    /// the platform still tries.
    pub(crate) const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::BodyTooLarge | Self::Malformed(_) | Self::InvalidMessage(_) | Self::MessageTooLong { .. }
        )
    }

    /// After how many seconds the same request again may fare better.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Unavailable | Self::BodyUnreadable | Self::TooSlow => Some(5),
            Self::TooMany { resets_in, .. } => Some(resets_in.as_secs() + 1),
            _ => None,
        }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self::NotAuthentic(refused)
    }
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Json(json!({ "error": { "code": self.code(), "message": self.message() } }));
        let mut response = (self.status(), body).into_response();
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
        }
        response
    }
}
