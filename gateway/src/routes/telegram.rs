//! Deliveries of Telegram's Bot API.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;

use crate::app::App;
use crate::body::Body;
use crate::receive::{Door, receive};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/telegram/{public_id}/events", post(events))
}

async fn events(
    State(app): State<Arc<App>>,
    Path(public_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    receive(&app, "telegram", Door::Own(&public_id), &headers, body).await
}
