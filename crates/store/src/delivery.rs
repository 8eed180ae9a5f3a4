//! What became of messages that were sent, as far as platforms tell it.

use konstruct_domain::delivery::{DeliveryStatus, Progress, SentPart};
use konstruct_domain::ids::ReplyId;
use konstruct_domain::{ConnectionName, TenantId};

use crate::outbox::letters;
use crate::{Result, Store};

/// What a report has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    /// It was known, or the message has come further already.
    Nothing,
    /// How far the message has come.
    Progress,
    /// A reply that waited for this report can go on.
    ReplyResolved,
}

impl Store {
    /// The parts of a reply that a try has begun.
    pub async fn parts(&self, tenant: TenantId, reply: ReplyId) -> Result<Vec<SentPart>> {
        let mut transaction = self.begin(tenant).await?;
        let rows = sqlx::query!(
            r#"select part, message_id, extract(epoch from now() - tried_at)::bigint as "seconds!"
               from konstruct.outbox_part where reply_id = $1 order by part"#,
            reply.as_uuid()
        )
        .fetch_all(&mut *transaction)
        .await?;
        let part = |number: i16| u16::try_from(number).unwrap_or_default();
        Ok(rows
            .into_iter()
            .map(|row| SentPart {
                part: part(row.part),
                message_id: row.message_id,
                tried_seconds_ago: row.seconds.unsigned_abs(),
            })
            .collect())
    }

    /// A part is about to leave.
    pub async fn part_begins(&self, tenant: TenantId, reply: ReplyId, part: u16) -> Result<()> {
        let mut transaction = self.begin(tenant).await?;
        sqlx::query!(
            "insert into konstruct.outbox_part as p (reply_id, part) values ($1, $2)
             on conflict (tenant_id, reply_id, part) do update set tried_at = now() where p.message_id is null",
            reply.as_uuid(),
            stored(part)
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The platform has taken a part.
    pub async fn part_taken(
        &self,
        tenant: TenantId,
        reply: ReplyId,
        part: u16,
        message_id: &str,
    ) -> Result<()> {
        let mut transaction = self.begin(tenant).await?;
        sqlx::query!(
            "insert into konstruct.outbox_part (reply_id, part, message_id) values ($1, $2, $3)
             on conflict (tenant_id, reply_id, part) do update set message_id = excluded.message_id",
            reply.as_uuid(),
            stored(part),
            message_id
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The platform has certainly not taken a part. A report that says otherwise wins.
    pub async fn part_not_taken(&self, tenant: TenantId, reply: ReplyId, part: u16) -> Result<()> {
        let mut transaction = self.begin(tenant).await?;
        sqlx::query!(
            "delete from konstruct.outbox_part where reply_id = $1 and part = $2 and message_id is null",
            reply.as_uuid(),
            stored(part)
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Records a report, once. A part that was in doubt is known to have been taken, and its reply is due at once.
    pub async fn record_status(
        &self,
        tenant: TenantId,
        connection: &ConnectionName,
        status: &DeliveryStatus,
    ) -> Result<Reported> {
        let mut transaction = self.begin(tenant).await?;
        let (reply, part) = status.part.map(|of| (of.reply.as_uuid(), stored(of.part))).unzip();
        let before = sqlx::query_scalar!(
            r#"select max(rank) as "rank?" from konstruct.message_status where connection = $1 and message_id = $2"#,
            connection.as_str(),
            status.message_id
        )
        .fetch_one(&mut *transaction)
        .await?;
        let inserted = sqlx::query!(
            "insert into konstruct.message_status
                 (connection, message_id, progress, rank, at, reply_id, part, pricing, failure)
             values ($1, $2, $3, $4, to_timestamp($5::bigint), $6, $7, $8, $9) on conflict do nothing",
            connection.as_str(),
            status.message_id,
            status.progress.as_str(),
            status.progress.rank(),
            seconds(status.at),
            reply,
            part,
            status.pricing,
            status.failure
        )
        .execute(&mut *transaction)
        .await?;
        if inserted.rows_affected() == 0 {
            return Ok(Reported::Nothing);
        }
        let mut resolved = false;
        if let (Some(reply), Some(part)) = (reply, part) {
            let waited = sqlx::query!(
                "update konstruct.outbox_part set message_id = $3
                 where reply_id = $1 and part = $2 and message_id is null",
                reply,
                part,
                status.message_id
            )
            .execute(&mut *transaction)
            .await?;
            resolved = waited.rows_affected() > 0;
            if resolved {
                // One that was given up because nobody knew has got its answer: after an outage of ours reports come late.
                sqlx::query!(
                    "update konstruct.outbox set state = 'pending', due_at = clock_timestamp(),
                         attempt = case state when 'dead' then 0 else attempt end, waits = 0
                     where reply_id = $1 and connection = $2 and state in ('pending', 'dead')",
                    reply,
                    connection.as_str()
                )
                .execute(&mut *transaction)
                .await?;
            }
            if status.progress == Progress::Failed {
                fail(&mut transaction, reply, status.failure.as_deref().unwrap_or("no reason given")).await?;
            }
        }
        transaction.commit().await?;
        Ok(match before {
            _ if resolved => Reported::ReplyResolved,
            Some(rank) if rank >= status.progress.rank() => Reported::Nothing,
            _ => Reported::Progress,
        })
    }
}

/// A reply that the platform took and could not deliver is a dead letter after all.
async fn fail(connection: &mut sqlx::PgConnection, reply: uuid::Uuid, reason: &str) -> Result<()> {
    let failed = sqlx::query!(
        "with failed as (delete from konstruct.outbox_sent where reply_id = $1 returning *)
         insert into konstruct.outbox
             (reply_id, conversation_id, connection, reply_to, body, state, attempt, last_error, created_at)
         select reply_id, conversation_id, connection, reply_to, body, 'dead', attempt, $2, created_at from failed",
        reply,
        reason
    )
    .execute(&mut *connection)
    .await?;
    if failed.rows_affected() > 0 {
        letters::record(connection, ReplyId::new(reply), reason).await?;
    }
    Ok(())
}

/// A reply never has so many parts that this is not exact.
fn stored(part: u16) -> i16 {
    i16::try_from(part).unwrap_or(i16::MAX)
}

/// A time that PostgreSQL can hold. Another one is a mistake of whoever told it, and no reason to refuse the rest.
pub(crate) fn seconds(since_1970: Option<i64>) -> Option<i64> {
    since_1970.filter(|seconds| (0..=253_402_300_799).contains(seconds))
}
