//! The outbox: replies on their way to a platform, in order within a conversation.

pub(crate) mod letters;
mod sent;

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use konstruct_domain::ids::ReplyId;
use konstruct_domain::message::ReplyTarget;
use konstruct_domain::{ConnectionName, ConversationId, TenantId};
use sqlx::PgConnection;

use crate::conversation::held;
use crate::scan::{Scan, Seen};
use crate::{Error, Result, Store};

pub use letters::{DeadLetter, LetterAction, OutboxDepth};
pub(crate) use sent::{Sent, commit_to};

/// Longer than any try to send may take.
const LEASE_SECONDS: f64 = 60.0;
/// Replies that one look at the queue goes over.
const LOOK: i64 = 256;

/// A reply leased to this sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxItem {
    pub reply: ReplyId,
    pub conversation: ConversationId,
    pub connection: ConnectionName,
    pub target: ReplyTarget,
    pub text: String,
    /// Which try this is, from 1. Those that ended with a wish to wait are not counted.
    pub attempt: u32,
    /// How often the platform has asked to wait.
    pub waits: u32,
    /// An earlier try may have been delivered: ask the platform before sending.
    pub in_doubt: bool,
    /// Something is shown in the conversation that this reply may have to end.
    pub streamed: bool,
    pub fence: i64,
}

impl Store {
    /// Leases the oldest reply that is due and has no unsent reply before it in its conversation.
    pub async fn claim_outbox(&self, tenant: TenantId, owner: &str) -> Result<Option<OutboxItem>> {
        self.claim_outbox_except(tenant, owner, &[]).await
    }

    /// The same, leaving out what goes over some connections.
    pub async fn claim_outbox_except(
        &self,
        tenant: TenantId,
        owner: &str,
        except: &[ConnectionName],
    ) -> Result<Option<OutboxItem>> {
        let except: Vec<_> = except.iter().map(|name| name.as_str().to_owned()).collect();
        let mut from = self.with_scan(tenant, |scan| scan.position());
        let mut whole_pass = from.is_at_start();
        loop {
            let mut transaction = self.begin(tenant).await?;
            let (seen, item) = look(&mut transaction, owner, from.cursor, &except).await?;
            transaction.commit().await?;
            let (ended, next) =
                self.with_scan(tenant, |scan| (scan.advance(Instant::now(), from, seen), scan.position()));
            from = next;
            if item.is_some() || (ended && std::mem::replace(&mut whole_pass, true)) {
                return Ok(item);
            }
        }
    }

    fn with_scan<T>(&self, tenant: TenantId, use_it: impl FnOnce(&mut Scan) -> T) -> T {
        let mut scans: MutexGuard<'_, HashMap<_, _>> =
            self.outbox_scans().lock().unwrap_or_else(PoisonError::into_inner);
        use_it(scans.entry(tenant).or_insert_with(|| Scan::new(Instant::now())))
    }

    /// What was sent leaves the outbox, together with what others have just sent.
    pub async fn outbox_sent(
        &self,
        tenant: TenantId,
        item: &OutboxItem,
        platform_message_id: Option<&str>,
    ) -> Result<()> {
        let sent = Sent {
            tenant,
            reply: item.reply,
            fence: item.fence,
            message_id: platform_message_id.map(str::to_owned),
        };
        held(u64::from(self.sent().submit(sent).await?))
    }

