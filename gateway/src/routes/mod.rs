//! The public addresses.

pub(crate) mod address;
mod slack;
mod telegram;
mod webchat;
mod whatsapp;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::body;
use crate::refusal::Refusal;

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .merge(slack::router())
        .merge(telegram::router())
        .merge(webchat::router(&app))
        .merge(whatsapp::router())
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(body::LIMIT))
        .layer(from_fn(body::limit_time))
        .with_state(app)
}

async fn not_found() -> Response {
    Refusal::NotFound.into_response()
}
