//! Deliveries of Slack: of its Events API, and of buttons that people press.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use konstruct_channels::slack::is_ssl_check;

use crate::app::App;
use crate::body::Body;
use crate::metrics;
use crate::receive::{Door, receive};

const CHANNEL: &str = "slack";

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/slack/events", post(shared_app))
        .route("/slack/interactivity", post(shared_app))
        .route("/slack/{public_id}/events", post(own_app))
        .route("/slack/{public_id}/interactivity", post(own_app))
}

async fn shared_app(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Response {
    deliver(&app, Door::Shared, &headers, body).await
}

async fn own_app(
    State(app): State<Arc<App>>,
    Path(public_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    deliver(&app, Door::Own(&public_id), &headers, body).await
}

async fn deliver(app: &App, door: Door<'_>, headers: &HeaderMap, body: Body) -> Response {
    // The one request that Slack does not sign.
    let content_type = headers.get(header::CONTENT_TYPE).map(header::HeaderValue::as_bytes);
    if body.as_ref().is_ok_and(|body| is_ssl_check(content_type, body)) {
        metrics::EVENTS.inc([CHANNEL, "ssl_check"]);
        return StatusCode::OK.into_response();
    }
    receive(app, CHANNEL, door, headers, body).await
}
