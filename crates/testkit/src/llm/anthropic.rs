//! Anthropic's Messages API: its rules and its answers.

use axum::http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::refusal::{Refusal, known_fields};
use super::server::Events;
use super::{Answer, MODEL, State, pieces, words};

const FIELDS: [&str; 15] = [
    "container",
    "max_tokens",
    "mcp_servers",
    "messages",
    "metadata",
    "model",
    "service_tier",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_p",
];

pub(super) fn authenticate(state: &State, headers: &HeaderMap) -> Result<(), Refusal> {
    let refuse = |message: &str| Err(Refusal::new(401, "authentication_error", message));
    let Some(key) = headers.get("x-api-key") else { return refuse("x-api-key header is required") };
    if state.key.is_some_and(|expected| key.as_bytes() != expected.as_bytes()) {
        return refuse("invalid x-api-key");
    }
    match headers.get("anthropic-version").map(HeaderValue::as_bytes) {
        Some(b"2023-06-01") => Ok(()),
        Some(_) => Err(Refusal::invalid("anthropic-version: unknown version")),
        None => Err(Refusal::invalid("anthropic-version: header is required")),
    }
}

pub(super) fn validate(body: &Value) -> Result<(), Refusal> {
    known_fields(body, &FIELDS, "{}: Extra inputs are not permitted")?;
    let model = body["model"].as_str().ok_or_else(|| Refusal::invalid("model: Field required"))?;
    if model != MODEL {
        return Err(Refusal::new(404, "not_found_error", format!("model: {model}")));
    }
    match body["max_tokens"].as_u64() {
        Some(1..) => {}
        Some(0) => return Err(Refusal::invalid("max_tokens: Input should be greater than or equal to 1")),
        None => return Err(Refusal::invalid("max_tokens: Field required")),
    }
    if let Some(temperature) = body.get("temperature")
        && !temperature.as_f64().is_some_and(|value| (0.0..=1.0).contains(&value))
    {
        return Err(Refusal::invalid("temperature: range: 0..1"));
    }
    if body.get("system").is_some_and(|system| system.as_str().is_none_or(str::is_empty)) {
        return Err(Refusal::invalid("system: text content blocks must be non-empty"));
    }
    validate_messages(&body["messages"])
}

fn validate_messages(messages: &Value) -> Result<(), Refusal> {
    let messages = messages.as_array().ok_or_else(|| Refusal::invalid("messages: Field required"))?;
    if messages.is_empty() {
        return Err(Refusal::invalid("messages: at least one message is required"));
    }
    let mut open_calls: Vec<String> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let expected = if index % 2 == 0 { "user" } else { "assistant" };
        match message["role"].as_str() {
            Some("user" | "assistant") if message["role"] == expected => {}
            Some("user" | "assistant") if index == 0 => {
                return Err(Refusal::invalid("messages: first message must use the \"user\" role"));
            }
            Some("user" | "assistant") => {
                return Err(Refusal::invalid(
                    "messages: roles must alternate between \"user\" and \"assistant\", but found multiple in a row",
                ));
            }
            Some(role) => {
                return Err(Refusal::invalid(format!(
                    "messages: Unexpected role \"{role}\". The Messages API accepts a top-level `system` parameter, \
                     not \"system\" as an input message role."
                )));
            }
            None => return Err(Refusal::invalid(format!("messages.{index}.role: Field required"))),
        }
        open_calls = validate_blocks(index, &message["content"], &open_calls)?;
    }
    Ok(())
}

