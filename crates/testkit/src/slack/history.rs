//! What a conversation holds: messages of the bot and of people.

use std::time::Duration;

use serde_json::{Value, json};

use super::arguments::{Arguments, Refusal, channel, is_true, number, string};
use super::state::{Inner, Message, Workspace};

const PAGE_MAX: usize = 1000;
/// For an app that is distributed outside of the marketplace.
const DISTRIBUTED_PAGE_MAX: usize = 15;

/// What a person wrote.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub team_id: String,
    pub channel: String,
    /// As an event has it, without the fields that only events have.
    pub message: Value,
}

/// How often an app that is distributed outside of the marketplace may ask. Slack says: once a minute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Distributed {
    pub every: Duration,
}

pub(super) fn replies(state: &Inner, workspace: &Workspace, arguments: &Arguments) -> Result<Value, Refusal> {
    let channel = channel(workspace, arguments, "channel")?;
    let root = string(arguments, "ts").ok_or("invalid_arguments")?;
    let all = all(state, workspace, channel, is_true(arguments, "include_all_metadata"));
    let is_root = |message: &Value| message["ts"] == root;
    let mut thread: Vec<Value> =
        all.into_iter().filter(|message| is_root(message) || message["thread_ts"] == root).collect();
    if thread.is_empty() {
        return Err("thread_not_found");
    }
    // The first message comes with every page.
    let first: Vec<Value> = thread.extract_if(.., |message| is_root(message)).collect();
    let mut answer = page(state, arguments, within(thread, arguments)?)?;
    if let Some(messages) = answer["messages"].as_array_mut() {
        messages.splice(0..0, first);
    }
    Ok(answer)
}

/// What is in no thread, or begins one. The newest comes first.
pub(super) fn history(state: &Inner, workspace: &Workspace, arguments: &Arguments) -> Result<Value, Refusal> {
    let channel = channel(workspace, arguments, "channel")?;
    let all = all(state, workspace, channel, is_true(arguments, "include_all_metadata"));
    let replies = |root: &Value| -> Vec<String> {
        let replies = all.iter().filter(|message| message["thread_ts"] == *root && message["ts"] != *root);
        replies.map(|reply| reply["ts"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let mut roots = Vec::new();
    for message in &all {
        let in_a_thread = message["thread_ts"].is_string() && message["thread_ts"] != message["ts"];
        if in_a_thread && message["subtype"] != "thread_broadcast" {
            continue;
        }
        let mut root = message.clone();
        let replies = replies(&message["ts"]);
        if let Some(latest) = replies.last() {
            root["thread_ts"] = message["ts"].clone();
            root["reply_count"] = json!(replies.len());
            root["latest_reply"] = json!(latest);
        }
        roots.push(root);
    }
    roots.reverse();
    page(state, arguments, within(roots, arguments)?)
}

/// Everything of a conversation, the oldest first.
fn all(state: &Inner, workspace: &Workspace, channel: &str, with_metadata: bool) -> Vec<Value> {
    let here = |team: &str, of: &str| team == workspace.team_id && of == channel;
    let by_bot = state.messages.iter().filter(|message| here(&message.team_id, &message.channel));
    let by_people = state.said.iter().filter(|said| here(&said.team_id, &said.channel));
    let mut all: Vec<Value> = by_bot
        .map(|message| shown(message, with_metadata))
        .chain(by_people.map(|said| said.message.clone()))
        .collect();
    all.sort_by_key(|message| message["ts"].as_str().and_then(time));
    all
}

/// From `oldest` to `latest`, these not included unless that is asked for.
fn within(mut messages: Vec<Value>, arguments: &Arguments) -> Result<Vec<Value>, Refusal> {
    let bound = |name| match string(arguments, name) {
        None | Some("0") => Ok(None),
        Some(ts) => time(ts).map(Some).ok_or("invalid_arguments"),
    };
    let (oldest, latest, inclusive) = (bound("oldest")?, bound("latest")?, is_true(arguments, "inclusive"));
    messages.retain(|message| {
        let at = message["ts"].as_str().and_then(time);
        let after = oldest.is_none() || at > oldest || inclusive && at == oldest;
        let before = latest.is_none() || at < latest || inclusive && at == latest;
        after && before
    });
    Ok(messages)
}

fn page(state: &Inner, arguments: &Arguments, messages: Vec<Value>) -> Result<Value, Refusal> {
    let limit = number(arguments, "limit")?.unwrap_or(100);
    if limit == 0 || limit > PAGE_MAX {
        return Err("invalid_limit");
    }
    let limit = if state.distributed.is_some() { limit.min(DISTRIBUTED_PAGE_MAX) } else { limit };
    let from = number(arguments, "cursor").map_err(|_| "invalid_cursor")?.unwrap_or(0);
    let (total, next) = (messages.len(), from + limit);
    let cursor = if next < total { next.to_string() } else { String::new() };
    let page: Vec<Value> = messages.into_iter().skip(from).take(limit).collect();
    Ok(json!({
        "ok": true, "messages": page, "has_more": !cursor.is_empty(),
        "response_metadata": { "next_cursor": cursor },
    }))
}

pub(super) fn shown(message: &Message, with_metadata: bool) -> Value {
    let mut shown = json!({
        "type": "message", "user": message.user, "bot_id": message.bot_id, "text": message.text,
        "ts": message.ts, "thread_ts": message.thread_ts,
    });
    if !message.files.is_empty() {
        shown["files"] =
            message.files.iter().map(|file| json!({ "id": file.id, "name": file.name })).collect();
    }
    if let (true, Some(metadata)) = (with_metadata, &message.metadata) {
        shown["metadata"] = metadata.clone();
    }
    shown
}

fn time(ts: &str) -> Option<(u64, u64)> {
    let (seconds, micros) = ts.split_once('.').unwrap_or((ts, "0"));
    Some((seconds.parse().ok()?, micros.parse().ok()?))
}
