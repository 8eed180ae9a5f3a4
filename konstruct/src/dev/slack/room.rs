//! What the stand-in remembers: workspaces and the last messages.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::Value;

use super::Workspace;

const MESSAGES_MAX: usize = 500;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Message {
    pub(crate) team: String,
    pub(crate) channel: String,
    /// The first message of the thread: this one's own when it opens the thread.
    pub(crate) thread_ts: String,
    pub(crate) ts: String,
    pub(crate) from: Author,
    pub(crate) text: String,
    pub(crate) metadata: Value,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Author {
    Person,
    Employee,
}

#[derive(Debug, Default)]
pub(crate) struct Room {
    inner: Mutex<Inner>,
    pub(super) http: reqwest::Client,
}

#[derive(Debug, Default)]
struct Inner {
    workspaces: Vec<Workspace>,
    messages: VecDeque<Message>,
    last_micros: i64,
}

impl Room {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_workspaces(&self, workspaces: Vec<Workspace>) {
        self.lock().workspaces = workspaces;
    }

    pub(super) fn workspaces(&self) -> Vec<Workspace> {
        self.lock().workspaces.clone()
    }

    pub(super) fn workspace(&self, team_id: &str) -> Option<Workspace> {
        self.lock().workspaces.iter().find(|workspace| workspace.team_id == team_id).cloned()
    }

    /// The workspace of a bot token; Slack's `invalid_auth` without one.
    pub(super) fn workspace_of_token(&self, token: &str) -> Option<Workspace> {
        self.lock().workspaces.iter().find(|workspace| workspace.bot_token.expose_secret() == token).cloned()
    }

    /// Takes in a message, gives it its `ts`, and forgets the oldest ones. An empty `thread_ts` opens a thread.
    pub(super) fn add(&self, mut message: Message) -> Message {
        let mut inner = self.lock();
        // A `ts` is a message's identity within its channel, so no two are the same.
        let micros = Timestamp::now().as_microsecond().max(inner.last_micros + 1);
        inner.last_micros = micros;
        message.ts = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        if message.thread_ts.is_empty() {
            message.thread_ts.clone_from(&message.ts);
        }
        inner.messages.push_back(message.clone());
        if inner.messages.len() > MESSAGES_MAX {
            inner.messages.pop_front();
        }
        message
    }

    pub(super) fn messages(&self) -> Vec<Message> {
        self.lock().messages.iter().cloned().collect()
    }

    pub(super) fn thread(&self, team: &str, channel: &str, ts: &str) -> Vec<Message> {
        let of_thread =
            |message: &Message| message.team == team && message.channel == channel && message.thread_ts == ts;
        self.messages().into_iter().filter(of_thread).collect()
    }
}
