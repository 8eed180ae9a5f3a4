//! HTTP: who calls, which method, with which arguments, and what is to fail.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State as Extract};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use super::Fault;
use super::arguments::Arguments;
use super::state::{State, Workspace};
use super::{files, limits, methods, page, socket, uploads};

pub(super) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/api/{method}", get(call).post(call))
        .route("/link/", get(socket::link))
        .route("/files-pri/{id}/download/{name}", get(files::download))
        .route("/upload/v1/{id}/{secret}", post(uploads::take))
        .route("/_control/messages", get(messages))
        .route("/", get(show))
        .with_state(state)
}

async fn messages(Extract(state): Extract<Arc<State>>) -> Response {
    Json(state.lock().messages.clone()).into_response()
}

async fn show(Extract(state): Extract<Arc<State>>) -> Html<String> {
    Html(page::render(&state.lock().messages))
}

async fn call(
    Extract(state): Extract<Arc<State>>,
    verb: Method,
    Path(method): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = {
        let mut state = state.lock();
        state.calls.push(method.clone());
        state.faults.next(&method)
    };
    match fault {
        Some(Fault::RateLimited { seconds }) => return rate_limited(seconds),
        Some(Fault::Status(code)) => {
            return StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response();
        }
        Some(Fault::Error(error)) => return refused(error),
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::AcceptThenDrop) | None => {}
    }
    if method == limits::OPEN && verb != Method::POST {
        return refused("insecure_request");
    }
    let Some(mut arguments) = arguments(&query, &headers, &body) else { return refused("invalid_json") };
    let answer = match workspace(&state, &method, &headers, &mut arguments) {
        Ok(workspace) if state.lock().hanging.concerns(&workspace.team_id, &method) => hang(&state).await,
        Ok(workspace) => methods::call(&state, &workspace, &method, &arguments),
        Err(error) => refused(error),
    };
    if fault == Some(Fault::AcceptThenDrop) { broken() } else { answer }
}

/// Counts until the caller hangs up.
async fn hang(state: &State) -> Response {
    struct Counted<'a>(&'a State);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.lock().hanging.end();
        }
    }
    state.lock().hanging.begin();
    let _counted = Counted(state);
    std::future::pending().await
}

fn workspace(
    state: &State,
    method: &str,
    headers: &HeaderMap,
    arguments: &mut Arguments,
) -> Result<Workspace, &'static str> {
    let bearer =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let in_body = arguments.remove("token");
    let token = bearer.or_else(|| in_body.as_ref()?.as_str()).filter(|token| !token.is_empty());
    let token = token.ok_or("not_authed")?;
    let state = state.lock();
    let of = |own: fn(&Workspace) -> &str| state.workspaces.iter().find(|workspace| own(workspace) == token);
    let (as_bot, as_app) = (of(|workspace| &workspace.bot_token), of(|workspace| &workspace.app_token));
    match if method == limits::OPEN { (as_app, as_bot) } else { (as_bot, as_app) } {
        (Some(workspace), _) => Ok(workspace.clone()),
        (None, Some(_)) => Err("not_allowed_token_type"),
        (None, None) => Err("invalid_auth"),
    }
}

/// JSON, a form or a query. `None` when the body says that it is JSON and is not.
fn arguments(query: &HashMap<String, String>, headers: &HeaderMap, body: &Bytes) -> Option<Arguments> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let mut arguments: Arguments = query.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    if body.is_empty() {
        // The official client names a type even when it sends nothing.
        return Some(arguments);
    }
    if content_type.starts_with("application/json") {
        arguments.extend(serde_json::from_slice::<Arguments>(body).ok()?);
    } else if content_type.starts_with("application/x-www-form-urlencoded") {
        let form = std::str::from_utf8(body).ok()?;
        let url = reqwest::Url::parse(&format!("http://form/?{form}")).ok()?;
        arguments.extend(url.query_pairs().map(|(name, value)| (name.into_owned(), json!(value))));
    }
    Some(arguments)
}

pub(super) fn refused(error: &str) -> Response {
    Json(json!({ "ok": false, "error": error })).into_response()
}

pub(super) fn rate_limited(seconds: u64) -> Response {
    let body = Json(json!({ "ok": false, "error": "ratelimited" }));
    (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds.to_string())], body).into_response()
}

/// An answer that breaks off: the caller sees a status and never a body.
fn broken() -> Response {
    let chunks = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("the connection broke"))]);
    Body::from_stream(chunks).into_response()
}
