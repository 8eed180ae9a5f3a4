//! OpenAI's Chat Completions API: its rules and its answers.

use axum::http::{HeaderMap, header};
use serde_json::{Value, json};

use super::refusal::{Refusal, known_fields};
use super::server::Events;
use super::{Answer, MODEL, State, pieces, words};

const FIELDS: [&str; 18] = [
    "frequency_penalty",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "n",
    "presence_penalty",
    "response_format",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_p",
    "user",
];

pub(super) fn authenticate(state: &State, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(key) = state.key else { return Ok(()) };
    let Some(sent) = headers.get(header::AUTHORIZATION) else {
        return Err(Refusal::new(401, "invalid_request_error", "You didn't provide an API key."));
    };
    if sent.as_bytes() == format!("Bearer {key}").as_bytes() {
        return Ok(());
    }
    let refusal = Refusal::new(401, "invalid_request_error", "Incorrect API key provided.");
    Err(refusal.with_code("invalid_api_key"))
}

pub(super) fn validate(body: &Value) -> Result<(), Refusal> {
    known_fields(body, &FIELDS, "Unrecognized request argument supplied: {}")?;
    let model =
        body["model"].as_str().ok_or_else(|| Refusal::invalid("you must provide a model parameter"))?;
    if model != MODEL {
        let message = format!("The model `{model}` does not exist or you do not have access to it.");
        return Err(Refusal::new(404, "invalid_request_error", message).with_code("model_not_found"));
    }
    if body.get("stream_options").is_some() && body["stream"] != json!(true) {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(Refusal::invalid(message));
    }
    if body.get("max_tokens").is_some() && body.get("max_completion_tokens").is_some() {
        let message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
        return Err(Refusal::invalid(message));
    }
    for field in ["max_tokens", "max_completion_tokens"] {
        if body.get(field).is_some_and(|value| value.as_u64().is_none_or(|count| count == 0)) {
            return Err(Refusal::invalid(format!("Invalid '{field}': integer below minimum value.")));
        }
    }
    if let Some(temperature) = body.get("temperature")
        && !temperature.as_f64().is_some_and(|value| (0.0..=2.0).contains(&value))
    {
        return Err(Refusal::invalid("Invalid 'temperature': decimal out of range."));
    }
    if body.get("tool_choice").is_some() && body.get("tools").is_none() {
        return Err(Refusal::invalid("'tool_choice' is only allowed when 'tools' are specified."));
    }
    validate_messages(&body["messages"])
}

fn validate_messages(messages: &Value) -> Result<(), Refusal> {
    let messages =
        messages.as_array().ok_or_else(|| Refusal::invalid("Missing required parameter: 'messages'."))?;
    if messages.is_empty() {
        return Err(Refusal::invalid("Invalid 'messages': empty array."));
    }
    let mut waiting: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let has_content = message["content"].is_string() || message["content"].is_array();
        match message["role"].as_str() {
            Some("tool") => {
                let id = message["tool_call_id"].as_str().unwrap_or_default();
                if !waiting.contains(&id) {
                    let rule = "messages with role 'tool' must be a response to a preceding message with 'tool_calls'";
                    return Err(Refusal::invalid(rule));
                }
                waiting.retain(|waiting| *waiting != id);
            }
            _ if !waiting.is_empty() => {
                let rule = "An assistant message with 'tool_calls' must be followed by tool messages";
                return Err(Refusal::invalid(rule));
            }
            Some("system" | "developer" | "user") if has_content => {}
            Some("assistant") if has_content || message["tool_calls"].is_array() => {
                let calls = message["tool_calls"].as_array().into_iter().flatten();
                waiting = calls.filter_map(|call| call["id"].as_str()).collect();
            }
            _ => return Err(Refusal::invalid(format!("Invalid value for 'messages[{index}]'."))),
        }
    }
    Ok(())
}

fn usage(body: &Value, answer: &Answer) -> Value {
    let (input, output) = (words(&body["messages"].to_string()), output_tokens(answer));
    json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output})
}

fn output_tokens(answer: &Answer) -> usize {
    match answer {
        Answer::Text(text) => words(text),
        Answer::ToolCall { .. } => 9,
    }
}

pub(super) fn whole(body: &Value, answer: &Answer) -> Value {
    let (message, finish_reason) = match answer {
        Answer::Text(text) => (json!({"role": "assistant", "content": text, "refusal": null}), "stop"),
        Answer::ToolCall { name, arguments } => {
            let function = json!({"name": name, "arguments": arguments.to_string()});
            let call = json!({"id": "call_double", "type": "function", "function": function});
            (json!({"role": "assistant", "content": null, "tool_calls": [call]}), "tool_calls")
        }
    };
    json!({
        "id": "chatcmpl-double", "object": "chat.completion", "created": 1_700_000_000, "model": body["model"],
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason}],
        "usage": usage(body, answer),
    })
}

pub(super) fn events(body: &Value, answer: &Answer) -> Events {
    let include_usage = body["stream_options"]["include_usage"] == json!(true);
    let chunk = |choices: Value, usage: Option<Value>| {
        let mut chunk = json!({
            "id": "chatcmpl-double", "object": "chat.completion.chunk", "created": 1_700_000_000,
            "model": body["model"], "choices": choices,
        });
        if include_usage {
            chunk["usage"] = usage.unwrap_or(Value::Null);
        }
        format!("data: {chunk}\n\n")
    };
    let choice = |delta: Value, finish_reason: Option<&str>| {
        chunk(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason}]), None)
    };
    let (first, deltas, finish_reason) = match answer {
        Answer::Text(text) => {
            let delta = |piece: String| json!({"content": piece});
            let deltas: Vec<Value> = pieces(text).into_iter().map(delta).collect();
            (json!({"role": "assistant", "content": ""}), deltas, "stop")
        }
        Answer::ToolCall { name, arguments } => {
            let call = |call: Value| json!({"tool_calls": [call]});
            let delta = |piece: String| call(json!({"index": 0, "function": {"arguments": piece}}));
            let deltas = pieces(&arguments.to_string()).into_iter().map(delta).collect();
            let function = json!({"name": name, "arguments": ""});
            let first =
                call(json!({"index": 0, "id": "call_double", "type": "function", "function": function}));
            (first, deltas, "tool_calls")
        }
    };
    let mut after = vec![choice(json!({}), Some(finish_reason))];
    if include_usage {
        after.push(chunk(json!([]), Some(usage(body, answer))));
    }
    after.push("data: [DONE]\n\n".to_owned());
    Events {
        before: vec![choice(first, None)],
        pieces: deltas.into_iter().map(|delta| choice(delta, None)).collect(),
        after,
    }
}
