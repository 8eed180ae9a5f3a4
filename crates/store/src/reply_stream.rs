//! Messages in which replies are shown while they are written.

use konstruct_domain::delivery::StreamedMessage;
use konstruct_domain::ids::ReplyId;
use konstruct_domain::{ConversationId, TenantId};

use crate::{Result, Store};

/// Longer than a call that changes a message.
const BUSY_SECONDS: f64 = 15.0;

impl Store {
    /// A message is about to be begun. False when it must not be: the reply is there already, or something is shown in the
    /// conversation that its next reply has to end.
    pub async fn stream_begins(
        &self,
        tenant: TenantId,
        conversation: ConversationId,
        reply: ReplyId,
    ) -> Result<bool> {
        let mut transaction = self.begin(tenant).await?;
        // A turn ends by writing this row: its reply is either seen by the next statement, or sees what that writes.
        let known = sqlx::query_scalar!(
            "select conversation_id from konstruct.conversation_state where conversation_id = $1
             order by fence desc limit 1 for share",
            conversation.as_uuid()
        )
        .fetch_optional(&mut *transaction)
        .await?;
        if known.is_none() {
            return Ok(false);
        }
        let begun = sqlx::query!(
            "insert into konstruct.reply_stream (conversation_id, reply_id)
             select $1, $2
             where not exists (select from konstruct.outbox where reply_id = $2)
             and not exists (select from konstruct.outbox_sent where reply_id = $2)
             on conflict do nothing",
            conversation.as_uuid(),
            reply.as_uuid()
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(begun.rows_affected() > 0)
    }

    /// The platform has begun the message. False when the reply is being sent meanwhile, and ends it.
    pub async fn stream_begun(
        &self,
        tenant: TenantId,
        conversation: ConversationId,
        message_id: &str,
        edited: bool,
    ) -> Result<bool> {
        let mut transaction = self.begin(tenant).await?;
        let ending = sqlx::query_scalar!(
            "update konstruct.reply_stream set message_id = $2, edited = $3
             where conversation_id = $1 and message_id is null returning ending",
            conversation.as_uuid(),
            message_id,
            edited
        )
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(ending == Some(false))
    }

    /// The platform has certainly begun none.
    pub async fn stream_not_begun(&self, tenant: TenantId, conversation: ConversationId) -> Result<()> {
        let mut transaction = self.begin(tenant).await?;
        sqlx::query!(
            "delete from konstruct.reply_stream where conversation_id = $1 and message_id is null",
            conversation.as_uuid()
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The message is about to be changed, or was. False when it must not be, because the reply is being sent.
    pub async fn stream_changes(
        &self,
        tenant: TenantId,
        conversation: ConversationId,
        busy: bool,
    ) -> Result<bool> {
        let mut transaction = self.begin(tenant).await?;
        let updated = sqlx::query!(
            "update konstruct.reply_stream
             set busy_until = case when $2 then now() + make_interval(secs => $3) end
             where conversation_id = $1 and not (ending and $2)",
            conversation.as_uuid(),
            busy,
            BUSY_SECONDS
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(updated.rows_affected() > 0)
    }

    /// What the reply has to end, from now on nobody else's. A turn's reply also ends what an earlier try at the turn has
    /// left; a notice leaves what is being written alone.
    pub async fn take_stream(
        &self,
        tenant: TenantId,
        conversation: ConversationId,
        reply: ReplyId,
    ) -> Result<Option<StreamedMessage>> {
        let mut transaction = self.begin(tenant).await?;
        let taken = sqlx::query!(
            r#"update konstruct.reply_stream set ending = true, reply_id = $2
               where conversation_id = $1
               and (reply_id = $2 or exists (select from konstruct.turn t where t.reply_id = $2))
               returning message_id, edited, coalesce(busy_until > now(), false) as "busy!",
                   extract(epoch from now() - begun_at)::bigint as "seconds!""#,
            conversation.as_uuid(),
            reply.as_uuid()
        )
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(taken.map(|row| StreamedMessage {
            message_id: row.message_id,
            edited: row.edited,
            begun_seconds_ago: row.seconds.unsigned_abs(),
            busy: row.busy,
        }))
    }

    /// The message shows the whole reply, or there is none.
    pub async fn stream_ended(
        &self,
        tenant: TenantId,
        conversation: ConversationId,
        reply: ReplyId,
    ) -> Result<()> {
        let mut transaction = self.begin(tenant).await?;
        sqlx::query!(
            "delete from konstruct.reply_stream where conversation_id = $1 and reply_id = $2",
            conversation.as_uuid(),
            reply.as_uuid()
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }
}
