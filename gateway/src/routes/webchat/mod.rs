//! Web chat: a page, and the three requests that it makes.

mod events;
mod page;

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use konstruct_channels::webchat::Token;
use konstruct_domain::message::TEXT_MAX;
use konstruct_domain::snapshot::{ChannelSnapshot, WebChatSnapshot};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

pub(super) use events::events;
pub(super) use page::{asset, page};

use crate::app::App;
use crate::body::{self, Body};
use crate::connection::Connection;
use crate::intake;
use crate::metrics;
use crate::refusal::Refusal;

#[derive(Deserialize)]
struct Message {
    text: String,
    id: Uuid,
}

/// `POST /chat/{public_id}/conversations`. Nothing is stored before the first message.
pub(super) async fn start(
    State(app): State<Arc<App>>,
    Path(public_id): Path<String>,
) -> Result<Response, Refusal> {
    chat(&app, &public_id)?;
    let body = Json(json!({ "conversation": Token::generate().to_string() }));
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], body).into_response())
}

/// `POST /chat/{public_id}/conversations/{token}/messages`. The same id again is the same message.
pub(super) async fn say(
    State(app): State<Arc<App>>,
    Path((public_id, token)): Path<(String, String)>,
    body: Body,
) -> Response {
    let started = Instant::now();
    let said = async {
        let body = body::read(body)?;
        let (connection, _) = chat(&app, &public_id)?;
        let token: Token = token.parse().map_err(|_| Refusal::UnknownToken)?;
        let message = message(&body)?;
        intake::take_in(&app, &connection, &token.message(message.id, &message.text, body)).await
    };
    let (outcome, response) = match said.await {
        Ok(outcome) => {
            (outcome, (StatusCode::ACCEPTED, Json(json!({ "status": "accepted" }))).into_response())
        }
        Err(refusal) => (refusal.code(), refusal.into_response()),
    };
    metrics::EVENTS.inc(["webchat", outcome]);
    metrics::ACK.observe_duration(["webchat"], started.elapsed());
    response
}

fn message(body: &[u8]) -> Result<Message, Refusal> {
    let message: Message = serde_json::from_slice(body).map_err(|error| {
        let wanted = r#"send {"text": "…", "id": "a UUID that you made"}"#;
        Refusal::Malformed(format!("the body cannot be read ({error}): {wanted}"))
    })?;
    if message.text.trim().is_empty() {
        return Err(Refusal::InvalidMessage("the message is empty: write something"));
    }
    match message.text.chars().count() {
        characters if characters > TEXT_MAX => Err(Refusal::MessageTooLong { characters }),
        _ => Ok(message),
    }
}

/// The web chat of that public id.
fn chat(app: &App, public_id: &str) -> Result<(Arc<Connection>, WebChatSnapshot), Refusal> {
    let routes = app.registry.routes().ok_or(Refusal::Unavailable)?;
    let connection = routes.by_public_id(public_id).ok_or(Refusal::NotFound)?;
    match &connection.snapshot.channel {
        ChannelSnapshot::WebChat(snapshot) => Ok((Arc::clone(connection), snapshot.clone())),
        _ => Err(Refusal::NotFound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_checked_and_the_answer_says_what_to_send() {
        let id = Uuid::new_v4();
        let code = |text: &str| {
            message(json!({ "text": text, "id": id }).to_string().as_bytes()).err().map(|e| e.code())
        };
        assert_eq!(code("hi"), None);
        assert_eq!(code(&"ü".repeat(TEXT_MAX)), None);
        assert_eq!(code(&"ü".repeat(TEXT_MAX + 1)), Some("message_too_long"));
        assert_eq!(code(" \n\t"), Some("invalid_message"));
        for bad in
            ["", "{", "[]", "{}", r#"{"text":"x"}"#, r#"{"text":"x","id":"1"}"#, r#"{"text":7,"id":"1"}"#]
        {
            assert_eq!(message(bad.as_bytes()).err().map(|error| error.code()), Some("malformed"), "{bad}");
        }
    }
}
