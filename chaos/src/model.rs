//! The ai-gateway's place: a model that repeats the tokens of the messages it has to answer, takes a moment, and is out
//! of order now and then.

use std::time::Duration;

use anyhow::Result;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::check::Token;
use crate::files;

/// Share of the calls that are refused; each is tried again.
const FAILING: f64 = 0.02;

/// Returns its address.
pub(crate) async fn serve() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = Router::new().route("/v1/chat/completions", post(complete));
    tokio::spawn(axum::serve(listener, router).into_future());
    Ok(format!("http://{address}"))
}

async fn complete(body: Bytes) -> Response {
    let Ok(request) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Some(messages) = request["messages"].as_array() else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    tokio::time::sleep(Duration::from_millis(rand::random_range(5..60))).await;
    if rand::random_bool(FAILING) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let asked = messages.iter().rev().take_while(|message| message["role"] == "user");
    let mut asked: Vec<&str> = asked.filter_map(|message| words(&message["content"])).collect();
    asked.reverse();
    let tokens: Vec<Token> = asked.into_iter().flat_map(Token::all_in).collect();
    Json(json!({
        "model": "repeating", "choices": [{ "message": { "content": files::answer(&tokens) } }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 1 }, "konstruct": { "provider": "chaos" },
    }))
    .into_response()
}

/// What is said beside pictures, which are seen.
fn words(content: &Value) -> Option<&str> {
    let parts = content.as_array().map_or(&[][..], Vec::as_slice);
    for picture in parts.iter().filter_map(|part| part["image_url"]["url"].as_str()?.strip_prefix("media:")) {
        files::shown(picture);
    }
    content.as_str().or_else(|| parts.iter().find_map(|part| part["text"].as_str()))
}
