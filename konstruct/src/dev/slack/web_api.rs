//! The methods of Slack's Web API that the gateway calls.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::{Value, json};

use super::room::{Author, Message, Room};
use super::{BOT_USER, Workspace};

/// A block of Markdown, the only type that the gateway sends.
#[derive(Deserialize)]
struct Block {
    text: String,
}

#[derive(Deserialize)]
pub(super) struct PostMessage {
    channel: String,
    #[serde(default)]
    thread_ts: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    blocks: Vec<Block>,
    #[serde(default)]
    metadata: Value,
}

pub(super) async fn post_message(
    State(room): State<Arc<Room>>,
    headers: HeaderMap,
    Json(call): Json<PostMessage>,
) -> Json<Value> {
    let Some(workspace) = authorize(&room, &headers) else { return refused("invalid_auth") };
    // `text` is what notifications show; people read the blocks.
    let text = call.blocks.into_iter().next().map_or(call.text, |block| block.text);
    if text.is_empty() {
        return refused("no_text");
    }
    let message = room.add(Message {
        team: workspace.team_id,
        channel: call.channel,
        thread_ts: call.thread_ts,
        ts: String::new(),
        from: Author::Employee,
        text,
        metadata: call.metadata,
    });
    Json(json!({"ok": true, "channel": message.channel, "ts": message.ts}))
}

#[derive(Deserialize)]
pub(super) struct Replies {
    channel: String,
    ts: String,
}

pub(super) async fn replies(
    State(room): State<Arc<Room>>,
    headers: HeaderMap,
    Query(call): Query<Replies>,
) -> Json<Value> {
    let Some(workspace) = authorize(&room, &headers) else { return refused("invalid_auth") };
    let thread = room.thread(&workspace.team_id, &call.channel, &call.ts);
    Json(json!({"ok": true, "messages": thread, "has_more": false}))
}

pub(super) async fn auth_test(State(room): State<Arc<Room>>, headers: HeaderMap) -> Json<Value> {
    match authorize(&room, &headers) {
        Some(workspace) => Json(json!({"ok": true, "team_id": workspace.team_id, "user_id": BOT_USER})),
        None => refused("invalid_auth"),
    }
}

fn authorize(room: &Room, headers: &HeaderMap) -> Option<Workspace> {
    let token = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    room.workspace_of_token(token)
}

fn refused(code: &str) -> Json<Value> {
    Json(json!({"ok": false, "error": code}))
}
