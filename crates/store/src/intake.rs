//! The inbox: what is committed here is never lost and never taken twice.

use konstruct_domain::ids::ReplyId;
use konstruct_domain::message::{Addressing, InboundMessage, Speaker};
use konstruct_domain::snapshot::{ConnectionSnapshot, Pause};
use konstruct_domain::{ConversationId, TenantId};
use sqlx::PgConnection;

use crate::{Result, Store};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Committed. Wake the tenant's runtime, and with `notice` the outbox: the sender is told that nobody answers now.
    New { conversation: ConversationId, notice: bool },
    /// This delivery, or this message in another delivery, is committed already.
    Duplicate,
    /// A message in a thread that the employee takes no part in. Nothing was stored.
    NotAddressed,
}

/// PostgreSQL's text cannot hold U+0000.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

impl Store {
    pub async fn accept(
        &self,
        tenant: TenantId,
        connection: &ConnectionSnapshot,
        message: &InboundMessage,
    ) -> Result<Accepted> {
        let mut transaction = self.begin(tenant).await?;
        let conversation = match message.addressing {
            Addressing::Addressed => {
                Some(open_conversation(&mut transaction, tenant, connection, message).await?)
            }
            Addressing::FollowUp => {
                joined_conversation(&mut transaction, tenant, connection, message).await?
            }
        };
        let Some(conversation) = conversation else {
            return Ok(Accepted::NotAddressed);
        };
        let inserted = sqlx::query!(
            "insert into konstruct.inbox (conversation_id, connection, event_id, message_id, author_id, body)
             values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
            conversation.as_uuid(),
            connection.name.as_str(),
            storable(&message.event_id),
            storable(&message.message_id),
            storable(&message.author_id),
            storable(&message.text)
        )
        .execute(&mut *transaction)
        .await?;
        if inserted.rows_affected() == 0 {
            return Ok(Accepted::Duplicate);
        }
        let notice = match &connection.pause {
            Some(pause) => announce(&mut transaction, connection, message, conversation, pause).await?,
            None => false,
        };
        transaction.commit().await?;
        Ok(Accepted::New { conversation, notice })
    }
}

/// Whether this is the conversation's first message in the pause.
async fn announce(
    transaction: &mut PgConnection,
    connection: &ConnectionSnapshot,
    message: &InboundMessage,
    conversation: ConversationId,
    pause: &Pause,
) -> Result<bool> {
    let inserted = sqlx::query!(
        "insert into konstruct.outbox (reply_id, conversation_id, connection, reply_to, body)
         values ($1, $2, $3, $4, $5) on conflict (tenant_id, reply_id) do nothing",
        ReplyId::of_pause(conversation, &pause.id).as_uuid(),
        conversation.as_uuid(),
        connection.name.as_str(),
        serde_json::to_value(&message.reply_to)?,
        pause.notice
    )
    .execute(&mut *transaction)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    let seq = sqlx::query_scalar!(
        "update konstruct.conversation set last_seq = last_seq + 1 where conversation_id = $1 returning last_seq",
        conversation.as_uuid()
    )
    .fetch_one(&mut *transaction)
    .await?;
    sqlx::query!(
        "insert into konstruct.history (conversation_id, seq, speaker, body) values ($1, $2, $3, $4)",
        conversation.as_uuid(),
        seq,
        Speaker::Employee.as_str(),
        pause.notice
    )
    .execute(transaction)
    .await?;
    Ok(true)
}

async fn open_conversation(
    connection: &mut PgConnection,
    tenant: TenantId,
    channel: &ConnectionSnapshot,
    message: &InboundMessage,
) -> Result<ConversationId> {
    let key = storable(&message.conversation_key);
    let id = ConversationId::derive(tenant, &channel.name, &key);
    sqlx::query!(
        "insert into konstruct.conversation as c
             (conversation_id, connection, channel_type, conversation_key, agent, reply_to)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (tenant_id, conversation_id)
         do update set agent = excluded.agent, reply_to = excluded.reply_to
         where (c.agent, c.reply_to) is distinct from (excluded.agent, excluded.reply_to)",
        id.as_uuid(),
        channel.name.as_str(),
        channel.channel.type_name(),
        key,
        channel.agent.as_str(),
        serde_json::to_value(&message.reply_to)?
    )
    .execute(connection)
    .await?;
    Ok(id)
}

async fn joined_conversation(
    connection: &mut PgConnection,
    tenant: TenantId,
    channel: &ConnectionSnapshot,
    message: &InboundMessage,
) -> Result<Option<ConversationId>> {
    let id = ConversationId::derive(tenant, &channel.name, &storable(&message.conversation_key));
    let joined = sqlx::query_scalar!(
        r#"select exists (select from konstruct.conversation where conversation_id = $1) as "joined!""#,
        id.as_uuid()
    )
    .fetch_one(connection)
    .await?;
    Ok(joined.then_some(id))
}
