//! What is kept for a time and then deleted.

use std::time::Duration;

use konstruct_domain::TenantId;

use crate::{Result, Store, album};

/// Rows of one transaction. A large one would keep others from cleaning up.
const ROWS: i64 = 5_000;

impl Store {
    /// Deletes deliveries, with their payloads, the records of sent replies and what was offered that are older than `age`;
    /// nothing of a tenant under legal hold. What was said stays in the history. Returns how many rows went: call again while there
    /// are any.
    pub async fn delete_expired(&self, tenant: TenantId, age: Duration) -> Result<u64> {
        let mut transaction = self.begin(tenant).await?;
        let deliveries = sqlx::query!(
            "delete from konstruct.delivery where ctid = any(array(
                 select d.ctid from konstruct.delivery d where d.received_at < now() - make_interval(secs => $1) limit $2))
             and not exists (select from konstruct.tenant t where t.tenant_id = $3 and t.legal_hold)",
            age.as_secs_f64(),
            ROWS,
            tenant.as_uuid()
        )
        .execute(&mut *transaction)
        .await?;
        let sent = sqlx::query!(
            "delete from konstruct.outbox_sent where ctid = any(array(
                 select s.ctid from konstruct.outbox_sent s where s.sent_at < now() - make_interval(secs => $1) limit $2))
             and not exists (select from konstruct.tenant t where t.tenant_id = $3 and t.legal_hold)",
            age.as_secs_f64(),
            ROWS,
            tenant.as_uuid()
        )
        .execute(&mut *transaction)
        .await?;
        let offers = sqlx::query!(
            "delete from konstruct.offer where ctid = any(array(
                 select o.ctid from konstruct.offer o where o.expires_at < now() - make_interval(secs => $1) limit $2))
             and not exists (select from konstruct.tenant t where t.tenant_id = $3 and t.legal_hold)",
            age.as_secs_f64(),
            ROWS,
            tenant.as_uuid()
        )
        .execute(&mut *transaction)
        .await?;
        album::forget(&mut transaction, None).await?;
        transaction.commit().await?;
        Ok(deliveries.rows_affected() + sent.rows_affected() + offers.rows_affected())
    }
}
