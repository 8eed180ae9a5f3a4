//! Messages that grow while they are shown.

use serde::Serialize;
use serde_json::{Value, json};

use super::arguments::{Arguments, Content, MARKDOWN_MAX, Refusal, channel, metadata, string, thread_ts};
use super::methods::own_message;
use super::state::{Inner, Message, Workspace};

/// How far a streamed message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Running,
    /// Somebody pressed Stop.
    StoppedByUser,
    /// It was ended, or five minutes are over.
    Ended,
}

pub(super) fn start(
    state: &mut Inner,
    workspace: &Workspace,
    arguments: &Arguments,
) -> Result<Value, Refusal> {
    let channel = channel(workspace, arguments, "channel")?;
    let thread_ts = thread_ts(arguments)?.ok_or("invalid_thread_ts")?;
    // Also in direct messages, whatever the page says about channels.
    string(arguments, "recipient_team_id").ok_or("missing_recipient_team_id")?;
    string(arguments, "recipient_user_id").ok_or("missing_recipient_user_id")?;
    let text = said(arguments)?;
    let content = Content { text: text.clone(), markdown: Some(text), metadata: None, buttons: Vec::new() };
    let mut message = Message::new(workspace, channel, Some(thread_ts), content);
    message.streaming = Some(Phase::Running);
    let answer = json!({ "ok": true, "channel": channel, "ts": message.ts });
    state.post(message);
    Ok(answer)
}

pub(super) fn append(
    state: &mut Inner,
    workspace: &Workspace,
    arguments: &Arguments,
) -> Result<Value, Refusal> {
    let text = said(arguments)?;
    if text.is_empty() {
        return Err("no_text");
    }
    let message = running(state, workspace, arguments)?;
    message.extend(&text);
    Ok(json!({ "ok": true, "channel": message.channel, "ts": message.ts }))
}

pub(super) fn stop(
    state: &mut Inner,
    workspace: &Workspace,
    arguments: &Arguments,
) -> Result<Value, Refusal> {
    let (text, metadata) = (said(arguments)?, metadata(arguments)?);
    if let Some(status) = string(arguments, "session_status")
        && !["active", "processing", "suspended", "closed"].contains(&status)
    {
        return Err("invalid_arguments");
    }
    let message = running(state, workspace, arguments)?;
    message.extend(&text);
    message.streaming = Some(Phase::Ended);
    message.metadata = metadata;
    Ok(json!({ "ok": true, "channel": message.channel, "ts": message.ts }))
}

fn running<'a>(
    state: &'a mut Inner,
    workspace: &Workspace,
    arguments: &Arguments,
) -> Result<&'a mut Message, Refusal> {
    let message = own_message(state, workspace, arguments)?;
    match message.streaming {
        Some(Phase::Running) => Ok(message),
        Some(Phase::StoppedByUser) => Err("stopped_by_user"),
        Some(Phase::Ended) | None => Err("message_not_in_streaming_state"),
    }
}

/// As text or as chunks, not both.
fn said(arguments: &Arguments) -> Result<String, Refusal> {
    let chunks = arguments.get("chunks").and_then(Value::as_array);
    let text = match (string(arguments, "markdown_text"), chunks) {
        (Some(_), Some(_)) => return Err("invalid_arguments"),
        (Some(text), None) => text.to_owned(),
        (None, Some(chunks)) => {
            let text = |chunk: &Value| {
                let is_text = chunk["type"] == "markdown_text";
                chunk["text"].as_str().filter(|_| is_text).map(str::to_owned).ok_or("invalid_chunks")
            };
            chunks.iter().map(text).collect::<Result<_, _>>()?
        }
        (None, None) => String::new(),
    };
    if text.chars().count() > MARKDOWN_MAX { Err("msg_too_long") } else { Ok(text) }
}
