//! From the events of a streamed message to chunks.

use async_stream::try_stream;
use futures::{Stream, StreamExt};
use serde::Deserialize;

use crate::answer::{Chunk, FinishReason, ToolCallDelta, Usage};
use crate::error::{Error, ErrorDetails};

/// What is read of the events. Anthropic adds events and kinds of content over time; unknown ones are skipped.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: MessageStart,
    },
    ContentBlockStart {
        content_block: ContentBlock,
    },
    ContentBlockDelta {
        delta: Delta,
    },
    MessageDelta {
        delta: MessageDelta,
        #[serde(default)]
        usage: WireUsage,
    },
    MessageStop,
    Error {
        error: ErrorDetails,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct MessageStart {
    #[serde(default)]
    usage: WireUsage,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ContentBlock {
    Text {
        #[serde(default)]
        text: String,
    },
    ToolUse {
        id: String,
        name: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Delta {
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: String },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct MessageDelta {
    stop_reason: Option<String>,
}

/// Counts so far; an event repeats only some of them.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the names on the wire")]
struct WireUsage {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

impl WireUsage {
    fn update(&mut self, newer: Self) -> Usage {
        self.input_tokens = newer.input_tokens.or(self.input_tokens);
        self.cache_creation_input_tokens =
            newer.cache_creation_input_tokens.or(self.cache_creation_input_tokens);
        self.cache_read_input_tokens = newer.cache_read_input_tokens.or(self.cache_read_input_tokens);
        self.output_tokens = newer.output_tokens.or(self.output_tokens);
        // `input_tokens` counts only what neither came from the cache nor went there.
        let input = [self.input_tokens, self.cache_creation_input_tokens, self.cache_read_input_tokens];
        Usage {
            input_tokens: input.into_iter().flatten().sum(),
            output_tokens: self.output_tokens.unwrap_or(0),
        }
    }
}

/// What the earlier events of the same message have said.
#[derive(Default)]
struct Progress {
    usage: WireUsage,
    tool_calls: usize,
    stopped: bool,
}

pub(super) fn chunks(
    events: impl Stream<Item = Result<String, Error>> + Send,
) -> impl Stream<Item = Result<Chunk, Error>> + Send {
    try_stream! {
        let mut events = Box::pin(events);
        let mut progress = Progress::default();
        while let Some(data) = events.next().await {
            for chunk in progress.read(&data?)? {
                yield chunk;
            }
            if progress.stopped {
                break;
            }
        }
        if !progress.stopped {
            Err(Error::Connect)?;
        }
    }
}

impl Progress {
    fn read(&mut self, data: &str) -> Result<Vec<Chunk>, Error> {
        let event = serde_json::from_str(data).map_err(|_| Error::Malformed("not a Messages event"))?;
        Ok(match event {
            Event::MessageStart { message } => vec![Chunk::Usage(self.usage.update(message.usage))],
            Event::ContentBlockStart { content_block } => self.begin(content_block).into_iter().collect(),
            Event::ContentBlockDelta { delta } => self.extend(delta).into_iter().collect(),
            Event::MessageDelta { delta, usage } => {
                let usage = Chunk::Usage(self.usage.update(usage));
                let finished =
                    delta.stop_reason.as_deref().map(|reason| Chunk::Finished(finish_reason(reason)));
                finished.into_iter().chain([usage]).collect()
            }
            Event::MessageStop => {
                self.stopped = true;
                Vec::new()
            }
            Event::Error { error } => return Err(Error::in_stream(&error)),
            Event::Other => Vec::new(),
        })
    }

    fn begin(&mut self, block: ContentBlock) -> Option<Chunk> {
        match block {
            ContentBlock::Text { text } => (!text.is_empty()).then_some(Chunk::Text(text)),
            ContentBlock::ToolUse { id, name } => {
                self.tool_calls += 1;
                Some(Chunk::ToolCall(ToolCallDelta {
                    index: self.tool_calls - 1,
                    id: Some(id),
                    name: Some(name),
                    arguments: String::new(),
                }))
            }
            ContentBlock::Other => None,
        }
    }

    /// Blocks do not overlap: arguments belong to the tool call that began last.
    fn extend(&self, delta: Delta) -> Option<Chunk> {
        match delta {
            Delta::Text { text } => (!text.is_empty()).then_some(Chunk::Text(text)),
            Delta::InputJson { partial_json } => Some(Chunk::ToolCall(ToolCallDelta {
                index: self.tool_calls.checked_sub(1)?,
                id: None,
                name: None,
                arguments: partial_json,
            })),
            Delta::Other => None,
        }
    }
}

fn finish_reason(reason: &str) -> FinishReason {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::ContentFilter,
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

    const START: &str = r#"{"type":"message_start","message":{"id":"m","usage":
        {"input_tokens":5,"cache_read_input_tokens":10,"cache_creation_input_tokens":null,"output_tokens":1}}}"#;
    const STOP: &str = r#"{"type":"message_stop"}"#;

    #[tokio::test]
    async fn text_and_usage_are_mapped_and_unknown_events_skipped() {
        let chunks = all(&[
            START,
            r#"{"type":"ping"}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hi"}}"#,
            r#"{"type":"content_block_stop","index":1}"#,
            r#"{"type":"brand_new_event"}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":7}}"#,
            STOP,
        ])
        .await;
        let expected = [
            Chunk::Usage(Usage { input_tokens: 15, output_tokens: 1 }),
            Chunk::Text("Hi".into()),
            Chunk::Finished(FinishReason::Length),
            Chunk::Usage(Usage { input_tokens: 15, output_tokens: 7 }),
        ];
        assert_eq!(chunks, expected.map(Ok));
    }

    #[tokio::test]
    async fn tool_calls_are_numbered_by_themselves() {
        let chunks = all(&[
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
            r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"b","name":"g","input":{}}}"#,
            STOP,
        ])
        .await;
        let delta = |index, id: Option<&str>, name: Option<&str>, arguments: &str| {
            Ok(Chunk::ToolCall(ToolCallDelta {
                index,
                id: id.map(str::to_owned),
                name: name.map(str::to_owned),
                arguments: arguments.to_owned(),
            }))
        };
        let expected = [
            delta(0, Some("a"), Some("f"), ""),
            delta(0, None, None, "{}"),
            delta(1, Some("b"), Some("g"), ""),
        ];
        assert_eq!(chunks, expected);
    }

    #[tokio::test]
    async fn errors_inside_and_an_early_end_are_errors() {
        let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        assert_eq!(all(&[START, overloaded]).await.last(), Some(&Err(Error::Status(529))));
        assert_eq!(all(&[START]).await.last(), Some(&Err(Error::Connect)));
        assert_eq!(all(&["[]"]).await, [Err(Error::Malformed("not a Messages event"))]);
    }
}
