//! HTTP: who calls, what, and what is to fail.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::messages::{self, Refusal};
use super::state::{Media, Number, State};
use crate::fault::CallFault;
use crate::form;

/// Types of documents, of which we send the first.
const DOCUMENTS: [&str; 3] = ["text/plain", "application/pdf", "application/msword"];

pub(super) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/{version}/{id}/messages", post(send))
        .route("/{version}/{id}/phone_numbers", get(phone_numbers))
        .route("/{version}/{id}/media", post(upload))
        .route("/{version}/{id}", get(media))
        .route("/files/{id}", get(file))
        .route("/_control/sent", get(sent))
        .fallback(|| async { refused(100, "Unsupported request") })
        .with_state(state)
}

async fn sent(Extract(state): Extract<Arc<State>>) -> Response {
    Json(state.lock().sent.clone()).into_response()
}

async fn send(
    Extract(state): Extract<Arc<State>>,
    Path((version, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = fault(&state, "messages");
    if fault == Some(CallFault::Hang) {
        let message: Value = serde_json::from_slice(&body).unwrap_or_default();
        state.lock().unheard.extend(message["text"]["body"].as_str().map(str::to_owned));
    }
    if let Some(answer) = before(fault.as_ref()).await {
        return answer;
    }
    if !is_version(&version) {
        return refused(2500, "Unknown path components");
    }
    let number = match authorised(&state, &headers, |number| number.phone_number_id == id) {
        Ok(number) => number,
        Err((code, message)) => return refused(code, message),
    };
    let Ok(message) = serde_json::from_slice::<Value>(&body) else {
        return refused(100, "Invalid parameter");
    };
    let answer = match messages::take(&mut state.lock(), &number, &message) {
        Ok(answer) => Json(answer).into_response(),
        Err((code, message)) => refused(code, message),
    };
    if fault == Some(CallFault::AcceptThenDrop) { broken() } else { answer }
}

async fn phone_numbers(
    Extract(state): Extract<Arc<State>>,
    Path((_, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let fault = fault(&state, "phone_numbers");
    if let Some(answer) = before(fault.as_ref()).await {
        return answer;
    }
    match authorised(&state, &headers, |number| number.waba_id == id) {
        Ok(number) => Json(json!({ "data": [{ "id": number.phone_number_id }] })).into_response(),
        Err((code, message)) => refused(code, message),
    }
}

/// A file of a type that may be sent as a document. What it is for is said by the message that names it.
async fn upload(
    Extract(state): Extract<Arc<State>>,
    Path((_, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = fault(&state, "upload");
    if let Some(answer) = before(fault.as_ref()).await {
        return answer;
    }
    let number = match authorised(&state, &headers, |number| number.phone_number_id == id) {
        Ok(number) => number,
        Err((code, message)) => return refused(code, message),
    };
    let form = form::read(&headers, &body).await.unwrap_or_default();
    let field = |name: &str| form.fields.get(name).map(String::as_str);
    let (Some("whatsapp"), Some(media_type), Some(file)) =
        (field("messaging_product"), field("type"), form.files.get("file"))
    else {
        return refused(100, "The parameters messaging_product, type and file are required.");
    };
    if file.bytes.is_empty() || file.media_type != media_type || !DOCUMENTS.contains(&media_type) {
        return refused(100, "Param file must be a file with one of the following types: text/plain, …");
    }
    let media = state.lock().add_media(Media::new(&number.phone_number_id, media_type, &file.bytes));
    let answer = Json(json!({ "id": media })).into_response();
    if fault == Some(CallFault::AcceptThenDrop) { broken() } else { answer }
}

async fn media(
    Extract(state): Extract<Arc<State>>,
    Path((_, id)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let fault = fault(&state, "media");
    if let Some(answer) = before(fault.as_ref()).await {
        return answer;
    }
    let number = match authorised(&state, &headers, |_| true) {
        Ok(number) => number,
        Err((code, message)) => return refused(code, message),
    };
    let state_now = state.lock();
    let owned =
        |of: &str| of == number.phone_number_id && query.get("phone_number_id").is_none_or(|id| id == of);
    let Some(media) = state_now.media.get(&id).filter(|media| owned(&media.phone_number_id)) else {
        return refused(100, "Object with this ID does not exist");
    };
    let digest = BASE64_STANDARD.encode(Sha256::digest(&media.bytes));
    Json(json!({
        "messaging_product": "whatsapp", "id": id, "mime_type": media.mime_type,
        "url": media.url.clone().unwrap_or_else(|| format!("{}/files/{id}", state.origin)),
        "sha256": media.sha256.clone().unwrap_or(digest),
        "file_size": media.file_size.unwrap_or(media.bytes.len() as u64),
    }))
    .into_response()
}

async fn file(Extract(state): Extract<Arc<State>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let fault = fault(&state, "files");
    if let Some(answer) = before(fault.as_ref()).await {
        return answer;
    }
    if let Err((code, message)) = authorised(&state, &headers, |_| true) {
        return refused(code, message);
    }
    match state.lock().media.get(&id) {
        Some(Media { redirect: Some(to), .. }) => {
            (StatusCode::FOUND, [(header::LOCATION, to.clone())]).into_response()
        }
        Some(media) => {
            ([(header::CONTENT_TYPE, media.mime_type.clone())], media.bytes.clone()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn fault(state: &State, method: &str) -> Option<CallFault> {
    let mut state = state.lock();
    state.calls.push(method.to_owned());
    state.faults.next(method)
}

/// The answer of a call that fails before anything is done.
async fn before(fault: Option<&CallFault>) -> Option<Response> {
    match fault? {
        CallFault::RateLimited { .. } => Some(refused(130_429, "Rate limit hit")),
        CallFault::Status(code) => {
            Some(StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response())
        }
        CallFault::Error(code) => Some(refused(*code, "injected")),
        CallFault::Hang => std::future::pending().await,
        CallFault::AcceptThenDrop => None,
    }
}

/// The number that the token is for, if the call is about it.
fn authorised(
    state: &State,
    headers: &HeaderMap,
    is_it: impl Fn(&Number) -> bool,
) -> Result<Number, Refusal> {
    let bearer =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let state = state.lock();
    let of_token = |number: &&Number| Some(number.access_token.as_str()) == bearer;
    if !state.numbers.iter().any(|number| of_token(&number)) {
        return Err((190, "Invalid OAuth access token"));
    }
    let wanted = state.numbers.iter().filter(of_token).find(|number| is_it(number));
    let missing = (100, "Object does not exist, cannot be loaded due to missing permissions");
    wanted.cloned().ok_or(missing)
}

fn is_version(text: &str) -> bool {
    text.strip_prefix('v').is_some_and(|number| number.parse::<f32>().is_ok())
}

pub(super) fn refused(code: i64, message: &str) -> Response {
    let status = match code {
        190 => StatusCode::UNAUTHORIZED,
        131_000 | 131_016 => StatusCode::INTERNAL_SERVER_ERROR,
        4 | 80007 | 130_429 => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::BAD_REQUEST,
    };
    let error = json!({ "message": format!("(#{code}) {message}"), "type": "OAuthException", "code": code,
        "error_data": { "messaging_product": "whatsapp", "details": message }, "fbtrace_id": "A" });
    (status, Json(json!({ "error": error }))).into_response()
}

/// An answer that breaks off: the caller sees a status and never a body.
fn broken() -> Response {
    let chunks = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("the connection broke"))]);
    Body::from_stream(chunks).into_response()
}
