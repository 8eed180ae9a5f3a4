//! Pictures that visitors send: judged, written anew and kept, before the message that they belong to.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use konstruct_media::clean;
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
    let body = body::read(body)?;
    let picture = app.decoders.run(move || clean(&body)).await.map_err(Refusal::Picture)?;
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
