//! Web chat: a page, a widget for other sites, and the requests that both make.

mod events;
mod images;
mod origin;
mod page;
mod session;

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use konstruct_domain::message::{InboundMessage, PICTURE, TEXT_MAX};
use konstruct_domain::snapshot::{ChannelSnapshot, WebChatSnapshot};
use konstruct_media::PICTURE_BYTES_MAX;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::body::{self, Body};
use crate::connection::Connection;
use crate::intake;
use crate::metrics;
use crate::refusal::Refusal;
use crate::routes::address::Address;
use session::Visitor;

/// Pictures of one message.
const PICTURES_MAX: usize = 4;

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    text: String,
    id: Uuid,
    #[serde(default)]
    images: Vec<Uuid>,
}

pub(super) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let open_to_sites = Router::new()
        .route("/chat/{public_id}/sessions", post(session::open).options(preflight))
        .route("/chat/{public_id}/messages", post(say).options(preflight))
        .route("/chat/{public_id}/events", get(events::events).options(preflight))
        .route(
            "/chat/{public_id}/images",
            post(images::upload).options(preflight).layer(DefaultBodyLimit::max(PICTURE_BYTES_MAX + 1)),
        )
        .route_layer(from_fn_with_state(Arc::clone(app), origin::check));
    Router::new()
        .route("/chat/widget.js", get(page::widget))
        .route("/chat/assets/{file}", get(page::asset))
        .route("/chat/{public_id}", get(page::page))
        .merge(open_to_sites)
}

/// Of who asks without saying on whose page: no browser does.
async fn preflight() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// `POST /chat/{public_id}/messages`. The same id again is the same message.
async fn say(
    State(app): State<Arc<App>>,
    Path(public_id): Path<String>,
    Address(address): Address,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let started = Instant::now();
    let said = async {
        let visitor = Visitor::of(&app, &public_id, &headers, address).await?;
        let body = body::read(body)?;
        let message = message(&body)?;
        let inbound = inbound(&visitor, &message, body);
        attach(&app, &visitor, &inbound, &message).await?;
        intake::take_in(&app, &visitor.connection, &inbound).await
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

fn inbound(visitor: &Visitor, message: &Message, raw: Bytes) -> InboundMessage {
    let pictures = std::iter::repeat_n(PICTURE, message.images.len());
    let lines: Vec<&str> = [message.text.as_str()].into_iter().chain(pictures).collect();
    let text = lines.join("\n");
    let mut inbound = visitor.token.message(message.id, text.trim_start_matches('\n'), raw);
    if let Some(user) = &visitor.user {
        inbound.author_id = format!("user:{user}");
    }
    inbound.language.clone_from(&visitor.language);
    inbound
}

async fn attach(
    app: &App,
    visitor: &Visitor,
    inbound: &InboundMessage,
    message: &Message,
) -> Result<(), Refusal> {
    if message.images.is_empty() {
        return Ok(());
    }
    let (tenant, conversation) = (visitor.connection.tenant, visitor.conversation());
    let attached =
        app.store.attach_pictures(tenant, conversation, &inbound.message_id, &message.images).await;
    match attached {
        Ok(true) => Ok(()),
        Ok(false) => Err(Refusal::PictureMissing),
        Err(error) => {
            tracing::warn!(%tenant, %error, "a picture was not attached");
            Err(Refusal::Unavailable)
        }
    }
}

fn message(body: &[u8]) -> Result<Message, Refusal> {
    let message: Message = serde_json::from_slice(body).map_err(|error| {
        let wanted = r#"send {"text": "…", "id": "a UUID that you made"}"#;
        Refusal::Malformed(format!("the body cannot be read ({error}): {wanted}"))
    })?;
    if message.images.len() > PICTURES_MAX {
        return Err(Refusal::InvalidMessage("the message has too many pictures: send at most 4"));
    }
    if message.text.trim().is_empty() && message.images.is_empty() {
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

/// The one that the browser names first.
fn language(headers: &HeaderMap) -> Option<String> {
    let wished = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
    let first = wished.split([',', ';']).next()?.trim();
    (!first.is_empty() && first.len() <= 35).then(|| first.to_owned())
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
        let pictures = |count: usize| {
            let images: Vec<Uuid> = (0..count).map(|_| Uuid::new_v4()).collect();
            message(json!({ "id": id, "images": images }).to_string().as_bytes()).err().map(|e| e.code())
        };
        assert_eq!([pictures(1), pictures(4), pictures(5)], [None, None, Some("invalid_message")]);
    }

    #[test]
    fn the_first_language_of_a_browser_counts() {
        let of = |text: &'static str| {
            let value = axum::http::HeaderValue::from_static(text);
            language(&HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, value)]))
        };
        assert_eq!(of("de-AT,de;q=0.9,en;q=0.8").as_deref(), Some("de-AT"));
        assert_eq!(of(""), None);
        assert_eq!(of("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), None);
    }
}
