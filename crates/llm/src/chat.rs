//! The request: OpenAI's Chat Completions, reduced to what we serve.
//!
//! A parameter that is not listed here is refused, not ignored: an answer that silently lacks what was asked for
//! is worse than an error.

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatRequest {
    pub model: String,
    pub messages: Vec<Message>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// OpenAI's newer name of `max_tokens`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Tool>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// How many answers. Clients send the default; another number is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamOptions {
    #[serde(default)]
    pub include_usage: bool,
}

/// Unknown fields of a message are ignored: clients send an assistant's message back with every field that the
/// answer had, most of them null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Message {
    /// `developer` is OpenAI's newer name of the same role.
    #[serde(alias = "developer")]
    System {
        content: Content,
    },
    User {
        content: Content,
    },
    Assistant {
        #[serde(default)]
        content: Option<Content>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tool_calls: Option<Vec<ToolCall>>,
    },
    Tool {
        tool_call_id: String,
        content: Content,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    Text { text: String },
    ImageUrl { image_url: ImageUrl },
}

/// `data:…`, or `media:` and the id of a picture of the tenant. Nothing is fetched from anywhere else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageUrl {
    pub url: String,
}

/// What a picture costs, in characters: about 1,500 tokens.
const PICTURE_CHARACTERS: usize = 6_000;

impl Part {
    pub fn text(text: &str) -> Self {
        Self::Text { text: text.to_owned() }
    }

    pub fn image(url: &str) -> Self {
        Self::ImageUrl { image_url: ImageUrl { url: url.to_owned() } }
    }

    fn picture(&self) -> Option<&str> {
        match self {
            Self::Text { .. } => None,
            Self::ImageUrl { image_url } => Some(&image_url.url),
        }
    }

    fn characters(&self) -> usize {
        match self {
            Self::Text { text } => text.chars().count(),
            Self::ImageUrl { .. } => PICTURE_CHARACTERS,
        }
    }
}

impl Content {
    /// The text of all parts, a line each.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Parts(parts) => {
                let texts = parts.iter().filter_map(|part| match part {
                    Part::Text { text } => Some(text.as_str()),
                    Part::ImageUrl { .. } => None,
                });
                texts.collect::<Vec<_>>().join("\n")
            }
        }
    }

    fn characters(&self) -> usize {
        match self {
            Self::Text(text) => text.chars().count(),
            Self::Parts(parts) => parts.iter().map(Part::characters).sum(),
        }
    }

    fn parts(&self) -> &[Part] {
        match self {
            Self::Text(_) => &[],
            Self::Parts(parts) => parts,
        }
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A tool that the model may call. Its schema is passed on as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Tool {
    Function { function: FunctionDefinition },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionDefinition {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
}

/// A call that the model asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: String,
    pub r#type: ToolType,
    pub function: ToolFunction,
}

impl ToolCall {
    pub const fn function(id: String, function: ToolFunction) -> Self {
        Self { id, r#type: ToolType::Function, function }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolType {
    Function,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolFunction {
    pub name: String,
    /// JSON as text, as the model wrote it: it may be anything.
    pub arguments: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ToolChoice {
    Mode(ToolMode),
    Named { r#type: ToolType, function: ToolName },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolMode {
    None,
    Auto,
    Required,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolName {
    pub name: String,
}

impl ChatRequest {
    /// Checks what the types cannot say. The text names the field and what to write instead.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.messages.is_empty() {
            return Err("messages is empty: send at least one message");
        }
        if self.max_output_tokens() == Some(0) {
            return Err("max_tokens is 0: ask for at least 1 or leave it out");
        }
        if self.temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
            return Err("temperature is out of range: choose 0 to 2");
        }
        if !self.pictures().iter().all(|url| url.starts_with("media:") || url.starts_with("data:image/")) {
            return Err("an image_url is neither data: nor media: and an id: send the picture itself");
        }
        if self.n.is_some_and(|n| n != 1) {
            return Err("n must be 1: ask several times for several answers");
        }
        Ok(())
    }

    pub fn max_output_tokens(&self) -> Option<u32> {
        self.max_completion_tokens.or(self.max_tokens)
    }

    /// What the person wrote last.
    pub fn last_user_text(&self) -> Option<String> {
        self.messages.iter().rev().find_map(|message| match message {
            Message::User { content } => Some(content.text()),
            _ => None,
        })
    }

    /// The addresses of all pictures. Only persons send them.
    pub fn pictures(&self) -> Vec<&str> {
        let parts = self.messages.iter().flat_map(|message| match message {
            Message::User { content } => content.parts(),
            _ => &[],
        });
        parts.filter_map(Part::picture).collect()
    }

    /// The same with something in the place of each picture.
    #[must_use]
    pub fn replace_pictures(&self, with: impl Fn(&str) -> Part) -> Self {
        let mut request = self.clone();
        for message in &mut request.messages {
            let Message::User { content: Content::Parts(parts) } = message else { continue };
            for part in parts {
                if let Part::ImageUrl { image_url } = part {
                    *part = with(&image_url.url);
                }
            }
        }
        request
    }

    /// Length of everything the model is given to read.
    pub fn characters(&self) -> usize {
        self.messages.iter().map(Message::characters).sum()
    }
}

impl Message {
    fn characters(&self) -> usize {
        match self {
            Self::System { content } | Self::User { content } | Self::Tool { content, .. } => {
                content.characters()
            }
            Self::Assistant { content, tool_calls } => {
                let calls = tool_calls.iter().flatten().map(|call| call.function.arguments.chars().count());
                content.as_ref().map_or(0, Content::characters) + calls.sum::<usize>()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(body: Value) -> Result<ChatRequest, serde_json::Error> {
        serde_json::from_value(body)
    }

    #[test]
    fn the_usual_shapes_of_content_are_understood() {
        let request = parse(json!({"model": "agent/ada", "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "name": "x"},
            {"role": "assistant", "content": null, "refusal": null, "audio": null,
             "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "42"},
        ], "tool_choice": "auto", "max_completion_tokens": 9}))
        .unwrap();
        assert_eq!(request.check(), Ok(()));
        assert_eq!(request.last_user_text().as_deref(), Some("a\nb"));
        assert_eq!(request.max_output_tokens(), Some(9));
        assert_eq!(request.characters(), 9 + 2 + 2 + 2);
    }

    #[test]
    fn what_we_do_not_serve_is_refused() {
        let messages = json!([{"role": "user", "content": "hi"}]);
        for bad in [
            json!({"model": "m", "messages": messages, "response_format": {"type": "json_object"}}),
            json!({"model": "m", "messages": [{"role": "oracle", "content": "hi"}]}),
            json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "audio"}]}]}),
            json!({"messages": messages}),
            json!({"model": "m", "messages": messages, "max_tokens": -1}),
        ] {
            assert!(parse(bad.clone()).is_err(), "{bad}");
        }
        for unfit in [
            json!({"model": "m", "messages": []}),
            json!({"model": "m", "messages": messages, "n": 2}),
            json!({"model": "m", "messages": messages, "temperature": 2.5}),
            json!({"model": "m", "messages": messages, "max_tokens": 0}),
        ] {
            assert!(parse(unfit.clone()).unwrap().check().is_err(), "{unfit}");
        }
    }
}
