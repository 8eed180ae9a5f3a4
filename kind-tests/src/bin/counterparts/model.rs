//! A model that shows what reached it: it answers every chat completion with the system prompt and the last message.
//! What an agent's persona and instructions say is then part of the reply.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

pub(crate) fn router() -> Result<Router> {
    let key: Arc<str> = std::env::var("API_KEY").context("API_KEY must hold the key to accept")?.into();
    Ok(Router::new()
        .route("/v1/models", get(models))
        .route("/v1/chat/completions", post(complete))
        .with_state(key))
}

async fn models(State(key): State<Arc<str>>, headers: HeaderMap) -> Response {
    if !authorized(&key, &headers) {
        return refused();
    }
    Json(json!({"object": "list", "data": [{"id": "echo", "object": "model", "owned_by": "e2e"}]}))
        .into_response()
}

async fn complete(State(key): State<Arc<str>>, headers: HeaderMap, Json(request): Json<Value>) -> Response {
    if !authorized(&key, &headers) {
        return refused();
    }
    let text = format!("{}\n---\n{}", content_of(&request, "system"), content_of(&request, "user"));
    let usage = json!({"prompt_tokens": text.len() / 4, "completion_tokens": text.len() / 4, "total_tokens": text.len() / 2});
    if request["stream"] == true {
        let chunk = json!({"id": "e2e", "object": "chat.completion.chunk", "created": 0, "model": request["model"],
            "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": "stop"}], "usage": usage});
        let events = [chunk.to_string(), "[DONE]".to_owned()]
            .map(|data| Ok::<_, Infallible>(Event::default().data(data)));
        return Sse::new(futures::stream::iter(events)).into_response();
    }
    Json(json!({"id": "e2e", "object": "chat.completion", "created": 0, "model": request["model"],
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}], "usage": usage}))
    .into_response()
}

fn authorized(key: &str, headers: &HeaderMap) -> bool {
    headers.get("authorization").and_then(|value| value.to_str().ok()) == Some(&format!("Bearer {key}"))
}

fn refused() -> Response {
    let error = json!({"error": {"message": "Incorrect API key provided", "type": "invalid_request_error", "code": "invalid_api_key"}});
    (StatusCode::UNAUTHORIZED, Json(error)).into_response()
}

/// The last message of a role: a text, or a list of parts with texts.
fn content_of(request: &Value, role: &str) -> String {
    let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(message) = messages.iter().rfind(|message| message["role"] == role) else {
        return String::new();
    };
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}
