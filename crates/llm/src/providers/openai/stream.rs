//! From `chat.completion.chunk` objects to chunks.

use async_stream::try_stream;
use futures::{Stream, StreamExt};
use serde::Deserialize;

use crate::answer::{Chunk, FinishReason, ToolCallDelta, Usage};
use crate::error::{Error, ErrorDetails};

/// What is read of a chunk. Servers differ: `choices` may be null or missing beside `usage`, `usage` may be null
/// beside `choices`.
#[derive(Deserialize)]
struct WireChunk {
    #[serde(default)]
    choices: Option<Vec<Choice>>,
    #[serde(default)]
    usage: Option<WireUsage>,
    #[serde(default)]
    error: Option<ErrorDetails>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Option<Delta>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Delta {
    content: Option<String>,
    /// What the model says instead of `content` when it refuses.
    refusal: Option<String>,
    tool_calls: Option<Vec<WireToolCall>>,
}

#[derive(Deserialize)]
struct WireToolCall {
    #[serde(default)]
    index: usize,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: WireFunction,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireFunction {
    name: Option<String>,
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct WireUsage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

pub(super) fn chunks(
    events: impl Stream<Item = Result<String, Error>> + Send,
) -> impl Stream<Item = Result<Chunk, Error>> + Send {
    try_stream! {
        let mut events = Box::pin(events);
        let mut finished = false;
        while let Some(data) = events.next().await {
            let data = data?;
            if data == "[DONE]" {
                finished = true;
                break;
            }
            for chunk in read(&data)? {
                finished |= matches!(chunk, Chunk::Finished(_));
                yield chunk;
            }
        }
        // Some servers close without `[DONE]`; an answer without a reason to finish has been cut off.
        if !finished {
            Err(Error::Connect)?;
        }
    }
}

fn read(data: &str) -> Result<Vec<Chunk>, Error> {
    let chunk: WireChunk =
        serde_json::from_str(data).map_err(|_| Error::Malformed("not a chat.completion.chunk"))?;
    if let Some(error) = chunk.error {
        return Err(Error::in_stream(&error));
    }
    let mut chunks = Vec::new();
    for choice in chunk.choices.unwrap_or_default() {
        let delta = choice.delta.unwrap_or_default();
        let texts = [delta.content, delta.refusal].into_iter().flatten().filter(|text| !text.is_empty());
        chunks.extend(texts.map(Chunk::Text));
        chunks.extend(delta.tool_calls.into_iter().flatten().map(tool_call));
        chunks.extend(choice.finish_reason.as_deref().map(|reason| Chunk::Finished(finish_reason(reason))));
    }
    chunks.extend(chunk.usage.map(|usage| {
        Chunk::Usage(Usage { input_tokens: usage.prompt_tokens, output_tokens: usage.completion_tokens })
    }));
    Ok(chunks)
}

fn tool_call(call: WireToolCall) -> Chunk {
    Chunk::ToolCall(ToolCallDelta {
        index: call.index,
        id: call.id,
        name: call.function.name,
        arguments: call.function.arguments.unwrap_or_default(),
    })
}

fn finish_reason(reason: &str) -> FinishReason {
    match reason {
        "length" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        _ => FinishReason::Stop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(events: &[&str]) -> Vec<Result<Chunk, Error>> {
        let events: Vec<Result<String, Error>> = events.iter().map(|data| Ok((*data).to_owned())).collect();
        chunks(futures::stream::iter(events)).collect().await
    }

    #[tokio::test]
    async fn text_finish_and_usage_in_the_shapes_that_servers_use() {
        let chunks = all(&[
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"Hi"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}"#,
            r#"{"choices":null,"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#,
            "[DONE]",
        ])
        .await;
        let expected = [
            Chunk::Text("Hi".into()),
            Chunk::Finished(FinishReason::Length),
            Chunk::Usage(Usage { input_tokens: 3, output_tokens: 1 }),
        ];
        assert_eq!(chunks, expected.map(Ok));
    }

    #[tokio::test]
    async fn a_stream_that_stops_without_a_reason_is_broken() {
        let text = r#"{"choices":[{"delta":{"content":"Hi"}}]}"#;
        assert_eq!(all(&[text]).await.last(), Some(&Err(Error::Connect)));
        assert_eq!(all(&[]).await, [Err(Error::Connect)]);
        let finished = r#"{"choices":[{"finish_reason":"stop"}]}"#;
        assert_eq!(all(&[finished]).await, [Ok(Chunk::Finished(FinishReason::Stop))]);
    }

    #[tokio::test]
    async fn an_error_object_or_nonsense_ends_it() {
        let error = r#"{"error":{"message":"x","type":"server_error","code":503}}"#;
        assert_eq!(all(&[error]).await, [Err(Error::Status(503))]);
        assert_eq!(all(&["{"]).await, [Err(Error::Malformed("not a chat.completion.chunk"))]);
    }
}
