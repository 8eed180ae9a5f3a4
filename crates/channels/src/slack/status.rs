//! What is shown at a thread while somebody works on an answer.

use secrecy::SecretString;
use serde_json::json;

use super::api::Client;
use crate::SendError;

/// Follows the name of the bot.
const THINKING: &str = "is thinking…";

/// A thread of a channel, a group or a direct message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thread<'a> {
    pub channel: &'a str,
    pub ts: &'a str,
}

impl Client {
    /// Slack takes it away by itself: when the bot writes in the thread, and after two minutes.
    pub(super) async fn show_status(
        &self,
        token: &SecretString,
        thread: Thread<'_>,
    ) -> Result<(), SendError> {
        self.set_status(token, thread, THINKING).await
    }

    pub(super) async fn clear_status(
        &self,
        token: &SecretString,
        thread: Thread<'_>,
    ) -> Result<(), SendError> {
        self.set_status(token, thread, "").await
    }

    /// After Stop the app itself has to say that it works no more. Only an app with an agent has a session.
    pub(super) async fn end_processing(
        &self,
        token: &SecretString,
        thread: Thread<'_>,
    ) -> Result<(), SendError> {
        self.clear_status(token, thread).await?;
        let arguments = json!({ "channel_id": thread.channel, "thread_ts": thread.ts, "status": "active" });
        self.post("agents.sessions.setStatus", token, &arguments).await.map(drop)
    }

    async fn set_status(
        &self,
        token: &SecretString,
        thread: Thread<'_>,
        status: &str,
    ) -> Result<(), SendError> {
        let arguments = json!({ "channel_id": thread.channel, "thread_ts": thread.ts, "status": status });
        self.post("assistant.threads.setStatus", token, &arguments).await.map(drop)
    }
}
