//! The lease on a conversation: one worker at a time, named by a fencing token that every later write is checked
//! against.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use konstruct_domain::ids::ReplyId;
use konstruct_domain::{AgentName, ConversationId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::scan::{Scan, Seen};
use crate::{Error, Result, TenantStore};

/// Most messages that one turn takes. The rest follow in the next.
const MESSAGES_PER_TURN: u32 = 50;
/// Messages that one look at the queue goes over: some for each conversation that is wanted, and more where the first
/// found nothing.
const LOOK_LEAST: usize = 32;
const LOOK_MOST: usize = 2048;
/// Somebody who goes on writing is answered after so many quiet times.
const QUIET_TIMES: f64 = 10.0;

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
    /// In the order they arrived. Never empty, unless somebody else has just answered them.
    pub messages: Vec<PendingMessage>,
    /// Files of earlier messages have arrived since.
    pub late_files: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingMessage {
    pub inbox_id: i64,
    pub author_id: String,
    pub text: String,
    /// Milliseconds from its commit to this claim.
    pub waited_ms: i64,
}

impl Claim {
    /// The reply that this turn comes to.
    pub fn reply(&self) -> ReplyId {
        ReplyId::derive(self.conversation, self.messages.last().map_or(0, |message| message.inbox_id))
    }
}

/// What one look goes over.
enum Among<'a> {
    /// So many messages.
    Next(i64),
    /// The first message of each of these conversations.
    Of(&'a [ConversationId]),
}

/// What one look has come to.
struct Look {
    seen: Seen,
    /// In no order, and without their messages.
    leased: Vec<Claim>,
    /// Somebody else has leased all that were chosen, so the look says nothing about the others.
    came_second: bool,
}

/// What a worker asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The name that it holds leases under.
    pub owner: &'a str,
    pub lease: Duration,
    /// A conversation rests for so long after its last message: what is written in one go is answered in one go.
    pub quiet: Duration,
    pub conversations: usize,
    /// Most messages of a conversation.
    pub messages: u32,
}

impl TenantStore {
    /// Leases the conversation that has waited longest.
    pub async fn claim(&self, owner: &str, lease: Duration) -> Result<Option<Claim>> {
        let quiet = Duration::ZERO;
        let wanted = Wanted { owner, lease, quiet, conversations: 1, messages: MESSAGES_PER_TURN };
        Ok(self.claim_many(wanted).await?.pop())
    }

    /// Leases conversations in the order of their oldest message, of those that are this runtime's: an agent's snapshot
    /// in force says whose they are, so a conversation has one owner at any time, also while that changes. None means
    /// that there are none; less than wanted does not mean that there are no more.
    pub async fn claim_many(&self, wanted: Wanted<'_>) -> Result<Vec<Claim>> {
        let mut connection = self.pool().acquire().await?;
        let mut whole_pass = self.scan().position().is_at_start();
        let mut rows = (2 * wanted.conversations).clamp(LOOK_LEAST, LOOK_MOST);
        loop {
            let from = self.scan().position();
            let most = i64::try_from(rows).unwrap_or(i64::MAX);
            let look = self.look(&mut connection, wanted, from.cursor, Among::Next(most)).await?;
            if look.came_second {
                continue;
            }
            let ended = self.scan().advance(Instant::now(), from, look.seen);
            if !look.leased.is_empty() {
                return messages_of(&mut connection, look.leased, from.base, wanted.messages).await;
            }
            if ended && std::mem::replace(&mut whole_pass, true) {
                return Ok(Vec::new());
            }
            rows = (4 * rows).min(LOOK_MOST);
        }
    }

    /// The same among some conversations only, whose turns have just ended: those who wait elsewhere are not looked at.
    pub async fn claim_of(&self, conversations: &[ConversationId], wanted: Wanted<'_>) -> Result<Vec<Claim>> {
        let mut connection = self.pool().acquire().await?;
        let base = self.scan().position().base;
        let Look { leased, .. } = self.look(&mut connection, wanted, base, Among::Of(conversations)).await?;
        if leased.is_empty() {
            return Ok(leased);
        }
        messages_of(&mut connection, leased, base, wanted.messages).await
    }

