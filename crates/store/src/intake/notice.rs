//! A message to somebody who has paused: it is taken in, and its sender is told once that nobody answers now.

use konstruct_domain::ids::ReplyId;
use konstruct_domain::message::Speaker;
use konstruct_domain::snapshot::{ConnectionSnapshot, Pause};
use sqlx::PgConnection;

use super::{Accepted, Arrival, take_in};
use crate::{Error, Result, Store};

impl Store {
    /// In a transaction of its own: a pause is rare, and its notice belongs to the message.
    pub(super) async fn accept_in_pause(
        &self,
        arrival: Arrival,
        connection: &ConnectionSnapshot,
        pause: &Pause,
    ) -> Result<Accepted> {
        let mut transaction = self.begin(arrival.tenant).await?;
        let mut accepted = take_in(&mut *transaction, std::slice::from_ref(&arrival)).await?;
        let accepted = accepted.pop().flatten().ok_or(Error::TenantLeaving)?;
        let Accepted::New { conversation, .. } = accepted else {
            return Ok(accepted);
        };
        let notice = announce(&mut transaction, connection, &arrival, pause).await?;
        transaction.commit().await?;
        Ok(Accepted::New { conversation, notice })
    }
}

/// Whether this is the conversation's first message in the pause.
async fn announce(
    transaction: &mut PgConnection,
    connection: &ConnectionSnapshot,
    arrival: &Arrival,
    pause: &Pause,
) -> Result<bool> {
    let conversation = arrival.conversation;
    let inserted = sqlx::query!(
        "insert into konstruct.outbox (reply_id, conversation_id, connection, reply_to, body)
         select $1, $2, $3, $4, $5
         where not exists (select from konstruct.outbox_sent where reply_id = $1)
         on conflict (tenant_id, reply_id) do nothing",
        ReplyId::of_pause(conversation, &pause.id).as_uuid(),
        conversation.as_uuid(),
        connection.name.as_str(),
        serde_json::to_value(&arrival.target)?,
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
