//! Talks to language models, whoever serves them.
//!
//! A [`ChatRequest`] has the shape of OpenAI's Chat Completions, reduced to what we serve; every [`Provider`]
//! answers it with a stream of [`Chunk`]s. There is no second, unstreamed way to ask a provider: with one, the
//! limit on the wait for the first byte would be a limit on the whole answer, and a long answer of a healthy
//! provider would count as a failure. Who wants the answer in one piece calls [`collect`].
//!
//! Provider keys enter as `SecretString` and leave as a header marked sensitive, nowhere else. Errors and logs
//! carry statuses and our own words, never a body: bodies repeat what people wrote.

mod answer;
mod chat;
mod error;
mod http;
mod providers;
mod sse;
mod tokens;

pub use answer::{Chunk, ChunkStream, Completion, FinishReason, ToolCallDelta, Usage, collect};
pub use chat::{
    ChatRequest, Content, FunctionDefinition, Message, Part, StreamOptions, Tool, ToolCall, ToolChoice,
    ToolFunction, ToolMode, ToolName, ToolType,
};
pub use error::{Error, Rejection};
pub use http::{BuildClient, HttpClient};
pub use providers::{Call, DISCLAIMER, Invalid, Probe, Provider, RenderAs};
pub use tokens::estimate as estimate_tokens;
