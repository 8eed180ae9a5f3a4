//! What the double knows: its workspaces, what was posted, what is to fail.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::Value;

use super::arguments::Content;
use super::files::SharedFile;
use super::hanging::Hanging;
use super::history::{Distributed, Said};
use super::socket::Sockets;
use super::stream::Phase;
use super::uploads::{Pending, ShownFile};
use crate::fault::Faults;

/// A thread's workspace, channel and root.
pub(super) type ThreadKey = (String, String, String);

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
    /// What the token may do.
    pub scopes: BTreeSet<String>,
    /// The app's own token, for Socket Mode. Workspaces may have it in common: then they have one app.
    pub app_token: String,
    /// Whether the app token has the scope connections:write.
    pub opens_connections: bool,
    /// Whether the app is an agent, with sessions, as all new apps are.
    pub is_agent: bool,
}

impl Workspace {
    /// An agent with the channels C1, C2 and D1. Its token is `xoxb-<team>`, its app's `xapp-<team>`, its bot
    /// `UBOT<team>`.
    pub fn new(team_id: &str) -> Self {
        Self {
            team_id: team_id.to_owned(),
            enterprise_id: None,
            bot_token: format!("xoxb-{team_id}"),
            bot_user_id: format!("UBOT{team_id}"),
            bot_id: format!("BBOT{team_id}"),
            channels: ["C1", "C2", "D1"].map(str::to_owned).into(),
            reads_files: true,
            scopes: SCOPES.map(str::to_owned).into(),
            app_token: format!("xapp-{team_id}"),
            opens_connections: true,
            is_agent: true,
        }
    }
}

const SCOPES: [&str; 9] = [
    "app_mentions:read",
    "assistant:write",
    "channels:history",
    "chat:write",
    "files:read",
    "files:write",
    "groups:history",
    "im:history",
    "mpim:history",
];

impl Message {
    pub(super) fn new(
        workspace: &Workspace,
        channel: &str,
        thread_ts: Option<&str>,
        content: Content,
    ) -> Self {
        Self {
            team_id: workspace.team_id.clone(),
            channel: channel.to_owned(),
            ts: next_ts(),
            thread_ts: thread_ts.map(str::to_owned),
            user: workspace.bot_user_id.clone(),
            bot_id: workspace.bot_id.clone(),
            text: content.text,
            markdown: content.markdown,
            metadata: content.metadata,
            streaming: None,
            edits: 0,
            files: Vec::new(),
            buttons: content.buttons,
        }
    }

    pub(super) fn extend(&mut self, text: &str) {
        self.text.push_str(text);
        self.markdown.get_or_insert_default().push_str(text);
    }

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
    /// For one that was begun as a stream.
    pub streaming: Option<Phase>,
    /// How often it was changed.
    pub edits: u32,
    pub files: Vec<ShownFile>,
    /// Titles and values of the buttons below it.
    pub buttons: Vec<(String, String)>,
}

/// A message that only one person sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ephemeral {
    pub channel: String,
    pub user: String,
    pub thread_ts: Option<String>,
    pub text: String,
}

#[derive(Default)]
pub(super) struct State(Mutex<Inner>);

#[derive(Default)]
pub(super) struct Inner {
    pub workspaces: Vec<Workspace>,
    pub messages: Vec<Message>,
    pub calls: Vec<String>,
    pub faults: Faults<&'static str>,
    pub hanging: Hanging,
    pub files: HashMap<String, SharedFile>,
    /// Those that are being laid down.
    pub pending: HashMap<String, Pending>,
    /// Where files are shown, as Slack tells it.
    pub shares: HashMap<String, Value>,
    /// The next file is taken and not shown.
    pub loses_share: bool,
    /// Where the double itself is.
    pub origin: String,
    pub limit_rate: bool,
    pub last_post: HashMap<(String, String), Instant>,
    /// When a workspace has called a method within the last minute.
    pub recent: HashMap<(String, String), VecDeque<Instant>>,
    pub ephemerals: Vec<Ephemeral>,
    /// What is shown at threads now.
    pub statuses: HashMap<ThreadKey, String>,
    pub sessions: HashMap<ThreadKey, String>,
    /// What people wrote.
    pub said: Vec<Said>,
    /// Present when the app counts as distributed outside of the marketplace.
    pub distributed: Option<Distributed>,
    /// By app token.
    pub sockets: HashMap<String, Sockets>,
}

impl Inner {
    /// What a bot writes in a thread takes its status away.
    pub(super) fn post(&mut self, message: Message) {
        if let Some(thread_ts) = &message.thread_ts {
            self.statuses.remove(&(message.team_id.clone(), message.channel.clone(), thread_ts.clone()));
        }
        self.messages.push(message);
    }

    pub(super) fn set_status(&mut self, team_id: &str, channel: &str, thread_ts: &str, status: &str) {
        let key = [team_id, channel, thread_ts].map(str::to_owned).into();
        match status {
            "" => drop(self.statuses.remove(&key)),
            status => drop(self.statuses.insert(key, status.to_owned())),
        }
    }
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
