//! Files that an app lays down and then shows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::arguments::{Arguments, Content, Refusal, channel, number, string, thread_ts};
use super::files::SharedFile;
use super::state::{Inner, Message, State, Workspace};
use crate::form;

/// How long an address is good for.
const ADDRESS_LASTS: Duration = Duration::from_mins(10);

/// A file that is on its way.
#[derive(Debug)]
pub(super) struct Pending {
    team_id: String,
    name: String,
    length: usize,
    /// Part of the address; knowing it is the permission.
    secret: Uuid,
    named_at: Instant,
    bytes: Option<Vec<u8>>,
}

/// A file that a message shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownFile {
    pub id: String,
    pub name: String,
    pub title: String,
    pub text: String,
}

/// `files.getUploadURLExternal`. Slack reads no JSON here.
pub(super) fn address(
    state: &mut Inner,
    workspace: &Workspace,
    arguments: &Arguments,
) -> Result<Value, Refusal> {
    if arguments.values().any(|value| !value.is_string()) {
        return Err("invalid_arguments");
    }
    let name = string(arguments, "filename").ok_or("invalid_arguments")?.to_owned();
    let length = number(arguments, "length")?.filter(|length| *length > 0).ok_or("invalid_arguments")?;
    let (id, secret) = (format!("F{}", state.files.len() + state.pending.len() + 1), Uuid::new_v4());
    let upload_url = format!("{}/upload/v1/{id}/{secret}", state.origin);
    let team_id = workspace.team_id.clone();
    let pending = Pending { team_id, name, length, secret, named_at: Instant::now(), bytes: None };
    state.pending.insert(id.clone(), pending);
    Ok(json!({ "ok": true, "upload_url": upload_url, "file_id": id }))
}

/// The bytes, raw or in a form, and exactly as many as were announced.
pub(super) async fn take(
    Extract(state): Extract<Arc<State>>,
    Path((id, secret)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let bytes = if form::is_one(&headers) {
        let form = form::read(&headers, &body).await.unwrap_or_default();
        form.files.into_values().next().map(|file| file.bytes)
    } else {
        Some(body.to_vec())
    };
    let mut state = state.lock();
    state.calls.push("upload".to_owned());
    if let Some(super::Fault::Status(code)) = state.faults.next("upload") {
        return StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response();
    }
    let good = |pending: &&mut Pending| {
        pending.secret.to_string() == secret
            && pending.bytes.is_none()
            && pending.named_at.elapsed() < ADDRESS_LASTS
    };
    let Some(pending) = state.pending.get_mut(&id).filter(good) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match bytes {
        Some(bytes) if bytes.len() == pending.length => {
            let answer = format!("OK - {}", bytes.len());
            pending.bytes = Some(bytes);
            answer.into_response()
        }
        _ => (StatusCode::BAD_REQUEST, "the length is another one").into_response(),
    }
}

/// `files.completeUploadExternal`. Slack shows the file some time later, which the double does at once, or never.
pub(super) fn complete(
    state: &mut Inner,
    workspace: &Workspace,
    arguments: &Arguments,
) -> Result<Value, Refusal> {
    let files = match arguments.get("files") {
        Some(Value::String(text)) => serde_json::from_str(text).map_err(|_| "invalid_arguments")?,
        Some(Value::Array(files)) => files.clone(),
        _ => return Err("invalid_arguments"),
    };
    let thread_ts = thread_ts(arguments)?;
    let place =
        string(arguments, "channel_id").map(|_| channel(workspace, arguments, "channel_id")).transpose()?;
    let ready = |file: &Value| {
        let pending = state.pending.get(file["id"].as_str()?)?;
        (pending.team_id == workspace.team_id && pending.bytes.is_some()).then_some(())
    };
    if files.is_empty() || !files.iter().all(|file: &Value| ready(file).is_some()) {
        return Err("file_not_found");
    }
    let shown: Vec<ShownFile> = files.iter().filter_map(|file| keep(state, file)).collect();
    let answer = json!({ "ok": true, "files": shown.iter().map(|file| json!({"id": file.id, "title": file.title})).collect::<Vec<_>>() });
    if let Some(channel) = place.filter(|_| !std::mem::take(&mut state.loses_share)) {
        let text = string(arguments, "initial_comment").unwrap_or_default().to_owned();
        let content = Content { text, markdown: None, metadata: None, buttons: Vec::new() };
        let mut message = Message::new(workspace, channel, thread_ts, content);
        for file in &shown {
            let share = json!({ "ts": message.ts, "thread_ts": message.thread_ts });
            state.shares.insert(file.id.clone(), json!({ "public": { channel: [share] } }));
        }
        message.files = shown;
        state.post(message);
    }
    Ok(answer)
}

fn keep(state: &mut Inner, file: &Value) -> Option<ShownFile> {
    let id = file["id"].as_str()?.to_owned();
    let Pending { team_id, name, bytes, .. } = state.pending.remove(&id)?;
    let bytes = bytes?;
    let title = file["title"].as_str().unwrap_or(&name).to_owned();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mimetype = "text/plain".to_owned();
    state.files.insert(id.clone(), SharedFile { team_id, name: name.clone(), mimetype, bytes });
    Some(ShownFile { id, name, title, text })
}
