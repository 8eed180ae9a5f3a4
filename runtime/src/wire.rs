//! The ai-gateway's API as far as a runtime uses it: OpenAI's Chat Completions shape, with our extension.

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    System,
    User,
    Assistant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) role: Role,
    pub(crate) content: String,
    /// By their ids: the ai-gateway has their bytes.
    pub(crate) pictures: Vec<Uuid>,
}

impl Message {
    pub(crate) fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), pictures: Vec::new() }
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut message = serializer.serialize_struct("Message", 2)?;
        message.serialize_field("role", &self.role)?;
        if self.pictures.is_empty() {
            message.serialize_field("content", &self.content)?;
        } else {
            let text = json!({"type": "text", "text": self.content});
            let picture =
                |id: &Uuid| json!({"type": "image_url", "image_url": {"url": format!("media:{id}")}});
            let parts: Vec<_> = [text].into_iter().chain(self.pictures.iter().map(picture)).collect();
            message.serialize_field("content", &parts)?;
        }
        message.end()
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Request<'a> {
    /// `agent/<name>`: the ai-gateway resolves the agent's chain of models.
    pub(crate) model: String,
    pub(crate) messages: &'a [Message],
    pub(crate) stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stream_options: Option<StreamOptions>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct StreamOptions {
    pub(crate) include_usage: bool,
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