/// Checks the content of a message against the tool calls that wait for a result; returns the calls it makes.
fn validate_blocks(index: usize, content: &Value, waiting: &[String]) -> Result<Vec<String>, Refusal> {
    let text = |text: &Value| match text.as_str() {
        Some(text) if !text.trim().is_empty() => Ok(()),
        _ => Err(Refusal::invalid(format!(
            "messages.{index}: text content blocks must contain non-whitespace text"
        ))),
    };
    let Some(blocks) = content.as_array() else { return text(content).map(|()| Vec::new()) };
    if blocks.is_empty() {
        return Err(Refusal::invalid(format!("messages.{index}: content must be non-empty")));
    }
    let (mut calls, mut results) = (Vec::new(), Vec::new());
    for block in blocks {
        let id = |field: &str| block[field].as_str().unwrap_or_default().to_owned();
        match block["type"].as_str() {
            Some("text") => text(&block["text"])?,
            Some("tool_use") if block["input"].is_object() => calls.push(id("id")),
            Some("tool_result") => results.push(id("tool_use_id")),
            _ => {
                return Err(Refusal::invalid(format!(
                    "messages.{index}: Input tag does not match the expected tags"
                )));
            }
        }
    }
    if let Some(orphan) = results.iter().find(|id| !waiting.contains(id)) {
        return Err(Refusal::invalid(format!(
            "unexpected `tool_use_id` found in `tool_result` blocks: {orphan}"
        )));
    }
    if let Some(unanswered) = waiting.iter().find(|id| !results.contains(id)) {
        return Err(Refusal::invalid(format!(
            "`tool_use` ids were found without `tool_result` blocks immediately after: {unanswered}"
        )));
    }
    Ok(calls)
}

fn content(answer: &Answer) -> (Value, &'static str, usize) {
    match answer {
        Answer::Text(text) => (json!({"type": "text", "text": text}), "end_turn", words(text)),
        Answer::ToolCall { name, arguments } => (
            json!({"type": "tool_use", "id": "toolu_double", "name": name, "input": arguments}),
            "tool_use",
            9,
        ),
    }
}

fn input_tokens(body: &Value) -> usize {
    words(&body["messages"].to_string())
}

pub(super) fn whole(body: &Value, answer: &Answer) -> Value {
    let (block, stop_reason, output_tokens) = content(answer);
    json!({
        "id": "msg_double", "type": "message", "role": "assistant", "model": body["model"],
        "content": [block], "stop_reason": stop_reason, "stop_sequence": null,
        "usage": {"input_tokens": input_tokens(body), "output_tokens": output_tokens},
    })
}

pub(super) fn events(body: &Value, answer: &Answer) -> Events {
    let (block, stop_reason, output_tokens) = content(answer);
    let (empty, deltas) = match answer {
        Answer::Text(text) => {
            let delta = |piece: String| json!({"type": "text_delta", "text": piece});
            (json!({"type": "text", "text": ""}), pieces(text).into_iter().map(delta).collect::<Vec<_>>())
        }
        Answer::ToolCall { name, arguments } => {
            let delta = |piece: String| json!({"type": "input_json_delta", "partial_json": piece});
            let empty = json!({"type": "tool_use", "id": block["id"], "name": name, "input": {}});
            (empty, pieces(&arguments.to_string()).into_iter().map(delta).collect())
        }
    };
    let message = json!({
        "id": "msg_double", "type": "message", "role": "assistant", "model": body["model"], "content": [],
        "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": input_tokens(body), "cache_creation_input_tokens": 0,
                  "cache_read_input_tokens": 0, "output_tokens": 1},
    });
    let delta = |delta: Value| json!({"type": "content_block_delta", "index": 0, "delta": delta});
    Events {
        before: vec![
            event(&json!({"type": "message_start", "message": message})),
            event(&json!({"type": "content_block_start", "index": 0, "content_block": empty})),
            event(&json!({"type": "ping"})),
        ],
        pieces: deltas.into_iter().map(|piece| event(&delta(piece))).collect(),
        after: vec![
            event(&json!({"type": "content_block_stop", "index": 0})),
            event(&json!({
                "type": "message_delta", "delta": {"stop_reason": stop_reason, "stop_sequence": null},
                "usage": {"output_tokens": output_tokens},
            })),
            event(&json!({"type": "message_stop"})),
        ],
    }
}

/// The name of an event and its `type` always agree.
fn event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())
}
