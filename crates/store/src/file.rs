//! Files that are still at their platform: which, for whom to fetch, and what became of each.

use std::time::Duration;

use konstruct_domain::message::{Attachment, truncate};
use konstruct_domain::{ConnectionName, ConversationId, TenantId};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::intake::{Arrival, storable};
use crate::{Error, Result, Store};

/// How long a turn waits for the files of its messages. A person waits for the answer, too.
pub const FILES_WAIT: Duration = Duration::from_secs(10);
/// Longest media type that anybody has registered is half of it.
const MEDIA_TYPE_MAX: usize = 200;

/// A file that is this gateway's to fetch, for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedFile {
    pub id: Uuid,
    pub conversation: ConversationId,
    pub connection: ConnectionName,
    pub attachment: Attachment,
    /// Which try this is, from 1. Also what proves that no other has begun.
    pub tries: i32,
}

/// A file that was fetched, judged, and lies in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptFile {
    /// By its content.
    pub media_type: &'static str,
    pub bytes: usize,
    /// Of a picture: width and height.
    pub size: Option<(u32, u32)>,
}

/// What a try came to.
enum Outcome<'a> {
    Kept(KeptFile),
    Gone(&'a str),
}

/// In the transaction of the message: it is there with its files or not at all. A turn waits for the first of them, and
/// for what comes meanwhile no longer.
pub(crate) async fn want(
    transaction: &mut PgConnection,
    arrival: &Arrival,
    files: &[Attachment],
) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let files: Vec<Attachment> = files.iter().map(storable_file).collect();
    let ids: Vec<Uuid> = files.iter().map(|_| Uuid::new_v4()).collect();
    let types: Vec<Option<&str>> = files.iter().map(|file| file.media_type.as_deref()).collect();
    let names: Vec<Option<&str>> = files.iter().map(|file| file.name.as_deref()).collect();
    sqlx::query!(
        "insert into konstruct.media
             (media_id, conversation_id, connection, message_id, place, state, due_at, source, media_type, name)
         select f.id, $1, $2, $3, f.place, 'wanted', now(), f.source, f.media_type, f.name
         from unnest($4::uuid[], $5::jsonb[], $6::text[], $7::text[]) with ordinality
             as f (id, source, media_type, name, place)",
        arrival.conversation.as_uuid(),
        arrival.connection,
        arrival.message_id,
        &ids,
        files.iter().map(Json).collect::<Vec<_>>() as Vec<Json<&Attachment>>,
        types as Vec<Option<&str>>,
        names as Vec<Option<&str>>
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query!(
        "update konstruct.conversation set files_until = now() + make_interval(secs => $2)
         where conversation_id = $1 and (files_until is null or files_until <= now())",
        arrival.conversation.as_uuid(),
        FILES_WAIT.as_secs_f64()
    )
    .execute(transaction)
    .await?;
    Ok(())
}

fn storable_file(file: &Attachment) -> Attachment {
    let text = |text: &Option<String>| text.as_deref().map(storable);
    Attachment {
        reference: storable(&file.reference),
        media_type: text(&file.media_type).map(|declared| truncate(&declared, MEDIA_TYPE_MAX).to_owned()),
        name: text(&file.name),
        size: file.size,
        sha256: text(&file.sha256),
    }
}

impl Store {
    /// Leases the file that has been due for longest.
    pub async fn claim_file(&self, tenant: TenantId, lease: Duration) -> Result<Option<WantedFile>> {
        let mut transaction = self.begin(tenant).await?;
        let row = sqlx::query!(
            r#"with next as materialized (
                 select m.media_id from konstruct.media m where m.state = 'wanted' and m.due_at <= now()
                 order by m.due_at limit 1 for update skip locked)
               update konstruct.media m set due_at = now() + make_interval(secs => $1), tries = m.tries + 1
               from next where m.media_id = next.media_id
               returning m.media_id, m.conversation_id, m.connection, m.tries, m.source as "source: Json<Attachment>""#,
            lease.as_secs_f64()
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(row) = row else { return Ok(None) };
        transaction.commit().await?;
        let corrupt = |what: &str| Error::Corrupt(format!("file {}: {what}", row.media_id));
        Ok(Some(WantedFile {
            id: row.media_id,
            conversation: ConversationId::new(row.conversation_id),
            connection: ConnectionName::try_from(row.connection).map_err(|_| corrupt("its connection"))?,
            attachment: row.source.ok_or_else(|| corrupt("its source"))?.0,
            tries: row.tries,
        }))
    }

