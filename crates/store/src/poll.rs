//! Which gateway asks a platform for a connection's deliveries.

use std::time::Duration;

use konstruct_domain::{ConnectionName, TenantId};

use crate::{Result, Store};

impl Store {
    /// Takes or renews the right to ask. False while another gateway has it.
    pub async fn lease_poll(
        &self,
        tenant: TenantId,
        connection: &ConnectionName,
        owner: &str,
        lasts: Duration,
    ) -> Result<bool> {
        let mut transaction = self.begin(tenant).await?;
        let taken = sqlx::query!(
            "insert into konstruct.poll_lease as l (connection, owner, lease_until)
             values ($1, $2, now() + make_interval(secs => $3))
             on conflict (tenant_id, connection) do update
             set owner = excluded.owner, lease_until = excluded.lease_until
             where l.owner = excluded.owner or l.lease_until < now()",
            connection.as_str(),
            owner,
            lasts.as_secs_f64()
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(taken.rows_affected() > 0)
    }

    /// Leaves the right to whoever comes next.
    pub async fn release_poll(
        &self,
        tenant: TenantId,
        connection: &ConnectionName,
        owner: &str,
    ) -> Result<()> {
        let mut transaction = self.begin(tenant).await?;
        sqlx::query!(
            "update konstruct.poll_lease set lease_until = now() where connection = $1 and owner = $2",
            connection.as_str(),
            owner
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }
}
