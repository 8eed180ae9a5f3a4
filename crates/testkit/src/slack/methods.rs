//! The methods, as strict as Slack's pages describe them.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::arguments::{Arguments, Content, Refusal, channel, string, thread_ts};
use super::server::{rate_limited, refused};
use super::state::{Ephemeral, Inner, Message, State, Workspace, next_ts};
use super::{files, history, limits, socket, status, stream, uploads};

pub(super) fn call(state: &State, workspace: &Workspace, method: &str, arguments: &Arguments) -> Response {
    if let Some(needed) = limits::missing_scope(workspace, method, arguments) {
        let provided: Vec<_> = workspace.scopes.iter().map(String::as_str).collect();
        let body = json!({
            "ok": false, "error": "missing_scope", "needed": needed, "provided": provided.join(","),
        });
        return Json(body).into_response();
    }
    let mut state = state.lock();
    if let Some(seconds) = limits::over_rate(&mut state, workspace, method, arguments) {
        return rate_limited(seconds);
    }
    match answer(&mut state, workspace, method, arguments) {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => refused(error),
    }
}

fn answer(
    state: &mut Inner,
    workspace: &Workspace,
    method: &str,
    arguments: &Arguments,
) -> Result<Value, Refusal> {
    match method {
        "auth.test" => Ok(auth_test(workspace)),
        limits::OPEN => Ok(socket::ticket(state, workspace)),
        "chat.postMessage" => post_message(state, workspace, arguments),
        "chat.update" => update(state, workspace, arguments),
        "chat.postEphemeral" => post_ephemeral(state, workspace, arguments),
        "chat.startStream" => stream::start(state, workspace, arguments),
        "chat.appendStream" => stream::append(state, workspace, arguments),
        "chat.stopStream" => stream::stop(state, workspace, arguments),
        "assistant.threads.setStatus" => status::of_thread(state, workspace, arguments),
        "agents.sessions.setStatus" => status::of_session(state, workspace, arguments),
        "files.info" => files::info(state, workspace, string(arguments, "file").unwrap_or_default()),
        "conversations.history" => history::history(state, workspace, arguments),
        "conversations.replies" => history::replies(state, workspace, arguments),
        "files.getUploadURLExternal" => uploads::address(state, workspace, arguments),
        "files.completeUploadExternal" => uploads::complete(state, workspace, arguments),
        _ => Err("unknown_method"),
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

fn post_message(state: &mut Inner, workspace: &Workspace, arguments: &Arguments) -> Result<Value, Refusal> {
    let channel = channel(workspace, arguments, "channel")?;
    let content = Content::of(arguments)?;
    let message = Message::new(workspace, channel, thread_ts(arguments)?, content);
    let answer = json!({ "ok": true, "channel": channel, "ts": message.ts, "message": history::shown(&message, true) });
    state.post(message);
    Ok(answer)
}

fn update(state: &mut Inner, workspace: &Workspace, arguments: &Arguments) -> Result<Value, Refusal> {
    channel(workspace, arguments, "channel")?;
    let content = Content::of(arguments)?;
    let message = own_message(state, workspace, arguments)?;
    if message.streaming == Some(stream::Phase::Running) {
        return Err("streaming_state_conflict");
    }
    message.edits += 1;
    (message.text, message.markdown) = (content.text, content.markdown);
    message.metadata = content.metadata.or(message.metadata.take());
    Ok(json!({ "ok": true, "channel": message.channel, "ts": message.ts, "text": message.text }))
}

/// The message that a call names, if it is the caller's.
pub(super) fn own_message<'a>(
    state: &'a mut Inner,
    workspace: &Workspace,
    arguments: &Arguments,
) -> Result<&'a mut Message, Refusal> {
    let (channel, ts) = (channel(workspace, arguments, "channel")?, string(arguments, "ts"));
    let found = state.messages.iter_mut().find(|message| {
        message.team_id == workspace.team_id && message.channel == channel && Some(message.ts.as_str()) == ts
    });
    let message = found.ok_or("message_not_found")?;
    if message.bot_id == workspace.bot_id { Ok(message) } else { Err("cant_update_message") }
}

fn post_ephemeral(state: &mut Inner, workspace: &Workspace, arguments: &Arguments) -> Result<Value, Refusal> {
    let channel = channel(workspace, arguments, "channel")?;
    let user = string(arguments, "user").ok_or("invalid_arguments")?;
    let content = Content::of(arguments)?;
    let thread_ts = thread_ts(arguments)?.map(str::to_owned);
    let (channel, user) = (channel.to_owned(), user.to_owned());
    state.ephemerals.push(Ephemeral { channel, user, thread_ts, text: content.text });
    Ok(json!({ "ok": true, "message_ts": next_ts() }))
}