    /// False when another try has begun, or the file's time is over: then it is not this one's any more.
    pub async fn file_kept(&self, tenant: TenantId, file: &WantedFile, kept: KeptFile) -> Result<bool> {
        self.settle(tenant, file, Outcome::Kept(kept)).await
    }

    /// There will be none. The reason is for the employee to say.
    pub async fn file_gone(&self, tenant: TenantId, file: &WantedFile, reason: &str) -> Result<bool> {
        self.settle(tenant, file, Outcome::Gone(reason)).await
    }

    /// The next try is due after a while.
    pub async fn file_later(&self, tenant: TenantId, file: &WantedFile, after: Duration) -> Result<()> {
        let mut transaction = self.begin(tenant).await?;
        sqlx::query!(
            "update konstruct.media set due_at = now() + make_interval(secs => $3)
             where media_id = $1 and state = 'wanted' and tries = $2",
            file.id,
            file.tries,
            after.as_secs_f64()
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Tenants that have files to be fetched now.
    pub async fn tenants_with_wanted_files(&self) -> Result<Vec<TenantId>> {
        let tenants = sqlx::query_scalar!(r#"select konstruct.tenants_with_wanted_files() as "tenant!""#);
        Ok(tenants.fetch_all(self.pool()).await?.into_iter().map(TenantId::new).collect())
    }

    async fn settle(&self, tenant: TenantId, file: &WantedFile, outcome: Outcome<'_>) -> Result<bool> {
        let (kept, reason) = match outcome {
            Outcome::Kept(kept) => (Some(kept), None),
            Outcome::Gone(reason) => (None, Some(storable(reason))),
        };
        let size = kept.and_then(|kept| kept.size);
        let mut transaction = self.begin(tenant).await?;
        // First: of two files that are settled at the same time the second must see the first.
        sqlx::query!(
            "select from konstruct.conversation where conversation_id = $1 for update",
            file.conversation.as_uuid()
        )
        .execute(&mut *transaction)
        .await?;
        // Late where its message waits no more, or where a turn has begun that may have looked before.
        let settled = sqlx::query!(
            "update konstruct.media m
             set state = case when $3::text is null then 'gone' else 'kept' end, source = null, due_at = null,
                 media_type = coalesce($3, media_type), bytes = $4, width = $5, height = $6, reason = $7,
                 late = not exists (
                     select from konstruct.delivery d
                     join konstruct.inbox i on i.tenant_id = d.tenant_id and i.conversation_id = d.conversation_id
                         and i.inbox_id = d.inbox_id
                     left join lateral (
                         select s.lease_until from konstruct.conversation_state s
                         where s.tenant_id = i.tenant_id and s.conversation_id = i.conversation_id
                         order by s.fence desc limit 1) s on true
                     where d.tenant_id = m.tenant_id and d.connection = m.connection and d.message_id = m.message_id
                     and (s.lease_until is null or s.lease_until < now()))
             where media_id = $1 and state = 'wanted' and tries = $2",
            file.id,
            file.tries,
            kept.map(|kept| kept.media_type),
            kept.and_then(|kept| i64::try_from(kept.bytes).ok()),
            size.and_then(|(width, _)| i32::try_from(width).ok()),
            size.and_then(|(_, height)| i32::try_from(height).ok()),
            reason
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            "update konstruct.conversation c set files_until = null
             where c.conversation_id = $1 and c.files_until is not null and not exists (
                 select from konstruct.media m where m.conversation_id = $1 and m.state = 'wanted')",
            file.conversation.as_uuid()
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(settled.rows_affected() > 0)
    }
}
