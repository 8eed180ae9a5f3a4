//! Pictures that visitors send: judged, written anew and kept, before the message that they belong to.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use konstruct_media::{Picture, clean};
use konstruct_store::NewPicture;
use serde_json::json;
use uuid::Uuid;

use super::session::Visitor;
use crate::app::App;
use crate::body::{self, Body};
use crate::refusal::Refusal;
use crate::routes::address::Address;

/// `POST /chat/{public_id}/images`, with the picture as the body.
pub(crate) async fn upload(
    State(app): State<Arc<App>>,
    Path(public_id): Path<String>,
    Address(address): Address,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let visitor = Visitor::of(&app, &public_id, &headers, address).await?;
    let place = app.media.as_ref().ok_or(Refusal::NoPictures)?;
    let picture = rewritten(&app, body::read(body)?).await?;
    let (tenant, id) = (visitor.connection.tenant, Uuid::new_v4());
    let row = NewPicture {
        id,
        conversation: visitor.conversation(),
        connection: visitor.connection.name(),
        media_type: picture.media_type,
        bytes: picture.bytes.len(),
        width: picture.width,
        height: picture.height,
    };
    // The row first: what has one is deleted when its time is over.
    app.store.add_picture(tenant, row).await.map_err(|error| {
        tracing::warn!(%tenant, %error, "a picture was not recorded");
        Refusal::Unavailable
    })?;
    place.put(tenant, id, picture.bytes).await.map_err(|error| {
        tracing::warn!(%tenant, %error, "a picture was not kept");
        Refusal::Unavailable
    })?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id }))).into_response())
}

/// A few at one time: each takes a core and up to a quarter of a gigabyte.
async fn rewritten(app: &App, bytes: axum::body::Bytes) -> Result<Picture, Refusal> {
    let _permit = app.decoders.acquire().await.map_err(|_| Refusal::Unavailable)?;
    let cleaned = tokio::task::spawn_blocking(move || clean(&bytes)).await;
    cleaned.map_err(|_| Refusal::Picture(konstruct_media::Refused::Damaged))?.map_err(Refusal::Picture)
}
