//! What calls are given: JSON or a form, in which everything is text.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::state::Workspace;

/// Arguments of a call, whichever way they came.
pub(super) type Arguments = Map<String, Value>;

/// The code of a refusal.
pub(super) type Refusal = &'static str;

const TEXT_MAX: usize = 40_000;
pub(super) const MARKDOWN_MAX: usize = 12_000;
const BLOCKS_MAX: usize = 50;
const METADATA_BYTES_MAX: usize = 16_000;

/// What a message says.
pub(super) struct Content {
    pub text: String,
    pub markdown: Option<String>,
    pub metadata: Option<Value>,
    /// Titles and values.
    pub buttons: Vec<(String, String)>,
}

impl Content {
    pub(super) fn of(arguments: &Arguments) -> Result<Self, Refusal> {
        let blocks = blocks(arguments)?;
        let given = string(arguments, "markdown_text");
        if given.is_some() && (string(arguments, "text").is_some() || !blocks.is_empty()) {
            return Err("markdown_text_conflict");
        }
        let markdown = given.map(str::to_owned).or_else(|| markdown_of(&blocks));
        let text = string(arguments, "text").or(markdown.as_deref()).ok_or("no_text")?;
        if text.chars().count() > TEXT_MAX {
            return Err("msg_too_long");
        }
        if markdown.as_ref().is_some_and(|markdown| markdown.chars().count() > MARKDOWN_MAX) {
            return Err(if blocks.is_empty() { "msg_too_long" } else { "msg_blocks_too_long" });
        }
        let buttons = buttons(&blocks)?;
        Ok(Self { text: text.to_owned(), markdown, metadata: metadata(arguments)?, buttons })
    }
}

/// Given as a list or, in a form, as its JSON.
fn blocks(arguments: &Arguments) -> Result<Vec<Value>, Refusal> {
    let blocks: Vec<Value> = match arguments.get("blocks") {
        None => Vec::new(),
        Some(Value::String(text)) => serde_json::from_str(text).map_err(|_| "invalid_blocks_format")?,
        Some(Value::Array(blocks)) => blocks.clone(),
        Some(_) => return Err("invalid_blocks_format"),
    };
    let valid = |block: &Value| match block["type"].as_str() {
        Some("markdown") => block["text"].as_str().is_some_and(|text| !text.is_empty()),
        Some("section" | "divider" | "header" | "context" | "actions" | "image" | "rich_text") => true,
        _ => false,
    };
    if blocks.len() > BLOCKS_MAX || !blocks.iter().all(valid) { Err("invalid_blocks") } else { Ok(blocks) }
}

/// Of blocks of actions: up to 25 in each, every one with a title and an action of its own.
fn buttons(blocks: &[Value]) -> Result<Vec<(String, String)>, Refusal> {
    let mut buttons = Vec::new();
    for block in blocks.iter().filter(|block| block["type"] == "actions") {
        let elements = block["elements"].as_array().map_or(&[][..], Vec::as_slice);
        let mut actions = BTreeSet::new();
        for button in elements.iter().filter(|element| element["type"] == "button") {
            let title =
                button["text"]["text"].as_str().filter(|title| (1..=75).contains(&title.chars().count()));
            let value = button["value"].as_str().unwrap_or_default();
            let (Some(title), Some(action)) = (title, button["action_id"].as_str()) else {
                return Err("invalid_blocks");
            };
            if button["text"]["type"] != "plain_text" || value.len() > 2_000 || !actions.insert(action) {
                return Err("invalid_blocks");
            }
            buttons.push((title.to_owned(), value.to_owned()));
        }
        if elements.is_empty() || elements.len() > 25 {
            return Err("invalid_blocks");
        }
    }
    Ok(buttons)
}

/// The text of all Markdown blocks: their limit is for the message, not for each.
fn markdown_of(blocks: &[Value]) -> Option<String> {
    let texts: Vec<&str> = blocks
        .iter()
        .filter(|block| block["type"] == "markdown")
        .filter_map(|block| block["text"].as_str())
        .collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

/// Given as an object or, in a form, as its JSON.
pub(super) fn metadata(arguments: &Arguments) -> Result<Option<Value>, Refusal> {
    let metadata = match arguments.get("metadata") {
        None => return Ok(None),
        Some(Value::String(text)) => serde_json::from_str(text).map_err(|_| "invalid_metadata_format")?,
        Some(value) => value.clone(),
    };
    let named = metadata["event_type"].as_str().is_some_and(|name| !name.is_empty());
    if !named || !metadata["event_payload"].is_object() {
        return Err("invalid_metadata_format");
    }
    if metadata.to_string().len() > METADATA_BYTES_MAX {
        return Err("metadata_too_large");
    }
    Ok(Some(metadata))
}

pub(super) fn channel<'a>(
    workspace: &Workspace,
    arguments: &'a Arguments,
    name: &str,
) -> Result<&'a str, Refusal> {
    let channel = string(arguments, name).ok_or("invalid_arguments")?;
    if workspace.channels.contains(channel) { Ok(channel) } else { Err("channel_not_found") }
}

pub(super) fn thread_ts(arguments: &Arguments) -> Result<Option<&str>, Refusal> {
    let thread_ts = string(arguments, "thread_ts");
    if thread_ts.is_none_or(is_ts) { Ok(thread_ts) } else { Err("invalid_thread_ts") }
}

pub(super) fn string<'a>(arguments: &'a Arguments, name: &str) -> Option<&'a str> {
    arguments.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// Given as a number or as its digits.
pub(super) fn number(arguments: &Arguments, name: &str) -> Result<Option<usize>, Refusal> {
    let Some(value) = arguments.get(name) else { return Ok(None) };
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok()).ok_or("invalid_arguments")?;
    usize::try_from(number).map(Some).map_err(|_| "invalid_arguments")
}

pub(super) fn is_true(arguments: &Arguments, name: &str) -> bool {
    matches!(arguments.get(name), Some(Value::Bool(true)))
        || string(arguments, name).is_some_and(|value| matches!(value, "true" | "1"))
}

fn is_ts(text: &str) -> bool {
    let digits =
        |text: &str, least: usize| text.len() >= least && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(seconds, micros)| digits(seconds, 1) && digits(micros, 6))
}
