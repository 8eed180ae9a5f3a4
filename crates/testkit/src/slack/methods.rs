//! The methods, as strict as Slack's pages describe them.

use std::time::{Duration, Instant};

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::files;
use super::server::{Arguments, rate_limited, refused};
use super::state::{Inner, Message, State, Workspace, next_ts};

const TEXT_MAX: usize = 40_000;
const MARKDOWN_MAX: usize = 12_000;
const BLOCKS_MAX: usize = 50;
const METADATA_BYTES_MAX: usize = 16_000;
const PAGE_MAX: usize = 1000;

pub(super) fn call(state: &State, workspace: &Workspace, method: &str, arguments: &Arguments) -> Response {
    let answer = match method {
        "auth.test" => Ok(auth_test(workspace)),
        "chat.postMessage" => {
            if let Some(seconds) = over_rate(&mut state.lock(), workspace, arguments) {
                return rate_limited(seconds);
            }
            post_message(state, workspace, arguments)
        }
        "files.info" => files::info(&state.lock(), workspace, string(arguments, "file").unwrap_or_default()),
        "conversations.replies" => replies(&state.lock(), workspace, arguments),
        _ => Err("unknown_method"),
    };
    match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => refused(error),
    }
}

fn auth_test(workspace: &Workspace) -> Value {
    json!({
        "ok": true, "url": "https://double.slack.example/", "team": "Double", "user": "konstruct",
        "team_id": workspace.team_id, "enterprise_id": workspace.enterprise_id,
        "user_id": workspace.bot_user_id, "bot_id": workspace.bot_id,
        "is_enterprise_install": workspace.enterprise_id.is_some(),
    })
}

fn over_rate(state: &mut Inner, workspace: &Workspace, arguments: &Arguments) -> Option<u64> {
    let key = (workspace.team_id.clone(), string(arguments, "channel").unwrap_or("").to_owned());
    let last = state.last_post.insert(key, Instant::now())?;
    (state.limit_rate && last.elapsed() < Duration::from_secs(1)).then_some(1)
}

fn post_message(state: &State, workspace: &Workspace, arguments: &Arguments) -> Result<Value, &'static str> {
    let channel = channel(workspace, arguments)?;
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
    let thread_ts = string(arguments, "thread_ts");
    if !thread_ts.is_none_or(is_ts) {
        return Err("invalid_thread_ts");
    }
    let message = Message {
        team_id: workspace.team_id.clone(),
        channel: channel.to_owned(),
        ts: next_ts(),
        thread_ts: thread_ts.map(str::to_owned),
        user: workspace.bot_user_id.clone(),
        bot_id: workspace.bot_id.clone(),
        text: text.to_owned(),
        markdown,
        metadata: metadata(arguments)?,
    };
    let answer =
        json!({ "ok": true, "channel": channel, "ts": message.ts, "message": shown(&message, true) });
    state.lock().messages.push(message);
    Ok(answer)
}

/// Given as a list or, in a form, as its JSON.
fn blocks(arguments: &Arguments) -> Result<Vec<Value>, &'static str> {
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
fn metadata(arguments: &Arguments) -> Result<Option<Value>, &'static str> {
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

fn replies(state: &Inner, workspace: &Workspace, arguments: &Arguments) -> Result<Value, &'static str> {
    let channel = channel(workspace, arguments)?;
    let root = string(arguments, "ts").ok_or("invalid_arguments")?;
    let limit = number(arguments, "limit")?.unwrap_or(PAGE_MAX);
    let from = number(arguments, "cursor").map_err(|_| "invalid_cursor")?.unwrap_or(0);
    if limit == 0 || limit > PAGE_MAX {
        return Err("invalid_limit");
    }
    let in_thread = |message: &&Message| {
        message.team_id == workspace.team_id
            && message.channel == channel
            && (message.ts == root || message.thread_ts.as_deref() == Some(root))
    };
    let thread: Vec<&Message> = state.messages.iter().filter(in_thread).collect();
    if thread.is_empty() {
        return Err("thread_not_found");
    }
    let with_metadata = matches!(arguments.get("include_all_metadata"), Some(Value::Bool(true)))
        || string(arguments, "include_all_metadata").is_some_and(|value| matches!(value, "true" | "1"));
    let page: Vec<Value> =
        thread.iter().skip(from).take(limit).map(|message| shown(message, with_metadata)).collect();
    let next = from + page.len();
    let cursor = if next < thread.len() { next.to_string() } else { String::new() };
    Ok(json!({
        "ok": true, "messages": page, "has_more": !cursor.is_empty(),
        "response_metadata": { "next_cursor": cursor },
    }))
}

fn shown(message: &Message, with_metadata: bool) -> Value {
    let mut shown = json!({
        "type": "message", "user": message.user, "bot_id": message.bot_id, "text": message.text,
        "ts": message.ts, "thread_ts": message.thread_ts,
    });
    if let (true, Some(metadata)) = (with_metadata, &message.metadata) {
        shown["metadata"] = metadata.clone();
    }
    shown
}

fn channel<'a>(workspace: &Workspace, arguments: &'a Arguments) -> Result<&'a str, &'static str> {
    let channel = string(arguments, "channel").ok_or("invalid_arguments")?;
    if workspace.channels.contains(channel) { Ok(channel) } else { Err("channel_not_found") }
}

fn string<'a>(arguments: &'a Arguments, name: &str) -> Option<&'a str> {
    arguments.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// Given as a number or as its digits.
fn number(arguments: &Arguments, name: &str) -> Result<Option<usize>, &'static str> {
    let Some(value) = arguments.get(name) else { return Ok(None) };
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok()).ok_or("invalid_arguments")?;
    usize::try_from(number).map(Some).map_err(|_| "invalid_arguments")
}

fn is_ts(text: &str) -> bool {
    let digits =
        |text: &str, least: usize| text.len() >= least && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(seconds, micros)| digits(seconds, 1) && digits(micros, 6))
}
