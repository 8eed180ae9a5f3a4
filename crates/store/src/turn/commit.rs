//! One statement for all turns that have ended: leases, history, replies, records, and the messages out of the inbox.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use konstruct_domain::ids::ReplyId;
use sqlx::PgPool;
use uuid::Uuid;

use super::{Turn, TurnOutcome};
use crate::Result;
use crate::batch::Commit;
use crate::conversation::Claim;

/// What is written of a turn.
#[derive(Debug)]
pub(crate) struct Ended {
    conversation: Uuid,
    fence: i64,
    inbox_ids: Vec<i64>,
    reply: ReplyId,
    agent: String,
    turn: Turn,
}

impl Ended {
    pub(crate) fn new(claim: &Claim, turn: &Turn, reply: ReplyId) -> Self {
        Self {
            conversation: claim.conversation.as_uuid(),
            fence: claim.fence,
            inbox_ids: claim.messages.iter().map(|message| message.inbox_id).collect(),
            reply,
            agent: claim.agent.as_str().to_owned(),
            turn: turn.clone(),
        }
    }

    fn messages(&self) -> i32 {
        i32::try_from(self.inbox_ids.len()).unwrap_or(i32::MAX)
    }

    fn parked_reason(&self) -> Option<&str> {
        match &self.turn.outcome {
            TurnOutcome::Parked { reason } => Some(reason),
            TurnOutcome::Answered | TurnOutcome::ModelUnavailable | TurnOutcome::Stopped => None,
        }
    }
}

/// The commit of a batch, for a pool. The last line of each conversation's history after it; none where the lease was
/// lost, of which nothing is written.
pub(crate) fn commit_to(pool: PgPool) -> Commit<Ended, Option<i64>> {
    Box::new(move |turns: Arc<[Ended]>, range: Range<usize>| {
        let pool = pool.clone();
        Box::pin(async move { commit(&pool, &turns[range]).await })
    })
}

async fn commit(pool: &PgPool, turns: &[Ended]) -> Result<Vec<Option<i64>>> {
    fn column<'a, T>(turns: &'a [Ended], part: impl Fn(&'a Ended) -> T) -> Vec<T> {
        turns.iter().map(part).collect()
    }
    let messages = || turns.iter().flat_map(|t| t.inbox_ids.iter().map(move |id| (t.conversation, *id)));
    let (of_conversations, inbox_ids): (Vec<Uuid>, Vec<i64>) = messages().unzip();
    let told = turns.iter().flat_map(|t| t.turn.files.iter().map(move |file| (t.conversation, *file)));
    let (of_files, files): (Vec<Uuid>, Vec<Uuid>) = told.unzip();
    // Locking the states of the conversations comes first and proves that the leases are held: what has no lease joins with nothing.
    let rows = sqlx::query!(
        r#"with ended as materialized (
             select * from unnest($1::uuid[], $2::bigint[], $3::integer[], $4::uuid[], $5::text[], $6::text[], $7::text[],
                 $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[])
             as e (conversation_id, fence, messages, reply_id, reply, outcome, parked_reason, agent, agent_revision,
                 provider, model, tokens_in, tokens_out, elapsed_ms)
         ), held as (
             update konstruct.conversation_state s
             set lease_owner = null, lease_until = null, attempt = 0, last_seq = s.last_seq + e.messages + 1
             from ended e
             where s.conversation_id = e.conversation_id and s.fence = e.fence and s.lease_owner is not null
             returning s.tenant_id, s.last_seq, e.*
         ), finished as (
             delete from konstruct.inbox i
             using unnest($15::uuid[], $16::bigint[]) as m (conversation_id, inbox_id), held h
             where h.conversation_id = m.conversation_id
             and i.conversation_id = m.conversation_id and i.inbox_id = m.inbox_id
             returning i.inbox_id, i.conversation_id, i.author_id, i.body, i.received_at
         ), said as (
             insert into konstruct.history (tenant_id, conversation_id, seq, speaker, author_id, body)
             select h.tenant_id, h.conversation_id,
                 h.last_seq - h.messages - 1 + row_number() over (partition by f.conversation_id order by f.inbox_id),
                 'person', f.author_id, f.body
             from finished f join held h using (conversation_id)
             union all
             select h.tenant_id, h.conversation_id, h.last_seq, 'employee', null, h.reply from held h
         ), queued as (
             insert into konstruct.outbox (tenant_id, reply_id, conversation_id, connection, reply_to, body)
             select h.tenant_id, h.reply_id, h.conversation_id, c.connection, c.reply_to, h.reply
             from held h join konstruct.conversation c using (tenant_id, conversation_id)
         ), recorded as (
             insert into konstruct.turn (tenant_id, reply_id, conversation_id, agent, agent_revision, provider, model,
                 tokens_in, tokens_out, outcome, messages, elapsed_ms)
             select tenant_id, reply_id, conversation_id, agent, agent_revision, provider, model, tokens_in, tokens_out,
                 outcome, messages, elapsed_ms from held
         ), audited as (
             insert into konstruct.audit (tenant_id, actor, action, subject, detail)
             select tenant_id, 'agent/' || agent, 'turn.' || outcome, 'conversation/' || conversation_id,
                 jsonb_build_object('reply', reply_id, 'revision', agent_revision, 'provider', provider, 'model', model)
             from held
         ), set_aside as (
             insert into konstruct.parked (tenant_id, inbox_id, conversation_id, author_id, body, reason, received_at)
             select h.tenant_id, f.inbox_id, f.conversation_id, f.author_id, f.body, h.parked_reason, f.received_at
             from finished f join held h using (conversation_id) where h.parked_reason is not null
         ), told as (
             update konstruct.media m set late = false
             from unnest($17::uuid[], $18::uuid[]) as t (conversation_id, media_id), held h
             where h.conversation_id = t.conversation_id and m.tenant_id = h.tenant_id and m.media_id = t.media_id
             and m.conversation_id = h.conversation_id and m.late
         )
         select reply_id as "reply_id!", last_seq from held"#,
        &column(turns, |t| t.conversation),
        &column(turns, |t| t.fence),
        &column(turns, Ended::messages),
        &column(turns, |t| t.reply.as_uuid()),
        column(turns, |t| t.turn.reply.as_str()) as Vec<&str>,
        column(turns, |t| t.turn.outcome.as_str()) as Vec<&str>,
        column(turns, Ended::parked_reason) as Vec<Option<&str>>,
        column(turns, |t| t.agent.as_str()) as Vec<&str>,
        column(turns, |t| t.turn.agent_revision.as_str()) as Vec<&str>,
        column(turns, |t| t.turn.provider.as_deref()) as Vec<Option<&str>>,
        column(turns, |t| t.turn.model.as_deref()) as Vec<Option<&str>>,
        &column(turns, |t| t.turn.tokens_in),
        &column(turns, |t| t.turn.tokens_out),
        &column(turns, |t| i64::try_from(t.turn.elapsed.as_millis()).unwrap_or(i64::MAX)),
        &of_conversations,
        &inbox_ids,
        &of_files,
        &files
    )
    .fetch_all(pool)
    .await?;
    let lines: HashMap<Uuid, i64> = rows.into_iter().map(|row| (row.reply_id, row.last_seq)).collect();
    Ok(turns.iter().map(|turn| lines.get(&turn.reply.as_uuid()).copied()).collect())
}
