//! Parts of albums in which it is not said yet that the employee is meant.

use bytes::Bytes;
use konstruct_domain::{ConnectionName, TenantId};
use sqlx::PgConnection;

use crate::intake::storable;
use crate::{Result, Store};

/// Parts of an album come within seconds.
const WAIT_SECONDS: f64 = 60.0;

impl Store {
    /// A part that says nothing itself. True when another one has said that the employee is meant; else it is kept for
    /// a while, once, in case that one is still to come.
    pub async fn album_part(
        &self,
        tenant: TenantId,
        connection: &ConnectionName,
        album: &str,
        message_id: &str,
        payload: &[u8],
    ) -> Result<bool> {
        let (album, message_id) = (storable(album), storable(message_id));
        let mut transaction = self.begin(tenant).await?;
        forget(&mut transaction, Some(connection)).await?;
        let addressed = sqlx::query_scalar!(
            "insert into konstruct.album as a (connection, album_id) values ($1, $2)
             on conflict (tenant_id, connection, album_id) do update set seen_at = now() returning addressed",
            connection.as_str(),
            album
        )
        .fetch_one(&mut *transaction)
        .await?;
        if !addressed {
            sqlx::query!(
                "insert into konstruct.album_part (connection, album_id, message_id, payload) values ($1, $2, $3, $4)
                 on conflict do nothing",
                connection.as_str(),
                album,
                message_id,
                payload
            )
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(addressed)
    }

    /// The employee is meant by an album: from now on no part waits. Returns the deliveries of those that do, in the
    /// order in which they came.
    pub async fn album_addressed(
        &self,
        tenant: TenantId,
        connection: &ConnectionName,
        album: &str,
    ) -> Result<Vec<Bytes>> {
        let album = storable(album);
        let mut transaction = self.begin(tenant).await?;
        sqlx::query!(
            "insert into konstruct.album as a (connection, album_id, addressed) values ($1, $2, true)
             on conflict (tenant_id, connection, album_id) do update set addressed = true, seen_at = now()",
            connection.as_str(),
            album
        )
        .execute(&mut *transaction)
        .await?;
        // A statement of its own: it sees what somebody has added while this one waited for the row.
        let waiting = sqlx::query_scalar!(
            "select payload from konstruct.album_part where connection = $1 and album_id = $2 order by part_seq",
            connection.as_str(),
            album
        )
        .fetch_all(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(waiting.into_iter().map(Bytes::from).collect())
    }

    /// Those that waited are messages now.
    pub async fn album_joined(
        &self,
        tenant: TenantId,
        connection: &ConnectionName,
        album: &str,
    ) -> Result<()> {
        let mut transaction = self.begin(tenant).await?;
        sqlx::query!(
            "delete from konstruct.album_part where connection = $1 and album_id = $2",
            connection.as_str(),
            storable(album)
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Albums by which nobody is meant, and those that are complete; of one connection or of all. Returns how many.
pub(crate) async fn forget(
    transaction: &mut PgConnection,
    connection: Option<&ConnectionName>,
) -> Result<u64> {
    let forgotten = sqlx::query!(
        "delete from konstruct.album
         where ($1::text is null or connection = $1) and seen_at < now() - make_interval(secs => $2)",
        connection.map(ConnectionName::as_str),
        WAIT_SECONDS
    )
    .execute(transaction)
    .await?;
    Ok(forgotten.rows_affected())
}