    fn scan(&self) -> MutexGuard<'_, Scan> {
        self.inbox_scan().lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One look at the queue, behind a position.
    async fn look(
        &self,
        connection: &mut PgConnection,
        wanted: Wanted<'_>,
        cursor: i64,
        among: Among<'_>,
    ) -> Result<Look> {
        let (most, conversations) = match among {
            Among::Next(most) => (most, None),
            Among::Of(some) => (0, Some(some.iter().map(|id| id.as_uuid()).collect::<Vec<_>>())),
        };
        // Materialised: a join that ran the selection again would lease a second time, for nobody. `offset 0` keeps the
        // order of those who wait, so that no more conversations are looked at than are wanted. Of a conversation's state
        // the newest is taken: older ones may be there for as long as somebody's snapshot is. Whoever leased one since ours
        // has raised its fence, so that the update meets no row. Nobody waits for the lease to be on disk: if PostgreSQL dies
        // and forgets one, two may have the same fence, of whom the first to commit ends the lease for both.
        let rows = sqlx::query!(
            r#"with dedicated as materialized (
                 select coalesce(array_agg(name), '{}') as names
                 from konstruct.snapshot_head join konstruct.snapshot s using (tenant_id, kind, name, revision)
                 where kind = 'Agent' and s.body @> '{"dedicated": true}'
             ), scanned as materialized (
                 (select i.tenant_id, i.conversation_id, i.inbox_id from konstruct.inbox i
                  where i.inbox_id > $4 order by i.inbox_id limit $5)
                 union all
                 select i.tenant_id, i.conversation_id, i.inbox_id from unnest($9::uuid[]) as c (id)
                 cross join lateral (
                     select * from konstruct.inbox i where i.conversation_id = c.id and i.inbox_id > $4
                     order by i.inbox_id limit 1) i
             ), next as materialized (
                 select c.tenant_id, c.conversation_id, c.agent, s.fence,
                     exists (select from konstruct.media m
                             where m.tenant_id = c.tenant_id and m.conversation_id = c.conversation_id and m.late)
                     as late_files
                 from (select tenant_id, conversation_id, min(inbox_id) as inbox_id from scanned
                       group by 1, 2 order by 3 offset 0) waiting
                 join konstruct.conversation c using (tenant_id, conversation_id)
                 left join lateral (
                     select s.fence, s.retry_at, s.lease_until from konstruct.conversation_state s
                     where s.tenant_id = c.tenant_id and s.conversation_id = c.conversation_id
                     order by s.fence desc limit 1) s on true
                 where (s.retry_at is null or s.retry_at <= now())
                 and (s.lease_until is null or s.lease_until < now())
                 and (c.files_until is null or c.files_until <= now())
                 and case when $3::text is null then c.agent <> all((select names from dedicated)::text[])
                     else c.agent = $3 and c.agent = any((select names from dedicated)::text[]) end
                 and ($7::float8 = 0 or (
                     select i.received_at from konstruct.inbox i
                     where i.tenant_id = c.tenant_id and i.conversation_id = c.conversation_id
                     order by i.inbox_id desc limit 1) <= clock_timestamp() - make_interval(secs => $7)
                     or (select i.received_at from konstruct.inbox i
                     where i.tenant_id = c.tenant_id and i.conversation_id = c.conversation_id
                     order by i.inbox_id limit 1) <= clock_timestamp() - make_interval(secs => $7 * $8::float8))
                 order by waiting.inbox_id limit $6 for update of c skip locked
             ), again as (
                 update konstruct.conversation_state s
                 set lease_owner = $1, lease_until = now() + make_interval(secs => $2), fence = s.fence + 1,
                     attempt = s.attempt + 1
                 from next n
                 where (s.tenant_id, s.conversation_id, s.fence) = (n.tenant_id, n.conversation_id, n.fence)
                 returning s.conversation_id, s.fence, s.last_seq, s.attempt, n.agent, n.late_files
             ), first as (
                 insert into konstruct.conversation_state (conversation_id, fence, lease_owner, lease_until, attempt)
                 select n.conversation_id, 1, $1, now() + make_interval(secs => $2), 1 from next n where n.fence is null
                 on conflict do nothing
                 returning conversation_id, fence, last_seq, attempt
             ), leased as (
                 select * from again
                 union all
                 select f.*, n.agent, n.late_files from first f join next n using (conversation_id)
             )
             select seen.first, seen.last, seen.rows as "rows!", seen.unsynced as "unsynced!",
                 (select count(*) from next) as "chosen!", l.conversation_id as "conversation_id?", l.fence as "fence?",
                 l.agent as "agent?", l.last_seq as "last_seq?", l.attempt as "attempt?", l.late_files as "late_files?"
             from (select min(inbox_id) as first, max(inbox_id) as last, count(*) as rows,
                       set_config('synchronous_commit', 'off', true) as unsynced from scanned) seen
             left join leased l on true"#,
            wanted.owner,
            wanted.lease.as_secs_f64(),
            self.agent().map(AgentName::as_str),
            cursor,
            most,
            i64::try_from(wanted.conversations).unwrap_or(i64::MAX),
            wanted.quiet.as_secs_f64(),
            QUIET_TIMES,
            conversations.as_deref()
        )
        .fetch_all(connection)
        .await?;
        let (seen, chosen) = rows.first().map_or_else(Default::default, |row| {
            (Seen { first: row.first, last: row.last, full: row.rows == most }, row.chosen)
        });
        let mut claims = Vec::with_capacity(rows.len());
        for row in rows {
            let (Some(conversation), Some(fence), Some(agent)) = (row.conversation_id, row.fence, row.agent)
            else {
                continue;
            };
            claims.push(Claim {
                conversation: ConversationId::new(conversation),
                fence,
                agent: AgentName::try_from(agent)
                    .map_err(|error| Error::Corrupt(format!("an agent's name {error}")))?,
                last_seq: row.last_seq.unwrap_or_default(),
                attempt: row.attempt.unwrap_or_default().unsigned_abs(),
                messages: Vec::new(),
                late_files: row.late_files.unwrap_or_default(),
            });
        }
        Ok(Look { seen, came_second: chosen > 0 && claims.is_empty(), leased: claims })
    }

    /// Extends the lease while a turn is under way.
    pub async fn renew(&self, claim: &Claim, lease: Duration) -> Result<()> {
        let renewed = sqlx::query!(
            "update konstruct.conversation_state set lease_until = now() + make_interval(secs => $3)
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
        self.end_try(claim, delay, true).await
    }

    /// The same after a try that says nothing about the messages, because of an outage or a shutdown: it does not count.
    pub async fn give_back(&self, claim: &Claim, delay: Duration) -> Result<()> {
        self.end_try(claim, delay, false).await
    }

    async fn end_try(&self, claim: &Claim, delay: Duration, counts: bool) -> Result<()> {
        let released = sqlx::query!(
            "update konstruct.conversation_state
             set lease_owner = null, lease_until = null, retry_at = now() + make_interval(secs => $3),
                 attempt = attempt - case when $4 then 0 else 1 end
             where conversation_id = $1 and fence = $2 and lease_owner is not null",
            claim.conversation.as_uuid(),
            claim.fence,
            delay.as_secs_f64(),
            counts
        )
        .execute(self.pool())
        .await?;
        held(released.rows_affected())
    }
}

