//! What the double knows: its workspaces, what was posted, what is to fail.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::Value;

use super::fault::Fault;
use super::files::SharedFile;

/// A workspace with our app installed.
#[derive(Clone, Debug)]
pub struct Workspace {
    pub team_id: String,
    pub enterprise_id: Option<String>,
    pub bot_token: String,
    pub bot_user_id: String,
    pub bot_id: String,
    /// Where the bot is a member.
    pub channels: BTreeSet<String>,
    /// Whether the app has the scope files:read.
    pub reads_files: bool,
}

impl Workspace {
    /// One with the channels C1, C2 and D1. Its token is `xoxb-<team>`, its bot `UBOT<team>`.
    pub fn new(team_id: &str) -> Self {
        Self {
            team_id: team_id.to_owned(),
            enterprise_id: None,
            bot_token: format!("xoxb-{team_id}"),
            bot_user_id: format!("UBOT{team_id}"),
            bot_id: format!("BBOT{team_id}"),
            channels: ["C1", "C2", "D1"].map(str::to_owned).into(),
            reads_files: true,
        }
    }
}

impl Message {
    /// What people read.
    pub fn shown(&self) -> &str {
        self.markdown.as_deref().unwrap_or(&self.text)
    }
}

/// A message that was posted.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    pub team_id: String,
    pub channel: String,
    pub ts: String,
    pub thread_ts: Option<String>,
    pub user: String,
    pub bot_id: String,
    /// What notifications show, and what is shown where there is no Markdown.
    pub text: String,
    pub markdown: Option<String>,
    pub metadata: Option<Value>,
}

#[derive(Default)]
pub(super) struct State(Mutex<Inner>);

#[derive(Default)]
pub(super) struct Inner {
    pub workspaces: Vec<Workspace>,
    pub messages: Vec<Message>,
    pub calls: Vec<String>,
    pub faults: HashMap<String, VecDeque<Fault>>,
    pub files: HashMap<String, SharedFile>,
    /// Where the double itself is.
    pub origin: String,
    pub limit_rate: bool,
    pub last_post: HashMap<(String, String), Instant>,
}

impl State {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A timestamp in Slack's form. Never the same twice within a process.
pub(super) fn next_ts() -> String {
    static LAST: Mutex<u128> = Mutex::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    *last = now.max(*last + 1);
    format!("{}.{:06}", *last / 1_000_000, *last % 1_000_000)
}
