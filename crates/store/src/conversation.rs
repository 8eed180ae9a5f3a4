//! The lease on a conversation: one worker at a time, named by a fencing token that every later write is checked
//! against.

use std::time::Duration;

use konstruct_domain::{AgentName, ConversationId};

use crate::{Error, Result, TenantStore};

/// Most messages that one turn takes. The rest follow in the next.
const MESSAGES_PER_TURN: i64 = 50;

/// A conversation leased to this worker, with everything in it that waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub conversation: ConversationId,
    pub fence: i64,
    pub agent: AgentName,
    /// Lines of history before this turn.
    pub last_seq: i64,
    /// Which try this is at these messages, from 1.
    pub attempt: u32,
    /// In the order they arrived. Never empty.
    pub messages: Vec<PendingMessage>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingMessage {
    pub inbox_id: i64,
    pub author_id: String,
    pub text: String,
    /// Milliseconds from its commit to this claim.
    pub waited_ms: i64,
}

impl TenantStore {
    /// Leases the conversation that has waited longest, of those that are this runtime's: an agent's snapshot in force
    /// says whose they are, so a conversation has one owner at any time, also while that changes.
    pub async fn claim(&self, owner: &str, lease: Duration) -> Result<Option<Claim>> {
        let mut connection = self.pool().acquire().await?;
        // Materialised: a join that ran the selection again would lease a second conversation, which nobody works on.
        let leased = sqlx::query!(
            "with next as materialized (
                 select c.tenant_id, c.conversation_id
                 from konstruct.inbox i join konstruct.conversation c using (tenant_id, conversation_id)
                 cross join lateral (
                     select exists (
                         select from konstruct.snapshot_head join konstruct.snapshot s
                         using (tenant_id, kind, name, revision)
                         where kind = 'Agent' and name = c.agent and s.body @> '{\"dedicated\": true}'
                     ) as dedicated
                 ) a
                 where i.state = 'pending' and c.retry_at <= now()
                 and (c.lease_until is null or c.lease_until < now())
                 and case when $3::text is null then not a.dedicated else a.dedicated and c.agent = $3 end
                 order by i.inbox_id limit 1 for update of c skip locked)
             update konstruct.conversation c
             set lease_owner = $1, lease_until = now() + make_interval(secs => $2), fence = c.fence + 1,
                 attempt = c.attempt + 1
             from next
             where (c.tenant_id, c.conversation_id) = (next.tenant_id, next.conversation_id)
             returning c.conversation_id, c.fence, c.agent, c.last_seq, c.attempt",
            owner,
            lease.as_secs_f64(),
            self.agent().map(AgentName::as_str)
        )
        .fetch_optional(&mut *connection)
        .await?;
        let Some(leased) = leased else {
            return Ok(None);
        };
        let messages = sqlx::query_as!(
            PendingMessage,
            r#"select inbox_id, author_id, body as text,
                 (extract(epoch from clock_timestamp() - received_at) * 1000)::bigint as "waited_ms!"
             from konstruct.inbox
             where conversation_id = $1 and state = 'pending' order by inbox_id limit $2"#,
            leased.conversation_id,
            MESSAGES_PER_TURN
        )
        .fetch_all(&mut *connection)
        .await?;
        Ok(Some(Claim {
            conversation: ConversationId::new(leased.conversation_id),
            fence: leased.fence,
            agent: AgentName::try_from(leased.agent)
                .map_err(|error| Error::Corrupt(format!("an agent's name {error}")))?,
            last_seq: leased.last_seq,
            attempt: leased.attempt.unsigned_abs(),
            messages,
        }))
    }

    /// Extends the lease while a turn is under way.
    pub async fn renew(&self, claim: &Claim, lease: Duration) -> Result<()> {
        let renewed = sqlx::query!(
            "update konstruct.conversation set lease_until = now() + make_interval(secs => $3)
             where conversation_id = $1 and fence = $2 and lease_owner is not null",
            claim.conversation.as_uuid(),
            claim.fence,
            lease.as_secs_f64()
        )
        .execute(self.pool())
        .await?;
        held(renewed.rows_affected())
    }

    /// Gives the lease back without an answer. The messages stay pending and are claimed again after `delay`.
    pub async fn retry_later(&self, claim: &Claim, delay: Duration) -> Result<()> {
        let released = sqlx::query!(
            "update konstruct.conversation
             set lease_owner = null, lease_until = null, retry_at = now() + make_interval(secs => $3)
             where conversation_id = $1 and fence = $2 and lease_owner is not null",
            claim.conversation.as_uuid(),
            claim.fence,
            delay.as_secs_f64()
        )
        .execute(self.pool())
        .await?;
        held(released.rows_affected())
    }
}

/// A write that was checked against the fencing token and met no row came too late.
pub(crate) fn held(rows: u64) -> Result<()> {
    if rows == 0 { Err(Error::LeaseLost) } else { Ok(()) }
}
