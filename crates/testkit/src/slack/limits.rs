//! What a token may call, and how often.

use std::time::{Duration, Instant};

use super::arguments::{Arguments, string};
use super::state::{Inner, Workspace};

/// The one method that is called with an app's token, and with no other.
pub(super) const OPEN: &str = "apps.connections.open";

/// The scope without which a method is refused.
pub(super) fn missing_scope(
    workspace: &Workspace,
    method: &str,
    arguments: &Arguments,
) -> Option<&'static str> {
    if method == OPEN {
        return (!workspace.opens_connections).then_some("connections:write");
    }
    let needed: &[&str] = match method {
        "assistant.threads.setStatus" => &["chat:write", "assistant:write"],
        "conversations.replies" | "conversations.history" => {
            match string(arguments, "channel").and_then(|channel| channel.chars().next()) {
                Some('D') => &["im:history"],
                Some('G') => &["groups:history", "mpim:history"],
                _ => &["channels:history", "groups:history"],
            }
        }
        "agents.sessions.setStatus" => &["chat:write"],
        "files.getUploadURLExternal" | "files.completeUploadExternal" => &["files:write"],
        _ if method.starts_with("chat.") => &["chat:write"],
        _ => return None,
    };
    (!needed.iter().any(|scope| workspace.scopes.contains(*scope))).then_some(needed[0])
}

/// Calls in a minute: Slack's tiers 2, 3 and 4.
fn tier(method: &str) -> Option<usize> {
    match method {
        "chat.startStream" | "chat.stopStream" => Some(20),
        OPEN
        | "chat.update"
        | "conversations.replies"
        | "conversations.history"
        | "agents.sessions.setStatus" => Some(50),
        "chat.appendStream" | "chat.postEphemeral" => Some(100),
        _ => None,
    }
}

/// After how many seconds the call may be made.
pub(super) fn over_rate(
    state: &mut Inner,
    workspace: &Workspace,
    method: &str,
    arguments: &Arguments,
) -> Option<u64> {
    let now = Instant::now();
    if method == "chat.postMessage" {
        let key = (workspace.team_id.clone(), string(arguments, "channel").unwrap_or("").to_owned());
        let last = state.last_post.insert(key, now)?;
        return (state.limit_rate && now - last < Duration::from_secs(1)).then_some(1);
    }
    let is_history = method.starts_with("conversations.");
    let (tier, within) = match state.distributed.filter(|_| is_history) {
        Some(distributed) => (1, distributed.every),
        None => (tier(method).filter(|_| state.limit_rate)?, Duration::from_mins(1)),
    };
    let calls = state.recent.entry((workspace.team_id.clone(), method.to_owned())).or_default();
    while calls.front().is_some_and(|first| now - *first > within) {
        calls.pop_front();
    }
    if calls.len() < tier {
        calls.push_back(now);
        return None;
    }
    calls.front().map(|first| 1 + within.saturating_sub(now - *first).as_secs())
}
