//! The sliding window of a conversation: the last lines, ready for the next prompt.

use konstruct_domain::message::HistoryLine;
use konstruct_domain::{ConversationId, TenantId};
use redis::AsyncCommands;
use serde::{Deserialize, Serialize};

use crate::Bus;
use crate::signal::prefix;

/// A conversation that is quiet for longer is read from PostgreSQL when it goes on.
const KEEP_SECONDS: u64 = 24 * 60 * 60;

/// `last_seq` tells whether the window is current: it must equal the conversation's.
#[derive(Serialize, Deserialize)]
struct Window {
    last_seq: i64,
    lines: Vec<HistoryLine>,
}

fn key(tenant: TenantId, conversation: ConversationId) -> String {
    format!("{}window:{conversation}", prefix(tenant))
}

impl Bus {
    /// None when it is missing, stale or Redis is down: read the history from PostgreSQL then.
    pub async fn window(
        &self,
        tenant: TenantId,
        conversation: ConversationId,
        last_seq: i64,
    ) -> Option<Vec<HistoryLine>> {
        let stored: Option<String> = self.connection().get(key(tenant, conversation)).await.ok()?;
        let window: Window = serde_json::from_str(&stored?).ok()?;
        (window.last_seq == last_seq).then_some(window.lines)
    }

    pub async fn put_window(
        &self,
        tenant: TenantId,
        conversation: ConversationId,
        last_seq: i64,
        lines: &[HistoryLine],
    ) {
        let Ok(text) = serde_json::to_string(&Window { last_seq, lines: lines.to_vec() }) else {
            return;
        };
        let stored: Result<(), _> =
            self.connection().set_ex(key(tenant, conversation), text, KEEP_SECONDS).await;
        if let Err(error) = stored {
            tracing::debug!(%error, "a window was not kept");
        }
    }
}
