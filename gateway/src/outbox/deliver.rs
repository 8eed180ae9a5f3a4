//! One try to send one reply, and what is recorded of it.

use std::time::{Duration, Instant};

use konstruct_channels::{Failure, Reply, SendError};
use konstruct_domain::TenantId;
use konstruct_store::{Error, OutboxItem};
use tokio::time::timeout;

use super::ledger::StoredLedger;
use super::{Sender, policy};
use crate::metrics;

/// Less than the lease on the row: nobody else may have begun to send it.
const TRY_TIMEOUT: Duration = Duration::from_secs(50);

impl Sender {
    /// Returns after what time the reply is due again, if it is.
    pub(super) async fn deliver(&self, tenant: TenantId, item: &OutboxItem) -> Option<Duration> {
        let channel = self.channel(tenant, item);
        let started = Instant::now();
        let sent = match timeout(TRY_TIMEOUT, self.send(tenant, item)).await {
            Ok(sent) => sent,
            Err(_) => Err(SendError::InDoubt { reason: "the try took too long".to_owned() }.into()),
        };
        konstruct_faults::point(if sent.is_ok() { "outbox.sent" } else { "outbox.failed" });
        metrics::SEND.observe_duration([channel], started.elapsed());
        let recorded = match &sent {
            Ok(message_id) => {
                metrics::OUTBOX.inc([channel, "sent"]);
                self.store.outbox_sent(tenant, item, message_id.as_deref()).await.map(|()| None)
            }
            Err(failure) => {
                metrics::OUTBOX.inc([channel, policy::outcome(&failure.error)]);
                self.record_failure(tenant, item, channel, failure).await
            }
        };
        konstruct_faults::point("outbox.recorded");
        recorded.unwrap_or_else(|error| {
            // The row stays leased and in doubt; whoever has it next asks the platform.
            tracing::warn!(%tenant, reply = %item.reply, %error, "the outcome of a try to send was not recorded");
            None
        })
    }

    /// The label of metrics.
    fn channel(&self, tenant: TenantId, item: &OutboxItem) -> &'static str {
        let routes = self.registry.routes();
        let connection = routes.as_ref().and_then(|routes| routes.connection(tenant, &item.connection));
        connection.map_or("unknown", |connection| connection.channel())
    }

    async fn send(&self, tenant: TenantId, item: &OutboxItem) -> Result<Option<String>, Failure> {
        let routes =
            self.registry.routes().ok_or_else(|| not_now(item, "the configuration is not loaded"))?;
        let connection = routes
            .connection(tenant, &item.connection)
            .ok_or_else(|| not_now(item, "the ChannelConnection does not exist any more"))?;
        let adapter = self
            .adapters
            .get(connection.channel())
            .ok_or_else(|| not_now(item, "this version does not know the channel"))?;
        let account =
            connection.account(&self.store).await.map_err(|error| not_now(item, &error.to_string()))?;
        let reply = Reply {
            id: item.reply,
            target: &item.target,
            text: &item.text,
            in_doubt: item.in_doubt,
            attempt: item.attempt,
        };
        let ledger = StoredLedger {
            store: &self.store,
            tenant,
            connection: &item.connection,
            reply: item.reply,
            conversation: item.conversation,
            streamed: item.streamed,
        };
        let sent = adapter.send(&account, &reply, &ledger).await;
        match &sent {
            Ok(_) if connection.snapshot.channel.secrets().is_empty() => {}
            Ok(_) => self.credentials.accepted(connection).await,
            Err(failure) => drop(self.credentials.learn(connection, adapter.as_ref(), &failure.error).await),
        }
        sent
    }

    /// Nobody is to wait for a reply that does not come.
    fn typing_ends(&self, tenant: TenantId, item: &OutboxItem) {
        let Some(connection) =
            self.registry.routes().and_then(|routes| routes.connection(tenant, &item.connection).cloned())
        else {
            return;
        };
        let Some(adapter) = self.adapters.get(connection.channel()).cloned() else { return };
        let (store, target) = (self.store.clone(), item.target.clone());
        self.tasks.spawn(async move {
            if let Ok(account) = connection.account(&store).await {
                let _ = adapter.typing_ends(&account, &target).await;
            }
        });
    }

    async fn record_failure(
        &self,
        tenant: TenantId,
        item: &OutboxItem,
        channel: &str,
        failure: &Failure,
    ) -> Result<Option<Duration>, Error> {
        let reason = failure.to_string();
        let Some(after) = policy::next_try(item.attempt, item.waits, &failure.error, rand::random()) else {
            tracing::warn!(%tenant, reply = %item.reply, attempt = item.attempt, %reason, "a reply was given up");
            metrics::OUTBOX.inc([channel, "dead"]);
            self.typing_ends(tenant, item);
            return self.store.outbox_dead(tenant, item, &reason).await.map(|()| None);
        };
        tracing::info!(%tenant, reply = %item.reply, attempt = item.attempt, %reason, "a reply is tried again later");
        let waited = matches!(failure.error, SendError::RetryAfter { .. });
        self.store.outbox_retry(tenant, item, after, &reason, waited, failure.maybe_visible).await?;
        Ok(Some(after))
    }
}

/// This try did not begin; an earlier one still may have succeeded.
fn not_now(item: &OutboxItem, reason: &str) -> Failure {
    Failure { error: SendError::Transient { reason: reason.to_owned() }, maybe_visible: item.in_doubt }
}
