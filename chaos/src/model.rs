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
    let mut asked: Vec<&str> = asked.filter_map(|message| message["content"].as_str()).collect();
    asked.reverse();
    let tokens: Vec<String> =
        asked.into_iter().flat_map(Token::all_in).map(|token| token.to_string()).collect();
    Json(json!({
        "model": "repeating", "choices": [{ "message": { "content": format!("re {}", tokens.join(" ")) } }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 1 }, "konstruct": { "provider": "chaos" },
    }))
    .into_response()
}
