//! What a conversation is told before anybody works on it: that a limit is reached, or that nobody is there.

use konstruct_domain::ids::ReplyId;
use konstruct_domain::message::{Addressing, InboundMessage, ReplyTarget, Speaker};
use konstruct_domain::snapshot::ConnectionSnapshot;
use konstruct_domain::{ConversationId, TenantId};
use sqlx::PgConnection;

use crate::intake::storable;
use crate::{Error, Result, Store};

/// The same `matter` and `period` again is the same notice, and is sent once.
#[derive(Clone, Copy, Debug)]
pub struct Notice<'a> {
    pub matter: &'a str,
    pub period: &'a str,
    pub text: &'a str,
    /// Seconds since 1970 before which nobody works on the conversation. The notice is then a line of it.
    pub hold_until: Option<i64>,
}

/// The conversation that a message is of, whether or not it exists yet.
pub fn conversation_of(
    tenant: TenantId,
    connection: &ConnectionSnapshot,
    message: &InboundMessage,
) -> ConversationId {
    ConversationId::derive(tenant, &connection.name, &storable(&message.conversation_key))
}

impl Store {
    /// Tells the sender's conversation. True if it was news: wake the outbox then. In a thread in which the employee takes
    /// no part nothing is said.
    pub async fn notify(
        &self,
        tenant: TenantId,
        connection: &ConnectionSnapshot,
        message: &InboundMessage,
        notice: Notice<'_>,
    ) -> Result<bool> {
        let mut transaction = self.begin(tenant).await?;
        if !stays(&mut transaction, tenant).await? {
            return Err(Error::TenantLeaving);
        }
        let conversation = conversation_of(tenant, connection, message);
        let exists = match message.addressing {
            Addressing::Addressed => {
                open(&mut transaction, conversation, connection, message).await?;
                true
            }
            Addressing::FollowUp => exists(&mut transaction, conversation).await?,
        };
        if !exists {
            return Ok(false);
        }
        if let Some(until) = notice.hold_until {
            hold(&mut transaction, conversation, until).await?;
        }
        let reply = ReplyId::of_notice(conversation, notice.matter, notice.period);
        let target = &message.reply_to;
        let news = queue(&mut transaction, conversation, connection, target, reply, notice.text).await?;
        if news && notice.hold_until.is_some() {
            append(&mut transaction, conversation, notice.text).await?;
        }
        transaction.commit().await?;
        Ok(news)
    }

    /// Whether a message is for the employee: a thread's further messages are only where it takes part.
    pub async fn is_addressed(
        &self,
        tenant: TenantId,
        connection: &ConnectionSnapshot,
        message: &InboundMessage,
    ) -> Result<bool> {
        match message.addressing {
            Addressing::Addressed => Ok(true),
            Addressing::FollowUp => {
                let mut transaction = self.begin(tenant).await?;
                exists(&mut transaction, conversation_of(tenant, connection, message)).await
            }
        }
    }
}

/// Until the transaction ends nobody erases the tenant, so nothing is left behind of a conversation that is gone.
async fn stays(transaction: &mut PgConnection, tenant: TenantId) -> Result<bool> {
    let stays = sqlx::query_scalar!(
        r#"select pg_try_advisory_xact_lock_shared(konstruct.erasure($1)) as "stays!""#,
        tenant.as_uuid()
    )
    .fetch_one(transaction)
    .await?;
    Ok(stays)
}

async fn open(
    transaction: &mut PgConnection,
    conversation: ConversationId,
    channel: &ConnectionSnapshot,
    message: &InboundMessage,
) -> Result<()> {
    sqlx::query!(
        "insert into konstruct.conversation (conversation_id, connection, channel_type, conversation_key, agent, reply_to)
         values ($1, $2, $3, $4, $5, $6) on conflict (tenant_id, conversation_id) do nothing",
        conversation.as_uuid(),
        channel.name.as_str(),
        channel.channel.type_name(),
        storable(&message.conversation_key),
        channel.agent.as_str(),
        serde_json::to_value(&message.reply_to)?
    )
    .execute(transaction)
    .await?;
    Ok(())
}

async fn exists(transaction: &mut PgConnection, conversation: ConversationId) -> Result<bool> {
    let exists = sqlx::query_scalar!(
        r#"select exists (select from konstruct.conversation where conversation_id = $1) as "exists!""#,
        conversation.as_uuid()
    )
    .fetch_one(transaction)
    .await?;
    Ok(exists)
}

/// A turn that is under way may end; what comes in now waits.
async fn hold(transaction: &mut PgConnection, conversation: ConversationId, until: i64) -> Result<()> {
    touch(transaction, conversation).await?;
    sqlx::query!(
        "update konstruct.conversation_state
         set retry_at = greatest(retry_at, to_timestamp($2::bigint::double precision)) where conversation_id = $1",
        conversation.as_uuid(),
        until
    )
    .execute(transaction)
    .await?;
    Ok(())
}

/// False if it was told already.
pub(crate) async fn queue(
    transaction: &mut PgConnection,
    conversation: ConversationId,
    channel: &ConnectionSnapshot,
    target: &ReplyTarget,
    reply: ReplyId,
    text: &str,
) -> Result<bool> {
    let inserted = sqlx::query!(
        "insert into konstruct.outbox (reply_id, conversation_id, connection, reply_to, body)
         select $1, $2, $3, $4, $5
         where not exists (select from konstruct.outbox_sent where reply_id = $1)
         on conflict (tenant_id, reply_id) do nothing",
        reply.as_uuid(),
        conversation.as_uuid(),
        channel.name.as_str(),
        serde_json::to_value(target)?,
        text
    )
    .execute(transaction)
    .await?;
    Ok(inserted.rows_affected() > 0)
}

/// Before its state is changed by somebody who does not have the lease.
async fn touch(transaction: &mut PgConnection, conversation: ConversationId) -> Result<()> {
    sqlx::query!("select konstruct.touch_conversation($1)", conversation.as_uuid())
        .execute(transaction)
        .await?;
    Ok(())
}

/// Makes it a line of the conversation.
pub(crate) async fn append(
    transaction: &mut PgConnection,
    conversation: ConversationId,
    text: &str,
) -> Result<()> {
    touch(transaction, conversation).await?;
    sqlx::query!(
        "with line as (
             update konstruct.conversation_state set last_seq = last_seq + 1 where conversation_id = $1
             returning conversation_id, last_seq)
         insert into konstruct.history (conversation_id, seq, speaker, body)
         select conversation_id, last_seq, $2, $3 from line",
        conversation.as_uuid(),
        Speaker::Employee.as_str(),
        text
    )
    .execute(transaction)
    .await?;
    Ok(())
}
