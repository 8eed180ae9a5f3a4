//! From a chat request to a Messages request.
//!
//! Anthropic wants the system prompt apart, the first message from the user, roles that alternate, no empty text,
//! and the results of tools in a user's message.

use serde::Serialize;
use serde_json::{Value, json};

use crate::chat::{Content, Message, Part, Tool, ToolCall, ToolChoice, ToolMode};
use crate::error::Error;
use crate::providers::Call;

/// Stands before a conversation whose window begins with the employee's own words.
const EARLIER: &str = "(The conversation began earlier.)";

#[derive(Debug, Serialize)]
pub(super) struct Request<'a> {
    model: &'a str,
    max_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<String>,
    messages: Vec<Turn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    stream: bool,
}

#[derive(Debug, Serialize)]
struct Turn {
    role: Role,
    content: Vec<Block>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Role {
    User,
    Assistant,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text { text: String },
    Image { source: Source },
    ToolUse { id: String, name: String, input: Value },
    ToolResult { tool_use_id: String, content: String },
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Source {
    Base64 { media_type: String, data: String },
}

pub(super) fn build(call: Call<'_>) -> Result<Request<'_>, Error> {
    let messages = turns(&call.request.messages)?;
    if messages.is_empty() {
        return Err(Error::Request("no message has text: send at least one message of a user"));
    }
    Ok(Request {
        model: call.model,
        max_tokens: call.max_output_tokens,
        system: system(&call.request.messages),
        messages,
        // OpenAI's scale ends at 2, Anthropic's at 1.
        temperature: call.temperature.map(|temperature| temperature.min(1.0)),
        tools: call.request.tools.as_ref().map(|tools| tools.iter().map(tool).collect()),
        tool_choice: call.request.tool_choice.as_ref().map(tool_choice),
        stream: true,
    })
}

fn system(messages: &[Message]) -> Option<String> {
    let texts: Vec<String> = messages
        .iter()
        .filter_map(|message| match message {
            Message::System { content } => Some(content.text()).filter(|text| !text.trim().is_empty()),
            _ => None,
        })
        .collect();
    (!texts.is_empty()).then(|| texts.join("\n\n"))
}

fn turns(messages: &[Message]) -> Result<Vec<Turn>, Error> {
    let mut turns: Vec<Turn> = Vec::new();
    for message in messages {
        let (role, blocks) = match message {
            Message::System { .. } => continue,
            Message::User { content } => (Role::User, seen(content)?),
            Message::Tool { tool_call_id, content } => (
                Role::User,
                vec![Block::ToolResult { tool_use_id: tool_call_id.clone(), content: content.text() }],
            ),
            Message::Assistant { content, tool_calls } => {
                let mut blocks = content.as_ref().map(text).unwrap_or_default();
                for call in tool_calls.iter().flatten() {
                    blocks.push(tool_use(call)?);
                }
                (Role::Assistant, blocks)
            }
        };
        push(&mut turns, role, blocks);
    }
    Ok(turns)
}

/// Adds blocks to the last turn or begins a new one, so that roles alternate.
fn push(turns: &mut Vec<Turn>, role: Role, blocks: Vec<Block>) {
    if blocks.is_empty() {
        return;
    }
    if turns.is_empty() && role == Role::Assistant {
        turns.push(Turn { role: Role::User, content: vec![Block::Text { text: EARLIER.to_owned() }] });
    }
    match turns.last_mut() {
        Some(last) if last.role == role => last.content.extend(blocks),
        _ => turns.push(Turn { role, content: blocks }),
    }
}

/// Text and pictures, in their order.
fn seen(content: &Content) -> Result<Vec<Block>, Error> {
    let Content::Parts(parts) = content else { return Ok(text(content)) };
    if !parts.iter().any(|part| matches!(part, Part::ImageUrl { .. })) {
        return Ok(text(content));
    }
    let block = |part: &Part| match part {
        Part::Text { text } if text.trim().is_empty() => None,
        Part::Text { text } => Some(Ok(Block::Text { text: text.clone() })),
        Part::ImageUrl { image_url } => Some(image(&image_url.url)),
    };
    parts.iter().filter_map(block).collect()
}

fn image(url: &str) -> Result<Block, Error> {
    let parts = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    let (media_type, data) =
        parts.ok_or(Error::Request("a picture is not there as base64: send it as data:image/…;base64,…"))?;
    Ok(Block::Image { source: Source::Base64 { media_type: media_type.to_owned(), data: data.to_owned() } })
}

fn text(content: &Content) -> Vec<Block> {
    let text = content.text();
    if text.trim().is_empty() { Vec::new() } else { vec![Block::Text { text }] }
}

fn tool_use(call: &ToolCall) -> Result<Block, Error> {
    let input: Value = serde_json::from_str(&call.function.arguments)
        .ok()
        .filter(Value::is_object)
        .ok_or(Error::Request("the arguments of a tool call in messages are not a JSON object: send one"))?;
    Ok(Block::ToolUse { id: call.id.clone(), name: call.function.name.clone(), input })
}

fn tool(Tool::Function { function }: &Tool) -> Value {
    let schema = function.parameters.clone().unwrap_or_else(|| json!({"type": "object"}));
    let mut tool = json!({"name": function.name, "input_schema": schema});
    if let Some(description) = &function.description {
        tool["description"] = json!(description);
    }
    tool
}

fn tool_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Mode(ToolMode::None) => json!({"type": "none"}),
        ToolChoice::Mode(ToolMode::Auto) => json!({"type": "auto"}),
        ToolChoice::Mode(ToolMode::Required) => json!({"type": "any"}),
        ToolChoice::Named { function, .. } => json!({"type": "tool", "name": function.name}),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::chat::ChatRequest;
    use crate::providers::RenderAs;

    fn built(request: Value) -> Result<Value, Error> {
        let request: ChatRequest = serde_json::from_value(request).unwrap();
        let call = Call {
            request: &request,
            model: "claude",
            max_output_tokens: 64,
            temperature: Some(1.5),
            wait: Duration::from_secs(1),
            render_as: RenderAs { name: "Ada", role: "" },
        };
        build(call).map(|request| serde_json::to_value(request).unwrap())
    }

    #[test]
    fn system_apart_roles_alternating_empty_text_gone() {
        let body = built(json!({"model": "m", "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "assistant", "content": "Hello!"},
            {"role": "user", "content": "One"},
            {"role": "user", "content": " "},
            {"role": "user", "content": "Two"},
            {"role": "system", "content": "Be kind."},
        ]}))
        .unwrap();
        let text = |text: &str| json!({"type": "text", "text": text});
        assert_eq!(
            body,
            json!({
                "model": "claude", "max_tokens": 64, "temperature": 1.0, "stream": true,
                "system": "Be brief.\n\nBe kind.",
                "messages": [
                    {"role": "user", "content": [text(EARLIER)]},
                    {"role": "assistant", "content": [text("Hello!")]},
                    {"role": "user", "content": [text("One"), text("Two")]},
                ],
            })
        );
    }

    #[test]
    fn tools_calls_and_results_are_translated() {
        let body = built(json!({"model": "m", "messages": [
            {"role": "user", "content": "Look."},
            {"role": "assistant", "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}},
                {"id": "b", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "a", "content": "1"},
            {"role": "tool", "tool_call_id": "b", "content": "2"},
        ], "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
           "tool_choice": {"type": "function", "function": {"name": "f"}}}))
        .unwrap();
        assert_eq!(body["messages"][1]["content"][0]["input"], json!({"x": 1}));
        assert_eq!(body["messages"][2]["content"][1]["tool_use_id"], "b");
        assert_eq!(body["messages"].as_array().unwrap().len(), 3);
        assert_eq!(body["tools"], json!([{"name": "f", "input_schema": {"type": "object"}}]));
        assert_eq!(body["tool_choice"], json!({"type": "tool", "name": "f"}));
    }

    #[test]
    fn pictures_stand_where_they_were_sent() {
        let picture = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
        let content =
            |url| json!([{"type": "text", "text": "This"}, picture(url), {"type": "text", "text": "here"}]);
        let ask = |url| built(json!({"model": "m", "messages": [{"role": "user", "content": content(url)}]}));
        let body = ask("data:image/png;base64,AAAA").unwrap();
        let source = json!({"type": "base64", "media_type": "image/png", "data": "AAAA"});
        assert_eq!(
            body["messages"][0]["content"],
            json!([{"type": "text", "text": "This"}, {"type": "image", "source": source}, {"type": "text", "text": "here"}])
        );
        assert!(matches!(ask("media:1"), Err(Error::Request(_))), "nobody has loaded it");
    }

    #[test]
    fn what_cannot_be_said_is_an_error_not_a_guess() {
        let broken = json!({"model": "m", "messages": [{"role": "assistant", "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}}]}]});
        assert!(matches!(built(broken), Err(Error::Request(_))));
        let silent = json!({"model": "m", "messages": [{"role": "user", "content": ""}]});
        assert!(matches!(built(silent), Err(Error::Request(_))));
    }
}
