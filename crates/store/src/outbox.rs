//! The outbox: replies on their way to a platform, in order within a conversation.

use std::time::Duration;

use konstruct_domain::ids::ReplyId;
use konstruct_domain::message::ReplyTarget;
use konstruct_domain::{ConnectionName, ConversationId, TenantId};

use crate::conversation::held;
use crate::{Error, Result, Store};

/// Longer than any try to send may take.
const LEASE_SECONDS: f64 = 60.0;

/// A reply leased to this sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxItem {
    pub reply: ReplyId,
    pub conversation: ConversationId,
    pub connection: ConnectionName,
    pub target: ReplyTarget,
    pub text: String,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// An earlier try may have been delivered: ask the platform before sending.
    pub in_doubt: bool,
    pub fence: i64,
}

impl Store {
    /// Leases the oldest reply that is due and has no unsent reply before it in its conversation.
    pub async fn claim_outbox(&self, tenant: TenantId, owner: &str) -> Result<Option<OutboxItem>> {
        let mut transaction = self.begin(tenant).await?;
        // Materialised: a join that ran the selection again would lease a second reply, which nobody sends.
        let row = sqlx::query!(
            "with next as materialized (
                 select p.tenant_id, p.reply_id, p.in_doubt from konstruct.outbox p
                 where p.state = 'pending' and p.due_at <= now()
                 and (p.lease_until is null or p.lease_until < now())
                 and not exists (select from konstruct.outbox e
                                 where e.tenant_id = p.tenant_id and e.conversation_id = p.conversation_id
                                 and e.state = 'pending' and e.outbox_seq < p.outbox_seq)
                 order by p.outbox_seq limit 1 for update skip locked)
             update konstruct.outbox o
             set lease_owner = $1, lease_until = now() + make_interval(secs => $2), fence = o.fence + 1,
                 attempt = o.attempt + 1, in_doubt = true
             from next
             where (o.tenant_id, o.reply_id) = (next.tenant_id, next.reply_id)
             returning o.reply_id, o.conversation_id, o.connection, o.reply_to, o.body, o.attempt, o.fence,
                 next.in_doubt",
            owner,
            LEASE_SECONDS
        )
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        row.map(|row| {
            Ok(OutboxItem {
                reply: ReplyId::new(row.reply_id),
                conversation: ConversationId::new(row.conversation_id),
                connection: ConnectionName::try_from(row.connection)
                    .map_err(|error| Error::Corrupt(format!("a connection's name {error}")))?,
                target: serde_json::from_value(row.reply_to)?,
                text: row.body,
                attempt: row.attempt.unsigned_abs(),
                in_doubt: row.in_doubt,
                fence: row.fence,
            })
        })
        .transpose()
    }

    pub async fn outbox_sent(
        &self,
        tenant: TenantId,
        item: &OutboxItem,
        platform_message_id: Option<&str>,
    ) -> Result<()> {
        let mut transaction = self.begin(tenant).await?;
        let updated = sqlx::query!(
            "update konstruct.outbox set state = 'sent', sent_at = now(), lease_owner = null, lease_until = null,
                 in_doubt = false, last_error = null, platform_message_id = $3
             where reply_id = $1 and fence = $2 and state = 'pending'",
            item.reply.as_uuid(),
            item.fence,
            platform_message_id
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        held(updated.rows_affected())
    }

    /// Gives the reply back to be tried after a while. `sent_unknown` says that this try may have been delivered.
    pub async fn outbox_retry(
        &self,
        tenant: TenantId,
        item: &OutboxItem,
        after: Duration,
        reason: &str,
        sent_unknown: bool,
    ) -> Result<()> {
        let mut transaction = self.begin(tenant).await?;
        let updated = sqlx::query!(
            "update konstruct.outbox set lease_owner = null, lease_until = null, in_doubt = $5, last_error = $4,
                 due_at = now() + make_interval(secs => $3)
             where reply_id = $1 and fence = $2 and state = 'pending'",
            item.reply.as_uuid(),
            item.fence,
            after.as_secs_f64(),
            reason,
            sent_unknown
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        held(updated.rows_affected())
    }

    /// Gives up on a reply. Later replies of its conversation are sent.
    pub async fn outbox_dead(&self, tenant: TenantId, item: &OutboxItem, reason: &str) -> Result<()> {
        let mut transaction = self.begin(tenant).await?;
        let updated = sqlx::query!(
            "update konstruct.outbox set state = 'dead', lease_owner = null, lease_until = null, last_error = $3
             where reply_id = $1 and fence = $2 and state = 'pending'",
            item.reply.as_uuid(),
            item.fence,
            reason
        )
        .execute(&mut *transaction)
        .await?;
        held(updated.rows_affected())?;
        sqlx::query!(
            "insert into konstruct.audit (actor, action, subject, detail)
             values ('gateway', 'outbox.dead', $1, jsonb_build_object('reason', $2::text))",
            format!("reply/{}", item.reply),
            reason
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// For the sweep that makes up for lost wake-ups.
    pub async fn tenants_with_due_outbox(&self) -> Result<Vec<TenantId>> {
        let ids = sqlx::query_scalar!(
            r#"select tenant as "tenant!" from konstruct.tenants_with_due_outbox() as tenant"#
        )
        .fetch_all(self.pool())
        .await?;
        Ok(ids.into_iter().map(TenantId::new).collect())
    }

    /// Tenants whose messages have waited so long that their wake-up must have been lost.
    pub async fn tenants_with_waiting_inbox(&self, older_than: Duration) -> Result<Vec<TenantId>> {
        let ids = sqlx::query_scalar!(
            r#"select tenant as "tenant!"
               from konstruct.tenants_with_waiting_inbox(make_interval(secs => $1)) as tenant"#,
            older_than.as_secs_f64()
        )
        .fetch_all(self.pool())
        .await?;
        Ok(ids.into_iter().map(TenantId::new).collect())
    }
}
