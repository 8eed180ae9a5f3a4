//! What a model answers, whoever serves it.

use std::pin::Pin;

use futures::{Stream, StreamExt};
use serde::{Deserialize, Serialize};

use crate::chat::{ToolCall, ToolFunction};
use crate::error::Error;

/// Longest answer that is put together in memory, in bytes. 32,768 output tokens, the most that an Agent can ask
/// for, are well below.
const ANSWER_MAX: usize = 1 << 20;

/// Most tool calls in one answer.
const TOOL_CALLS_MAX: usize = 128;

/// A piece of an answer, in the order in which the provider sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    Text(String),
    ToolCall(ToolCallDelta),
    /// Counts so far. They grow; the last ones are the bill.
    Usage(Usage),
    /// The model is done. Only `Usage` may follow.
    Finished(FinishReason),
}

impl Chunk {
    /// Whether this is part of what the model said, as opposed to what is said about it.
    pub const fn is_output(&self) -> bool {
        matches!(self, Self::Text(_) | Self::ToolCall(_))
    }
}

/// Ends after the last chunk of a complete answer; an answer that broke off ends with an error.
pub type ChunkStream = Pin<Box<dyn Stream<Item = Result<Chunk, Error>> + Send>>;

/// The first delta of a call has its id and name, the later ones pieces of its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCallDelta {
    /// Which of the answer's calls this belongs to, from 0.
    pub index: usize,
    pub id: Option<String>,
    pub name: Option<String>,
    pub arguments: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub input_tokens: u64,
    pub output_tokens: u64,
}

/// Why the model stopped, in OpenAI's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    Stop,
    Length,
    ToolCalls,
    ContentFilter,
}

/// An answer in one piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    pub text: String,
    pub tool_calls: Vec<ToolCall>,
    pub finish_reason: FinishReason,
    /// `None` when the provider did not count.
    pub usage: Option<Usage>,
}

/// Puts the chunks of an answer together.
pub async fn collect(mut chunks: ChunkStream) -> Result<Completion, Error> {
    let mut answer = Completion {
        text: String::new(),
        tool_calls: Vec::new(),
        finish_reason: FinishReason::Stop,
        usage: None,
    };
    let mut size = 0;
    while let Some(chunk) = chunks.next().await {
        match chunk? {
            Chunk::Text(text) => {
                size += text.len();
                answer.text.push_str(&text);
            }
            Chunk::ToolCall(delta) => {
                size += delta.arguments.len();
                append(&mut answer.tool_calls, delta)?;
            }
            Chunk::Usage(usage) => answer.usage = Some(usage),
            Chunk::Finished(reason) => answer.finish_reason = reason,
        }
        if size > ANSWER_MAX {
            return Err(Error::Malformed("an answer of more than 1 MiB"));
        }
    }
    for call in &mut answer.tool_calls {
        // Anthropic sends nothing for a call without arguments; readers expect JSON.
        if call.function.arguments.is_empty() {
            call.function.arguments.push_str("{}");
        }
    }
    Ok(answer)
}

fn append(calls: &mut Vec<ToolCall>, delta: ToolCallDelta) -> Result<(), Error> {
    if delta.index == calls.len() && calls.len() < TOOL_CALLS_MAX {
        let (Some(id), Some(name)) = (delta.id, delta.name) else {
            return Err(Error::Malformed("a tool call without id or name"));
        };
        calls.push(ToolCall::function(id, ToolFunction { name, arguments: delta.arguments }));
        return Ok(());
    }
    let call = calls.get_mut(delta.index).ok_or(Error::Malformed("tool calls out of order"))?;
    call.function.arguments.push_str(&delta.arguments);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(chunks: Vec<Result<Chunk, Error>>) -> ChunkStream {
        futures::stream::iter(chunks).boxed()
    }

    fn call(index: usize, id: Option<&str>, arguments: &str) -> Chunk {
        Chunk::ToolCall(ToolCallDelta {
            index,
            id: id.map(str::to_owned),
            name: id.map(|_| "look_up".to_owned()),
            arguments: arguments.to_owned(),
        })
    }

    #[tokio::test]
    async fn text_calls_and_the_last_usage_come_together() {
        let answer = collect(stream(vec![
            Ok(Chunk::Usage(Usage { input_tokens: 9, output_tokens: 1 })),
            Ok(Chunk::Text("Hel".into())),
            Ok(Chunk::Text("lo".into())),
            Ok(call(0, Some("c1"), "{\"a\"")),
            Ok(call(0, None, ":1}")),
            Ok(call(1, Some("c2"), "")),
            Ok(Chunk::Finished(FinishReason::ToolCalls)),
            Ok(Chunk::Usage(Usage { input_tokens: 9, output_tokens: 7 })),
        ]))
        .await
        .unwrap();
        assert_eq!(answer.text, "Hello");
        assert_eq!(answer.tool_calls[0].function.arguments, "{\"a\":1}");
        assert_eq!((&*answer.tool_calls[1].id, &*answer.tool_calls[1].function.arguments), ("c2", "{}"));
        assert_eq!(answer.finish_reason, FinishReason::ToolCalls);
        assert_eq!(answer.usage, Some(Usage { input_tokens: 9, output_tokens: 7 }));
    }

    #[tokio::test]
    async fn a_broken_or_boundless_answer_is_an_error() {
        assert_eq!(collect(stream(vec![Err(Error::Connect)])).await, Err(Error::Connect));
        assert!(collect(stream(vec![Ok(call(1, Some("c"), ""))])).await.is_err());
        assert!(collect(stream(vec![Ok(call(0, None, ""))])).await.is_err());
        let endless = vec![Ok(Chunk::Text("x".repeat(ANSWER_MAX))), Ok(Chunk::Text("x".into()))];
        assert!(collect(stream(endless)).await.is_err());
    }
}
