//! Answers in OpenAI's shape, with `konstruct`: which provider answered, in which revision.

use std::convert::Infallible;

use async_stream::stream;
use axum::Json;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use jiff::Timestamp;
use konstruct_llm::{Chunk, ChunkStream, Completion, ToolCallDelta, Usage, estimate_tokens};
use serde_json::{Value, json};
use uuid::Uuid;

use super::refusal::interrupted;
use crate::admission::Place;
use crate::chain::Answer;

/// What every part of one answer repeats.
pub(super) struct Heading {
    id: String,
    created: i64,
    model: String,
    konstruct: Value,
}

impl Heading {
    pub(super) fn of(answer: &Answer) -> Self {
        let provider = &answer.provider;
        Self {
            id: format!("chatcmpl-{}", Uuid::now_v7().simple()),
            created: Timestamp::now().as_second(),
            model: answer.model.clone(),
            konstruct: json!({"provider": provider.snapshot.name, "revision": provider.revision}),
        }
    }

    fn object(&self, object: &str, choices: &Value) -> Value {
        json!({
            "id": self.id, "object": object, "created": self.created, "model": self.model,
            "choices": choices, "konstruct": self.konstruct,
        })
    }

    fn chunk(&self, delta: &Value, finish_reason: &Value) -> Value {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason});
        self.object("chat.completion.chunk", &json!([choice]))
    }
}

/// The answer in one piece. Tokens that the provider did not count are estimated, as they are on record.
pub(super) fn whole(heading: &Heading, completion: Completion, input_characters: usize) -> Response {
    let usage = completion.usage.unwrap_or_else(|| Usage {
        input_tokens: estimate_tokens(input_characters),
        output_tokens: estimate_tokens(completion.text.chars().count()),
    });
    let content =
        (!completion.text.is_empty() || completion.tool_calls.is_empty()).then_some(completion.text);
    let mut message = json!({"role": "assistant", "content": content, "refusal": null});
    if !completion.tool_calls.is_empty() {
        message["tool_calls"] = json!(completion.tool_calls);
    }
    let choice =
        json!({"index": 0, "message": message, "logprobs": null, "finish_reason": completion.finish_reason});
    let mut body = heading.object("chat.completion", &json!([choice]));
    body["usage"] = usage_object(usage);
    Json(body).into_response()
}

/// The answer as it comes. `place` is given back when the last piece has been sent or the caller has hung up.
pub(super) fn stream(
    heading: Heading,
    chunks: ChunkStream,
    include_usage: bool,
    input_characters: usize,
    place: Place,
) -> Response {
    let events = stream! {
        // Dropped in the opposite order: what the call came to is metered before its place is given back.
        let _place = place;
        let mut chunks = chunks;
        let (mut usage, mut output_characters) = (None, 0);
        yield heading.chunk(&json!({"role": "assistant", "content": ""}), &Value::Null).to_string();
        while let Some(chunk) = chunks.next().await {
            match chunk {
                Ok(Chunk::Text(text)) => {
                    output_characters += text.chars().count();
                    yield heading.chunk(&json!({"content": text}), &Value::Null).to_string();
                }
                Ok(Chunk::ToolCall(delta)) => {
                    yield heading.chunk(&tool_call(&delta), &Value::Null).to_string();
                }
                Ok(Chunk::Finished(reason)) => yield heading.chunk(&json!({}), &json!(reason)).to_string(),
                Ok(Chunk::Usage(counted)) => usage = Some(counted),
                Err(error) => {
                    tracing::warn!(provider = %heading.konstruct["provider"], %error, "an answer broke off");
                    yield interrupted(&error).to_string();
                    return;
                }
            }
        }
        if include_usage {
            let usage = usage.unwrap_or_else(|| Usage {
                input_tokens: estimate_tokens(input_characters),
                output_tokens: estimate_tokens(output_characters),
            });
            let mut last = heading.object("chat.completion.chunk", &json!([]));
            last["usage"] = usage_object(usage);
            yield last.to_string();
        }
        yield "[DONE]".to_owned();
    };
    let events = events.map(|data| Ok::<_, Infallible>(Event::default().data(data)));
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

fn tool_call(delta: &ToolCallDelta) -> Value {
    let mut call = json!({"index": delta.index, "function": {"arguments": delta.arguments}});
    if let (Some(id), Some(name)) = (&delta.id, &delta.name) {
        call["id"] = json!(id);
        call["type"] = json!("function");
        call["function"]["name"] = json!(name);
    }
    json!({"tool_calls": [call]})
}

fn usage_object(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens.saturating_add(usage.output_tokens),
    })
}