    /// Gives the reply back to be tried after a while. `waited` says that the platform asked for it, which uses up no try,
    /// and `sent_unknown` that this try may have been delivered. What was made due during the try is due at once: the try
    /// may not have seen why.
    pub async fn outbox_retry(
        &self,
        tenant: TenantId,
        item: &OutboxItem,
        after: Duration,
        reason: &str,
        waited: bool,
        sent_unknown: bool,
    ) -> Result<()> {
        let mut transaction = self.begin(tenant).await?;
        let updated = sqlx::query!(
            "update konstruct.outbox set lease_owner = null, lease_until = null, in_doubt = $5, last_error = $4,
                 attempt = attempt - $6::integer, waits = waits + $6::integer,
                 due_at = case when due_at > lease_until - make_interval(secs => $7) then due_at
                     else now() + make_interval(secs => $3) end
             where reply_id = $1 and fence = $2 and state = 'pending' and lease_owner is not null",
            item.reply.as_uuid(),
            item.fence,
            after.as_secs_f64(),
            reason,
            sent_unknown,
            i32::from(waited),
            LEASE_SECONDS
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
             where reply_id = $1 and fence = $2 and state = 'pending' and lease_owner is not null",
            item.reply.as_uuid(),
            item.fence,
            reason
        )
        .execute(&mut *transaction)
        .await?;
        held(updated.rows_affected())?;
        letters::record(&mut transaction, item.reply, reason).await?;
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

/// One look at the chosen tenant's queue, behind a position.
async fn look(
    connection: &mut PgConnection,
    owner: &str,
    cursor: i64,
    except: &[String],
) -> Result<(Seen, Option<OutboxItem>)> {
    // Materialised: a join that ran the selection again would lease another reply, which nobody sends.
    let row = sqlx::query!(
        r#"with scanned as materialized (
             select p.tenant_id, p.reply_id, p.outbox_seq from konstruct.outbox p
             where p.state = 'pending' and p.outbox_seq > $3 order by p.outbox_seq limit $4
         ), next as materialized (
             select p.tenant_id, p.reply_id, p.in_doubt
             from scanned s join konstruct.outbox p using (tenant_id, reply_id)
             where p.state = 'pending' and p.due_at <= now()
             and (p.lease_until is null or p.lease_until < now())
             and p.connection <> all($5)
             and not exists (select from konstruct.outbox e
                             where e.tenant_id = p.tenant_id and e.conversation_id = p.conversation_id
                             and e.state = 'pending' and e.outbox_seq < p.outbox_seq)
             order by p.outbox_seq limit 1 for update of p skip locked
         ), leased as (
             update konstruct.outbox o
             set lease_owner = $1, lease_until = now() + make_interval(secs => $2), fence = o.fence + 1,
                 attempt = o.attempt + 1, in_doubt = true
             from next
             where (o.tenant_id, o.reply_id) = (next.tenant_id, next.reply_id)
             returning o.reply_id, o.conversation_id, o.connection, o.reply_to, o.body, o.attempt, o.waits, o.fence,
                 o.outbox_seq, next.in_doubt,
                 exists (select from konstruct.reply_stream s
                         where s.tenant_id = o.tenant_id and s.conversation_id = o.conversation_id) as streamed
         )
         select seen.first, seen.last, seen.rows as "rows!", l.reply_id as "reply_id?",
             l.conversation_id as "conversation_id?", l.connection as "connection?", l.reply_to as "reply_to?",
             l.body as "body?", l.attempt as "attempt?", l.waits as "waits?", l.fence as "fence?", l.in_doubt as "in_doubt?",
             l.streamed as "streamed?"
         from (select min(outbox_seq) as first, max(outbox_seq) as last, count(*) as rows from scanned) seen
         left join leased l on true"#,
        owner,
        LEASE_SECONDS,
        cursor,
        LOOK,
        except
    )
    .fetch_one(connection)
    .await?;
    let seen = Seen { first: row.first, last: row.last, full: row.rows == LOOK };
    let (Some(reply), Some(conversation), Some(connection), Some(target), Some(text)) =
        (row.reply_id, row.conversation_id, row.connection, row.reply_to, row.body)
    else {
        return Ok((seen, None));
    };
    let item = OutboxItem {
        reply: ReplyId::new(reply),
        conversation: ConversationId::new(conversation),
        connection: ConnectionName::try_from(connection)
            .map_err(|error| Error::Corrupt(format!("a connection's name {error}")))?,
        target: serde_json::from_value(target)?,
        text,
        attempt: row.attempt.unwrap_or_default().unsigned_abs(),
        waits: row.waits.unwrap_or_default().unsigned_abs(),
        in_doubt: row.in_doubt.unwrap_or(true),
        streamed: row.streamed.unwrap_or(true),
        fence: row.fence.unwrap_or_default(),
    };
    Ok((seen, Some(item)))
}
