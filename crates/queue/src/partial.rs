//! What an employee is writing, on its way to whoever watches. It may be lost: the reply itself is a row in PostgreSQL.
//!
//! Who watches says so for a while, and only then is anything published.

use std::time::Duration;

use futures::StreamExt;
use konstruct_domain::ids::ReplyId;
use konstruct_domain::{ConversationId, TenantId};
use redis::AsyncCommands;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::Bus;
use crate::signal::prefix;

const TOPIC: &str = "partial";
/// A watcher says so again within this time.
pub const WATCHED_FOR: Duration = Duration::from_secs(45);
const RECONNECT: Duration = Duration::from_secs(1);
const BUFFER: usize = 256;

/// Everything that is written of a reply so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partial {
    pub tenant: TenantId,
    pub conversation: ConversationId,
    /// What it becomes. A runtime of an earlier version does not say it.
    pub reply: Option<ReplyId>,
    pub text: String,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    conversation: ConversationId,
    reply: Option<ReplyId>,
    text: String,
}

fn watched(tenant: TenantId, conversation: ConversationId) -> String {
    format!("{}watched:{conversation}", prefix(tenant))
}

impl Bus {
    /// Somebody looks at the conversation now.
    pub async fn watch(&self, tenant: TenantId, conversation: ConversationId) {
        let key = watched(tenant, conversation);
        let said: Result<(), _> = self.connection().set_ex(key, "", WATCHED_FOR.as_secs()).await;
        if let Err(error) = said {
            tracing::debug!(%error, "nobody gets to know that a conversation is looked at");
        }
    }

    pub async fn is_watched(&self, tenant: TenantId, conversation: ConversationId) -> bool {
        let found: Result<Option<String>, _> = self.connection().get(watched(tenant, conversation)).await;
        matches!(found, Ok(Some(_)))
    }

    pub async fn publish_partial(
        &self,
        tenant: TenantId,
        conversation: ConversationId,
        reply: ReplyId,
        text: &str,
    ) {
        let payload = Payload { conversation, reply: Some(reply), text: text.to_owned() };
        let Ok(payload) = serde_json::to_string(&payload) else { return };
        let channel = format!("{}{TOPIC}", prefix(tenant));
        let published: Result<(), _> = self.connection().publish(channel, payload).await;
        if let Err(error) = published {
            tracing::debug!(%error, "a part of a reply was not shown");
        }
    }

    /// Of all tenants, until `shutdown`. While Redis is down there are none.
    pub fn partials(&self, shutdown: CancellationToken) -> mpsc::Receiver<Partial> {
        let (sender, receiver) = mpsc::channel(BUFFER);
        let client = self.client();
        tokio::spawn(async move {
            let forward = async {
                while !sender.is_closed() {
                    if let Err(error) = forward(&client, &sender).await {
                        tracing::debug!(%error, "cannot listen for parts of replies");
                    }
                    sleep(RECONNECT).await;
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = sender.closed() => {}
                () = forward => {}
            }
        });
        receiver
    }
}

async fn forward(client: &redis::Client, sender: &mpsc::Sender<Partial>) -> redis::RedisResult<()> {
    let mut connection = client.get_async_pubsub().await?;
    connection.psubscribe(format!("kt:*:{TOPIC}")).await?;
    let mut messages = connection.on_message();
    while let Some(message) = messages.next().await {
        let Some(tenant) = tenant_of(message.get_channel_name()) else { continue };
        let Ok(payload) = serde_json::from_slice::<Payload>(message.get_payload_bytes()) else { continue };
        let Payload { conversation, reply, text } = payload;
        let partial = Partial { tenant, conversation, reply, text };
        // Who does not keep up gets a later one, which holds this one too.
        let _ = sender.try_send(partial);
    }
    Ok(())
}

/// The channel says whose it is, and Redis who may use it; the payload is not asked.
fn tenant_of(channel: &str) -> Option<TenantId> {
    let (tenant, topic) = channel.strip_prefix("kt:")?.split_once(':')?;
    (topic == TOPIC).then(|| tenant.parse().ok()).flatten()
}
