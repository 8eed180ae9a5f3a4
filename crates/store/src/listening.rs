//! Gaps in which no gateway listened to a connection's platform.

use std::time::Duration;

use konstruct_domain::{ConnectionName, TenantId};

use crate::{Result, Store};

impl Store {
    /// Somebody listens now. When nobody did for longer than `outage`, what was missed is to be asked for.
    pub async fn listening(
        &self,
        tenant: TenantId,
        connection: &ConnectionName,
        outage: Duration,
    ) -> Result<()> {
        let mut transaction = self.begin(tenant).await?;
        sqlx::query!(
            "insert into konstruct.listening as l (connection) values ($1)
             on conflict (tenant_id, connection) do update
             set seen_at = now(),
                 missed_since = case when l.seen_at < now() - make_interval(secs => $2)
                     then coalesce(l.missed_since, l.seen_at) else l.missed_since end",
            connection.as_str(),
            outage.as_secs_f64()
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Takes it on to ask for what was missed. Returns since when, in seconds since 1970; none when there is nothing, or
    /// another gateway does.
    pub async fn lease_missed(
        &self,
        tenant: TenantId,
        connection: &ConnectionName,
        owner: &str,
        lasts: Duration,
    ) -> Result<Option<i64>> {
        let mut transaction = self.begin(tenant).await?;
        let since = sqlx::query_scalar!(
            r#"update konstruct.listening set owner = $2, lease_until = now() + make_interval(secs => $3)
               where connection = $1 and missed_since is not null and (lease_until is null or lease_until < now())
               returning extract(epoch from missed_since)::bigint as "since!""#,
            connection.as_str(),
            owner,
            lasts.as_secs_f64()
        )
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(since)
    }

    /// Goes on asking. False when another gateway does by now.
    pub async fn renew_missed(
        &self,
        tenant: TenantId,
        connection: &ConnectionName,
        owner: &str,
        lasts: Duration,
    ) -> Result<bool> {
        let mut transaction = self.begin(tenant).await?;
        let renewed = sqlx::query!(
            "update konstruct.listening set lease_until = now() + make_interval(secs => $3)
             where connection = $1 and owner = $2 and missed_since is not null",
            connection.as_str(),
            owner,
            lasts.as_secs_f64()
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(renewed.rows_affected() > 0)
    }

    /// Everything that was missed since then was asked for.
    pub async fn caught_up(&self, tenant: TenantId, connection: &ConnectionName, owner: &str) -> Result<()> {
        let mut transaction = self.begin(tenant).await?;
        sqlx::query!(
            "update konstruct.listening set missed_since = null, owner = null, lease_until = null
             where connection = $1 and owner = $2",
            connection.as_str(),
            owner
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The keys of the conversations in which somebody wrote within that time, the most recent first.
    pub async fn recent_conversations(
        &self,
        tenant: TenantId,
        connection: &ConnectionName,
        within: Duration,
        most: i64,
    ) -> Result<Vec<String>> {
        let mut transaction = self.begin(tenant).await?;
        let keys = sqlx::query_scalar!(
            "select c.conversation_key from konstruct.conversation c
             join konstruct.delivery d using (tenant_id, conversation_id)
             where d.connection = $1 and d.received_at > now() - make_interval(secs => $2)
             group by c.tenant_id, c.conversation_id order by max(d.inbox_id) desc limit $3",
            connection.as_str(),
            within.as_secs_f64(),
            most
        )
        .fetch_all(&mut *transaction)
        .await?;
        Ok(keys)
    }
}