/// Read after the leases were taken: what somebody else answered just before is not seen any more.
async fn messages_of(
    connection: &mut PgConnection,
    mut claims: Vec<Claim>,
    base: i64,
    most: u32,
) -> Result<Vec<Claim>> {
    let conversations: Vec<Uuid> = claims.iter().map(|claim| claim.conversation.as_uuid()).collect();
    let rows = sqlx::query!(
        r#"select c.id as "conversation_id!", i.inbox_id as "inbox_id!", i.author_id as "author_id!",
             i.body as "body!",
             (extract(epoch from clock_timestamp() - i.received_at) * 1000)::bigint as "waited_ms!"
         from unnest($1::uuid[]) as c (id)
         cross join lateral (
             select * from konstruct.inbox i where i.conversation_id = c.id and i.inbox_id > $2
             order by i.inbox_id limit $3) i
         order by i.inbox_id"#,
        &conversations,
        base,
        i64::from(most)
    )
    .fetch_all(connection)
    .await?;
    let mut messages: HashMap<Uuid, Vec<PendingMessage>> = HashMap::with_capacity(claims.len());
    for row in rows {
        messages.entry(row.conversation_id).or_default().push(PendingMessage {
            inbox_id: row.inbox_id,
            author_id: row.author_id,
            text: row.body,
            waited_ms: row.waited_ms,
        });
    }
    for claim in &mut claims {
        claim.messages = messages.remove(&claim.conversation.as_uuid()).unwrap_or_default();
    }
    // The update returns them in no order.
    claims.sort_by_key(|claim| claim.messages.first().map_or(i64::MAX, |message| message.inbox_id));
    Ok(claims)
}

/// A write that was checked against the fencing token and met no row came too late.
pub(crate) fn held(rows: u64) -> Result<()> {
    if rows == 0 { Err(Error::LeaseLost) } else { Ok(()) }
}
