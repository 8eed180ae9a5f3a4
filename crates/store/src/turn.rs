//! The end of a turn: everything it did, in one transaction.

use std::time::Duration;

use konstruct_domain::ids::ReplyId;
use konstruct_domain::message::Speaker;
use konstruct_domain::revision::Revision;
use serde_json::json;
use sqlx::PgConnection;

use crate::conversation::{Claim, held};
use crate::{Result, TenantStore};

/// What a turn came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What the person reads.
    pub reply: String,
    pub outcome: TurnOutcome,
    pub agent_revision: Revision,
    pub provider: Option<String>,
    pub model: Option<String>,
    pub tokens_in: i64,
    pub tokens_out: i64,
    pub elapsed: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TurnOutcome {
    Answered,
    /// No model could be reached; the person was told.
    ModelUnavailable,
    /// The turn failed too often; its messages are kept aside and the person was told.
    Parked {
        reason: String,
    },
}

impl TurnOutcome {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::ModelUnavailable => "model_unavailable",
            Self::Parked { .. } => "parked",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completed {
    /// Lines of history after this turn.
    pub last_seq: i64,
    pub reply: ReplyId,
}

impl TenantStore {
    /// Commits history, reply, usage, audit and the end of the messages together, if the lease is still held.
    pub async fn complete(&self, claim: &Claim, turn: &Turn) -> Result<Completed> {
        let last_inbox_id = claim.messages.last().map_or(0, |message| message.inbox_id);
        let reply = ReplyId::derive(claim.conversation, last_inbox_id);
        let mut transaction = self.pool().begin().await?;
        let lines_before = release(&mut transaction, claim).await?;
        let last_seq = append_history(&mut transaction, claim, turn, lines_before).await?;
        insert_reply(&mut transaction, claim, turn, reply).await?;
        insert_records(&mut transaction, claim, turn, reply).await?;
        finish_messages(&mut transaction, claim, &turn.outcome).await?;
        transaction.commit().await?;
        Ok(Completed { last_seq, reply })
    }
}

/// Ends the lease. Comes first: it locks the conversation and proves that the lease is held. Returns after which line
/// the turn's own ones go, which somebody may have moved on since the claim.
async fn release(connection: &mut PgConnection, claim: &Claim) -> Result<i64> {
    let lines = i64::try_from(claim.messages.len()).unwrap_or(i64::MAX).saturating_add(1);
    let last_seq = sqlx::query_scalar!(
        "update konstruct.conversation
         set lease_owner = null, lease_until = null, attempt = 0, retry_at = '-infinity', last_seq = last_seq + $3
         where conversation_id = $1 and fence = $2 and lease_owner is not null
         returning last_seq",
        claim.conversation.as_uuid(),
        claim.fence,
        lines
    )
    .fetch_optional(connection)
    .await?;
    held(u64::from(last_seq.is_some()))?;
    Ok(last_seq.unwrap_or_default() - lines)
}

/// The persons' messages and the reply, numbered on from the conversation's last line.
async fn append_history(
    connection: &mut PgConnection,
    claim: &Claim,
    turn: &Turn,
    lines_before: i64,
) -> Result<i64> {
    let mut seq = lines_before;
    let mut seqs = Vec::with_capacity(claim.messages.len() + 1);
    let mut speakers = Vec::with_capacity(seqs.capacity());
    let mut authors: Vec<Option<String>> = Vec::with_capacity(seqs.capacity());
    let mut bodies = Vec::with_capacity(seqs.capacity());
    for message in &claim.messages {
        seq += 1;
        seqs.push(seq);
        speakers.push(Speaker::Person.as_str().to_owned());
        authors.push(Some(message.author_id.clone()));
        bodies.push(message.text.clone());
    }
    seq += 1;
    seqs.push(seq);
    speakers.push(Speaker::Employee.as_str().to_owned());
    authors.push(None);
    bodies.push(turn.reply.clone());
    sqlx::query!(
        "insert into konstruct.history (conversation_id, seq, speaker, author_id, body)
         select $1, line.seq, line.speaker, line.author_id, line.body
         from unnest($2::bigint[], $3::text[], $4::text[], $5::text[]) as line (seq, speaker, author_id, body)",
        claim.conversation.as_uuid(),
        &seqs,
        &speakers,
        &authors as &[Option<String>],
        &bodies
    )
    .execute(connection)
    .await?;
    Ok(seq)
}

async fn insert_reply(
    connection: &mut PgConnection,
    claim: &Claim,
    turn: &Turn,
    reply: ReplyId,
) -> Result<()> {
    sqlx::query!(
        "insert into konstruct.outbox (reply_id, conversation_id, connection, reply_to, body)
         select $1, conversation_id, connection, reply_to, $3
         from konstruct.conversation where conversation_id = $2
         on conflict (tenant_id, reply_id) do nothing",
        reply.as_uuid(),
        claim.conversation.as_uuid(),
        turn.reply
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_records(
    connection: &mut PgConnection,
    claim: &Claim,
    turn: &Turn,
    reply: ReplyId,
) -> Result<()> {
    let messages = i32::try_from(claim.messages.len()).unwrap_or(i32::MAX);
    sqlx::query!(
        "insert into konstruct.turn (reply_id, conversation_id, agent, agent_revision, provider, model,
             tokens_in, tokens_out, outcome, messages, elapsed_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        reply.as_uuid(),
        claim.conversation.as_uuid(),
        claim.agent.as_str(),
        turn.agent_revision.as_str(),
        turn.provider,
        turn.model,
        turn.tokens_in,
        turn.tokens_out,
        turn.outcome.as_str(),
        messages,
        i64::try_from(turn.elapsed.as_millis()).unwrap_or(i64::MAX)
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "insert into konstruct.audit (actor, action, subject, detail) values ($1, $2, $3, $4)",
        format!("agent/{}", claim.agent),
        format!("turn.{}", turn.outcome.as_str()),
        format!("conversation/{}", claim.conversation),
        json!({ "reply": reply, "revision": turn.agent_revision, "provider": turn.provider, "model": turn.model })
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn finish_messages(connection: &mut PgConnection, claim: &Claim, outcome: &TurnOutcome) -> Result<()> {
    let ids: Vec<i64> = claim.messages.iter().map(|message| message.inbox_id).collect();
    let (state, reason) = match outcome {
        TurnOutcome::Parked { reason } => ("parked", Some(reason.as_str())),
        TurnOutcome::Answered | TurnOutcome::ModelUnavailable => ("done", None),
    };
    sqlx::query!(
        "update konstruct.inbox set state = $2, parked_reason = $3 where inbox_id = any($1) and state = 'pending'",
        &ids,
        state,
        reason
    )
    .execute(connection)
    .await?;
    Ok(())
}
