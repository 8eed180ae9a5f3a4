//! What is shown at a thread while an app works.

use serde_json::{Value, json};

use super::arguments::{Arguments, Refusal, channel, string, thread_ts};
use super::state::{Inner, Workspace};

const LOADING_MESSAGES_MAX: usize = 10;
const TITLE_MAX: usize = 200;

pub(super) fn of_thread(
    state: &mut Inner,
    workspace: &Workspace,
    arguments: &Arguments,
) -> Result<Value, Refusal> {
    let channel = channel(workspace, arguments, "channel_id")?;
    let thread_ts = thread_ts(arguments)?.ok_or("invalid_thread_ts")?;
    let status = arguments.get("status").and_then(Value::as_str).ok_or("invalid_arguments")?;
    let loading = arguments.get("loading_messages").and_then(Value::as_array).map_or(0, Vec::len);
    if loading > LOADING_MESSAGES_MAX {
        return Err("invalid_arguments");
    }
    state.set_status(&workspace.team_id, channel, thread_ts, status);
    Ok(json!({ "ok": true }))
}

pub(super) fn of_session(
    state: &mut Inner,
    workspace: &Workspace,
    arguments: &Arguments,
) -> Result<Value, Refusal> {
    if !workspace.is_agent {
        return Err("not_allowed_token_type");
    }
    let channel = channel(workspace, arguments, "channel_id")?;
    let thread_ts = thread_ts(arguments)?.ok_or("invalid_thread_ts")?;
    let status = string(arguments, "status").ok_or("invalid_arguments")?;
    if !["active", "processing", "suspended", "closed"].contains(&status) {
        return Err("invalid_arguments");
    }
    if string(arguments, "title").is_some_and(|title| title.chars().count() > TITLE_MAX) {
        return Err("invalid_arguments");
    }
    let session = (workspace.team_id.clone(), channel.to_owned(), thread_ts.to_owned());
    state.sessions.insert(session, status.to_owned());
    Ok(json!({ "ok": true, "status": status, "agent_status": status }))
}
