//! The public addresses.

mod slack;
mod telegram;
mod webchat;
mod whatsapp;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::app::App;
use crate::body;
use crate::refusal::Refusal;

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .merge(slack::router())
        .merge(telegram::router())
        .merge(whatsapp::router())
        .route("/chat/assets/{file}", get(webchat::asset))
        .route("/chat/{public_id}", get(webchat::page))
        .route("/chat/{public_id}/conversations", post(webchat::start))
        .route("/chat/{public_id}/conversations/{token}/messages", post(webchat::say))
        .route("/chat/{public_id}/conversations/{token}/events", get(webchat::events))
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(body::LIMIT))
        .layer(from_fn(body::limit_time))
        .with_state(app)
}

async fn not_found() -> Response {
    Refusal::NotFound.into_response()
}
