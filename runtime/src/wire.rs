//! The ai-gateway's API as far as a runtime uses it: OpenAI's Chat Completions shape, with our extension.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    System,
    User,
    Assistant,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Message {
    pub(crate) role: Role,
    pub(crate) content: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Request<'a> {
    /// `agent/<name>`: the ai-gateway resolves the agent's chain of models.
    pub(crate) model: String,
    pub(crate) messages: &'a [Message],
    pub(crate) stream: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Response {
    /// The model that answered.
    pub(crate) model: String,
    pub(crate) choices: Vec<Choice>,
    /// Absent when the provider does not report it.
    pub(crate) usage: Option<Usage>,
    pub(crate) konstruct: Extension,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Choice {
    pub(crate) message: Completion,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Completion {
    /// Null when the model said nothing.
    pub(crate) content: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Usage {
    pub(crate) prompt_tokens: i64,
    pub(crate) completion_tokens: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Extension {
    pub(crate) provider: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ErrorBody {
    pub(crate) error: ErrorDetail,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ErrorDetail {
    pub(crate) message: String,
    pub(crate) code: Option<String>,
    /// What the code needs said in fields.
    #[serde(default)]
    pub(crate) details: serde_json::Value,
}
