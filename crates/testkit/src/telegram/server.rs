//! HTTP: which bot calls, which method, with which arguments, and what is to fail.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::methods::{self, Refusal};
use super::state::{Bot, State};
use crate::fault::CallFault;
use crate::form::{self, Form};

/// Telegram holds the question open for longer; a test need not wait so long.
const POLL: Duration = Duration::from_millis(200);

pub(super) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/{bot}/{method}", any(call))
        .route("/file/{bot}/documents/{id}", get(file))
        .route("/_control/sent", get(sent))
        .with_state(state)
}

async fn sent(Extract(state): Extract<Arc<State>>) -> Response {
    Json(state.lock().sent.clone()).into_response()
}

async fn call(
    Extract(state): Extract<Arc<State>>,
    Path((bot, method)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = {
        let mut state = state.lock();
        state.calls.push(method.clone());
        state.faults.next(&method)
    };
    match &fault {
        Some(CallFault::RateLimited { seconds }) => {
            let why = format!("Too Many Requests: retry after {seconds}");
            return refused(Refusal(429, why, json!({ "retry_after": seconds })));
        }
        Some(CallFault::Status(code)) => {
            return StatusCode::from_u16(*code).unwrap_or(StatusCode::BAD_GATEWAY).into_response();
        }
        Some(CallFault::Error(code)) => {
            return refused(Refusal(u16::try_from(*code).unwrap_or(400), "injected".to_owned(), Value::Null));
        }
        Some(CallFault::Hang) => std::future::pending().await,
        Some(CallFault::AcceptThenDrop) | None => {}
    }
    let Some(bot) = find(&state, &bot) else {
        return refused(Refusal(401, "Unauthorized".to_owned(), Value::Null));
    };
    let Some(mut arguments) = arguments(&query, &headers, &body) else {
        return refused(Refusal(400, "Bad Request: can't parse the request".to_owned(), Value::Null));
    };
    let form = if form::is_one(&headers) { form::read(&headers, &body).await } else { Some(Form::default()) };
    let Some(Form { fields, files }) = form else {
        return refused(Refusal(400, "Bad Request: can't parse the request".to_owned(), Value::Null));
    };
    arguments.extend(fields.into_iter().map(|(name, value)| (name, json!(value))));
    let mut answer = methods::call(&mut state.lock(), &bot, &method, &arguments, &files);
    if method == "getUpdates" && answer.as_ref().is_ok_and(|answer| answer == &json!([])) {
        tokio::time::sleep(POLL).await;
        answer = methods::call(&mut state.lock(), &bot, &method, &arguments, &files);
    }
    let answer = match answer {
        Ok(result) => Json(json!({ "ok": true, "result": result })).into_response(),
        Err(refusal) => refused(refusal),
    };
    if fault == Some(CallFault::AcceptThenDrop) { broken() } else { answer }
}

async fn file(Extract(state): Extract<Arc<State>>, Path((bot, id)): Path<(String, String)>) -> Response {
    if find(&state, &bot).is_none() {
        return StatusCode::NOT_FOUND.into_response();
    }
    match state.lock().files.get(&id) {
        Some(bytes) => bytes.clone().into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn find(state: &State, segment: &str) -> Option<Bot> {
    let token = segment.strip_prefix("bot")?;
    state.lock().bots.iter().find(|bot| bot.token == token).cloned()
}

/// JSON, a form or a query. `None` when the body says that it is JSON and is not.
fn arguments(
    query: &HashMap<String, String>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Option<Map<String, Value>> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let mut arguments: Map<String, Value> =
        query.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    if content_type.starts_with("application/json") && !body.is_empty() {
        arguments.extend(serde_json::from_slice::<Map<String, Value>>(body).ok()?);
    } else if content_type.starts_with("application/x-www-form-urlencoded") {
        let url = reqwest::Url::parse(&format!("http://form/?{}", std::str::from_utf8(body).ok()?)).ok()?;
        arguments.extend(url.query_pairs().map(|(name, value)| (name.into_owned(), json!(value))));
    }
    Some(arguments)
}

fn refused(Refusal(code, description, parameters): Refusal) -> Response {
    let mut body = json!({ "ok": false, "error_code": code, "description": description });
    if parameters.is_object() {
        body["parameters"] = parameters;
    }
    (StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST), Json(body)).into_response()
}

/// An answer that breaks off: the caller sees a status and never a body.
fn broken() -> Response {
    let chunks = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("the connection broke"))]);
    Body::from_stream(chunks).into_response()
}
