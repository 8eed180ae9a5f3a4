//! Replies that were given up, and what a person decides about them.

use konstruct_domain::ids::ReplyId;
use konstruct_domain::{ConversationId, TenantId};

use crate::{Result, Store};

/// A reply that waits or was given up. Without its text, which is nobody's business here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    pub reply: ReplyId,
    pub conversation: ConversationId,
    pub connection: String,
    pub attempt: u32,
    pub reason: String,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// A try to send it may have succeeded: sending it again asks the platform first.
    pub in_doubt: bool,
}

/// What to do with a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterAction {
    /// Send it, with all its tries before it again.
    Retry,
    /// Delete it.
    Drop,
}

/// How much is in a tenant's outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxDepth {
    pub pending: i64,
    pub dead: i64,
}

impl Store {
    pub async fn outbox_depth(&self, tenant: TenantId) -> Result<OutboxDepth> {
        let mut transaction = self.begin(tenant).await?;
        let depth = sqlx::query_as!(
            OutboxDepth,
            r#"select count(*) filter (where state = 'pending') as "pending!",
                 count(*) filter (where state = 'dead') as "dead!" from konstruct.outbox"#
        )
        .fetch_one(&mut *transaction)
        .await?;
        Ok(depth)
    }

    pub async fn dead_letters(&self, tenant: TenantId) -> Result<Vec<DeadLetter>> {
        let mut transaction = self.begin(tenant).await?;
        let letters = sqlx::query!(
            r#"select reply_id, conversation_id, connection, attempt, coalesce(last_error, '') as "reason!", in_doubt,
                 to_char(created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as "created_at!"
               from konstruct.outbox where state = 'dead' order by outbox_seq"#
        )
        .fetch_all(&mut *transaction)
        .await?;
        Ok(letters
            .into_iter()
            .map(|row| DeadLetter {
                reply: ReplyId::new(row.reply_id),
                conversation: ConversationId::new(row.conversation_id),
                connection: row.connection,
                attempt: row.attempt.unsigned_abs(),
                reason: row.reason,
                created_at: row.created_at,
                in_doubt: row.in_doubt,
            })
            .collect())
    }

    /// Acts on these dead letters, or on all of the tenant's. Returns those that it acted on, each with a record of who
    /// did it.
    pub async fn resolve_dead_letters(
        &self,
        tenant: TenantId,
        replies: Option<&[ReplyId]>,
        action: LetterAction,
        actor: &str,
    ) -> Result<Vec<ReplyId>> {
        let only: Option<Vec<_>> = replies.map(|replies| replies.iter().map(|id| id.as_uuid()).collect());
        let mut transaction = self.begin(tenant).await?;
        let (done, name) = match action {
            LetterAction::Retry => (
                sqlx::query_scalar!(
                    "update konstruct.outbox
                     set state = 'pending', attempt = 0, waits = 0, due_at = now(), fence = fence + 1, last_error = null
                     where state = 'dead' and ($1::uuid[] is null or reply_id = any($1)) returning reply_id",
                    only.as_deref()
                )
                .fetch_all(&mut *transaction)
                .await?,
                "outbox.retry",
            ),
            LetterAction::Drop => (
                sqlx::query_scalar!(
                    "delete from konstruct.outbox
                     where state = 'dead' and ($1::uuid[] is null or reply_id = any($1)) returning reply_id",
                    only.as_deref()
                )
                .fetch_all(&mut *transaction)
                .await?,
                "outbox.drop",
            ),
        };
        sqlx::query!(
            "insert into konstruct.audit (actor, action, subject)
             select $1, $2, 'reply/' || reply from unnest($3::uuid[]) as reply",
            actor,
            name,
            &done
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.into_iter().map(ReplyId::new).collect())
    }
}
