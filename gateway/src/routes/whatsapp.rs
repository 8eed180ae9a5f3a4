//! Deliveries of WhatsApp's Cloud API, and the check of the address that comes before them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;

use crate::app::App;
use crate::body::Body;
use crate::receive::{Door, handshake, receive};

const CHANNEL: &str = "whatsapp";

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/whatsapp/events", get(check_shared).post(shared_app))
        .route("/whatsapp/{public_id}/events", get(check_own).post(own_app))
}

async fn check_shared(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    handshake(&app, CHANNEL, Door::Shared, query.as_deref().unwrap_or_default()).await
}

async fn check_own(
    State(app): State<Arc<App>>,
    Path(public_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    handshake(&app, CHANNEL, Door::Own(&public_id), query.as_deref().unwrap_or_default()).await
}

async fn shared_app(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Response {
    receive(&app, CHANNEL, Door::Shared, &headers, body).await
}

async fn own_app(
    State(app): State<Arc<App>>,
    Path(public_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    receive(&app, CHANNEL, Door::Own(&public_id), &headers, body).await
}
