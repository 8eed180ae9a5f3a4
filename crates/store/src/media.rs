//! Which files there are. Their bytes are elsewhere.

use std::time::Duration;

use konstruct_domain::{ConversationId, TenantId};
use uuid::Uuid;

use crate::{Claim, Result, Store, TenantStore};

/// A picture that was taken in.
#[derive(Clone, Copy, Debug)]
pub struct NewPicture<'a> {
    pub id: Uuid,
    pub conversation: ConversationId,
    pub connection: &'a str,
    pub media_type: &'a str,
    pub bytes: usize,
    pub width: u32,
    pub height: u32,
}

/// Most files that one look finds.
const EXPIRED_MAX: i64 = 500;

impl Store {
    pub async fn add_picture(&self, tenant: TenantId, picture: NewPicture<'_>) -> Result<()> {
        let mut transaction = self.begin(tenant).await?;
        sqlx::query!(
            "insert into konstruct.media (media_id, conversation_id, connection, media_type, bytes, width, height)
             values ($1, $2, $3, $4, $5, $6, $7)",
            picture.id,
            picture.conversation.as_uuid(),
            picture.connection,
            picture.media_type,
            i64::try_from(picture.bytes).unwrap_or(i64::MAX),
            i32::try_from(picture.width).ok(),
            i32::try_from(picture.height).ok()
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Makes pictures of a conversation part of a message. False, and nothing is changed, if one of them is not there or
    /// belongs to another message. The same again is fine.
    pub async fn attach_pictures(
        &self,
        tenant: TenantId,
        conversation: ConversationId,
        message_id: &str,
        pictures: &[Uuid],
    ) -> Result<bool> {
        let mut transaction = self.begin(tenant).await?;
        let attached = sqlx::query!(
            "update konstruct.media set message_id = $2
             where conversation_id = $1 and media_id = any($3) and (message_id is null or message_id = $2)",
            conversation.as_uuid(),
            message_id,
            pictures
        )
        .execute(&mut *transaction)
        .await?;
        if attached.rows_affected() != pictures.len() as u64 {
            return Ok(false);
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Files older than the retention, and uploads that no message came for; nothing of a tenant under legal hold.
    /// Delete the bytes, then forget them.
    pub async fn expired_media(
        &self,
        tenant: TenantId,
        retention: Duration,
        uploads: Duration,
    ) -> Result<Vec<Uuid>> {
        let mut transaction = self.begin(tenant).await?;
        let expired = sqlx::query_scalar!(
            "select media_id from konstruct.media
             where (created_at < now() - make_interval(secs => $1)
                 or message_id is null and created_at < now() - make_interval(secs => $2))
             and not exists (select from konstruct.tenant t where t.tenant_id = $4 and t.legal_hold)
             order by created_at limit $3",
            retention.as_secs_f64(),
            uploads.as_secs_f64(),
            EXPIRED_MAX,
            tenant.as_uuid()
        )
        .fetch_all(&mut *transaction)
        .await?;
        Ok(expired)
    }

    pub async fn forget_media(&self, tenant: TenantId, files: &[Uuid]) -> Result<()> {
        let mut transaction = self.begin(tenant).await?;
        sqlx::query!("delete from konstruct.media where media_id = any($1)", files)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Every tenant whose data is here, also of those that have left and are kept.
    pub async fn all_tenants(&self) -> Result<Vec<TenantId>> {
        let ids =
            sqlx::query_scalar!("select tenant_id from konstruct.tenant").fetch_all(self.pool()).await?;
        Ok(ids.into_iter().map(TenantId::new).collect())
    }
}

/// A file of a message that waits for an answer, or one of an earlier message that was not there for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageFile {
    pub inbox_id: i64,
    pub id: Uuid,
    /// Of what is kept, what it is; else what its sender declared.
    pub media_type: Option<String>,
    pub name: Option<String>,
    pub state: FileState,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// A picture that a model can be shown.
    Picture,
    Kept {
        bytes: u64,
    },
    /// Not here yet.
    Wanted,
    Gone {
        reason: String,
    },
}

impl TenantStore {
    /// The files of the claimed messages, and those that have arrived since theirs were answered, in the order of the
    /// messages.
    pub async fn files(&self, claim: &Claim) -> Result<Vec<MessageFile>> {
        let messages: Vec<i64> = claim.messages.iter().map(|message| message.inbox_id).collect();
        let rows = sqlx::query!(
            "select d.inbox_id, m.media_id, m.state, m.media_type, m.name, m.bytes, m.width, m.reason
             from konstruct.media m
             join konstruct.delivery d on d.tenant_id = m.tenant_id and d.connection = m.connection
                 and d.message_id = m.message_id
             where m.conversation_id = $1 and (d.inbox_id = any($2) or m.late)
             order by d.inbox_id, m.place, m.created_at",
            claim.conversation.as_uuid(),
            &messages
        )
        .fetch_all(self.pool())
        .await?;
        let files = rows.into_iter().map(|row| MessageFile {
            inbox_id: row.inbox_id,
            id: row.media_id,
            state: match (row.state.as_str(), row.width) {
                ("kept", Some(_)) => FileState::Picture,
                ("kept", None) => FileState::Kept { bytes: row.bytes.unwrap_or_default().unsigned_abs() },
                ("wanted", _) => FileState::Wanted,
                _ => FileState::Gone { reason: row.reason.unwrap_or_default() },
            },
            media_type: row.media_type,
            name: row.name,
        });
        Ok(files.collect())
    }
}
