//! A strict double of Slack's Web API, and correctly signed events from its workspaces.
//!
//! It refuses what Slack refuses, remembers what was posted, and fails on demand. Methods that it does not know are
//! an error, as they are at Slack.

mod app;
mod arguments;
mod files;
mod hanging;
mod history;
mod limits;
mod methods;
mod page;
mod server;
mod socket;
mod state;
mod status;
mod stream;
mod uploads;

use std::sync::Arc;

use tokio::net::TcpListener;

pub use app::{App, SignedRequest, seconds_now};
pub use files::SharedFile;
pub use state::{Ephemeral, Message, Workspace};
pub use stream::Phase;
pub use uploads::ShownFile;

use crate::fault::CallFault;
use crate::serving::{self, Serving};
use state::State;

/// Slack names its errors by words.
pub type Fault = CallFault<&'static str>;

/// Runs until the last clone is dropped.
#[derive(Clone)]
pub struct SlackDouble {
    origin: String,
    state: Arc<State>,
    _serving: Serving,
}

impl SlackDouble {
    /// Starts one on a free port of the loopback address.
    pub async fn start() -> Self {
        Self::serve(serving::on_loopback().await)
    }

    /// Starts one on a bound port.
    pub fn serve(listener: TcpListener) -> Self {
        let (origin, state) = (serving::origin(&listener), Arc::new(State::default()));
        state.lock().origin.clone_from(&origin);
        let serving = Serving::start(listener, server::router(Arc::clone(&state)));
        Self { origin, state, _serving: serving }
    }

    /// What to give a client as `https://slack.com/api`.
    pub fn base_url(&self) -> String {
        format!("{}/api", self.origin)
    }

    /// A page that shows what was posted.
    pub fn page_url(&self) -> String {
        format!("{}/", self.origin)
    }

    pub fn add_workspace(&self, workspace: Workspace) {
        self.state.lock().workspaces.push(workspace);
    }

    /// Replaces the token that a workspace accepts.
    pub fn rotate_token(&self, team_id: &str, token: &str) {
        let mut state = self.state.lock();
        for workspace in state.workspaces.iter_mut().filter(|workspace| workspace.team_id == team_id) {
            token.clone_into(&mut workspace.bot_token);
        }
    }

    /// What an event says was written is there to be read from now on, whether the event arrives or not.
    pub fn remember(&self, envelope: &serde_json::Value) {
        let (mut message, team_id) =
            (envelope["event"].clone(), envelope["team_id"].as_str().unwrap_or_default());
        let channel = message["channel"].as_str().unwrap_or_default().to_owned();
        if let Some(fields) = message.as_object_mut() {
            for field in ["channel", "channel_type", "event_ts"] {
                fields.remove(field);
            }
            fields.insert("type".to_owned(), "message".into());
        }
        self.state.lock().said.push(history::Said { team_id: team_id.to_owned(), channel, message });
    }

    /// From now on the app counts as distributed outside of the marketplace: it gets 15 messages at once, and may ask
    /// `every` so often, at Slack once a minute.
    pub fn limit_history(&self, every: std::time::Duration) {
        self.state.lock().distributed = Some(history::Distributed { every });
    }

    /// A file that somebody attached. Returns its entry in an event's `files`.
    pub fn share(&self, file: SharedFile) -> serde_json::Value {
        let mut state = self.state.lock();
        let id = format!("F{}", state.files.len() + 1);
        let described = files::described(&state.origin, &id, &file);
        state.files.insert(id, file);
        described
    }

    /// The next file that an app completes is taken and never shown, as happens at Slack.
    pub fn lose_next_share(&self) {
        self.state.lock().loses_share = true;
    }

    /// Gives or takes the scope files:read.
    pub fn let_read_files(&self, team_id: &str, reads_files: bool) {
        for workspace in
            self.state.lock().workspaces.iter_mut().filter(|workspace| workspace.team_id == team_id)
        {
            workspace.reads_files = reads_files;
        }
    }

    /// Everything that was posted, in order.
    pub fn messages(&self) -> Vec<Message> {
        self.state.lock().messages.clone()
    }

    /// What is shown at a thread now, while an app works.
    pub fn status(&self, team_id: &str, channel: &str, thread_ts: &str) -> Option<String> {
        self.state.lock().statuses.get(&[team_id, channel, thread_ts].map(str::to_owned).into()).cloned()
    }

    /// The status of an agent's session.
    pub fn session(&self, team_id: &str, channel: &str, thread_ts: &str) -> Option<String> {
        self.state.lock().sessions.get(&[team_id, channel, thread_ts].map(str::to_owned).into()).cloned()
    }

    /// What only one person has seen.
    pub fn ephemerals(&self) -> Vec<Ephemeral> {
        self.state.lock().ephemerals.clone()
    }

    /// Takes a scope from a workspace's token.
    pub fn withdraw_scope(&self, team_id: &str, scope: &str) {
        let mut state = self.state.lock();
        for workspace in state.workspaces.iter_mut().filter(|workspace| workspace.team_id == team_id) {
            workspace.scopes.remove(scope);
        }
    }

    /// Ends what is being streamed: because somebody pressed Stop, or because five minutes are over.
    pub fn end_streams(&self, phase: Phase) {
        let mut state = self.state.lock();
        let running = |message: &&mut Message| message.streaming == Some(Phase::Running);
        for message in state.messages.iter_mut().filter(running) {
            message.streaming = Some(phase);
        }
    }

    /// A person deletes a message.
    pub fn delete(&self, ts: &str) {
        self.state.lock().messages.retain(|message| message.ts != ts);
    }

    /// Waits until so many messages were posted.
    ///
    /// # Panics
    /// When they are not within a minute.
    pub async fn wait_for_messages(&self, count: usize) -> Vec<Message> {
        serving::at_least(count, || self.messages()).await
    }

    /// How often a method was called, failed calls included.
    pub fn calls(&self, method: &str) -> usize {
        self.state.lock().calls.iter().filter(|called| *called == method).count()
    }

    /// The next calls of a method fail, one fault each.
    pub fn inject(&self, method: &str, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().faults.inject(method, faults);
    }

    /// From now on a workspace's calls of a method are not answered.
    pub fn hang(&self, team_id: &str, method: &str) {
        self.state.lock().hanging.add(team_id, method);
    }

    /// How many calls have hung like that at the same time, at most.
    pub fn most_hanging(&self) -> usize {
        self.state.lock().hanging.most()
    }

    /// Whether more than one message a second in a channel is answered with 429, as at Slack.
    pub fn limit_rate(&self, limit: bool) {
        self.state.lock().limit_rate = limit;
    }
}
