//! The directory of tenants.

use konstruct_domain::{Slug, TenantId};
use sqlx::PgTransaction;

use crate::{Error, Result, Store};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRecord {
    pub id: TenantId,
    pub slug: Slug,
    pub namespace: String,
    pub display_name: String,
}

/// A tenant that has left the cluster and whose conversations, usage and audit are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetainedTenant {
    pub tenant: TenantRecord,
    /// RFC 3339, UTC.
    pub retained_at: String,
    /// Nothing of it may be destroyed.
    pub legal_hold: bool,
}

fn slug(text: String) -> Result<Slug> {
    Slug::try_from(text).map_err(|error| Error::Corrupt(format!("a slug {error}")))
}

impl Store {
    /// Adds the tenant or renames it. Its id, slug and namespace never change.
    pub async fn upsert_tenant(&self, tenant: &TenantRecord) -> Result<()> {
        sqlx::query!(
            "insert into konstruct.tenant as t (tenant_id, slug, namespace, display_name) values ($1, $2, $3, $4)
             on conflict (tenant_id) do update set display_name = excluded.display_name
             where t.display_name is distinct from excluded.display_name",
            tenant.id.as_uuid(),
            tenant.slug.as_str(),
            tenant.namespace,
            tenant.display_name,
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }

    pub async fn tenants(&self) -> Result<Vec<TenantRecord>> {
        sqlx::query!(
            "select tenant_id, slug, namespace, display_name from konstruct.tenant
             where tenant_id <> $1 and retained_at is null order by slug",
            TenantId::PLATFORM.as_uuid()
        )
        .fetch_all(self.pool())
        .await?
        .into_iter()
        .map(|row| {
            Ok(TenantRecord {
                id: TenantId::new(row.tenant_id),
                slug: slug(row.slug)?,
                namespace: row.namespace,
                display_name: row.display_name,
            })
        })
        .collect()
    }

    pub async fn tenant_of_namespace(&self, namespace: &str) -> Result<Option<TenantRecord>> {
        let row = sqlx::query!(
            "select tenant_id, slug, namespace, display_name from konstruct.tenant
             where namespace = $1 and tenant_id <> $2 and retained_at is null",
            namespace,
            TenantId::PLATFORM.as_uuid()
        )
        .fetch_optional(self.pool())
        .await?;
        row.map(|row| {
            Ok(TenantRecord {
                id: TenantId::new(row.tenant_id),
                slug: slug(row.slug)?,
                namespace: row.namespace,
                display_name: row.display_name,
            })
        })
        .transpose()
    }

    /// Takes the tenant out of the directory and keeps what was said. What it was configured with goes, secrets and
    /// their keys included; nothing reaches it any more.
    pub async fn retain_tenant(&self, tenant: TenantId, legal_hold: bool) -> Result<()> {
        let mut transaction = self.begin(tenant).await?;
        sqlx::query!("delete from konstruct.snapshot").execute(&mut *transaction).await?;
        sqlx::query!("delete from konstruct.data_key").execute(&mut *transaction).await?;
        sqlx::query!("delete from konstruct.channel_account").execute(&mut *transaction).await?;
        sqlx::query!("delete from konstruct.tenant_role").execute(&mut *transaction).await?;
        sqlx::query!(
            "update konstruct.tenant set retained_at = coalesce(retained_at, now()), legal_hold = $2
             where tenant_id = $1 and tenant_id <> $3",
            tenant.as_uuid(),
            legal_hold,
            TenantId::PLATFORM.as_uuid()
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The tenants that have left and whose data is kept, in the order in which they left.
    pub async fn retained_tenants(&self) -> Result<Vec<RetainedTenant>> {
        sqlx::query!(
            r#"select tenant_id, slug, namespace, display_name, legal_hold,
                   to_char(retained_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as "retained_at!"
               from konstruct.tenant where retained_at is not null order by retained_at"#
        )
        .fetch_all(self.pool())
        .await?
        .into_iter()
        .map(|row| {
            let tenant = TenantRecord {
                id: TenantId::new(row.tenant_id),
                slug: slug(row.slug)?,
                namespace: row.namespace,
                display_name: row.display_name,
            };
            Ok(RetainedTenant { tenant, retained_at: row.retained_at, legal_hold: row.legal_hold })
        })
        .collect()
    }

    /// Destroys what was kept of a tenant that has left. False if there is no such tenant, or if it is under a legal
    /// hold.
    pub async fn erase_retained(&self, tenant: TenantId) -> Result<bool> {
        let mut transaction = self.begin_erasure(tenant).await?;
        let erased = sqlx::query!(
            "delete from konstruct.tenant where tenant_id = $1 and retained_at is not null and not legal_hold",
            tenant.as_uuid()
        )
        .execute(&mut *transaction)
        .await?;
        if erased.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query!("call konstruct.erase_happenings()").execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Deletes the tenant with every row it has. The platform's own record cannot be erased.
    pub async fn erase_tenant(&self, tenant: TenantId) -> Result<()> {
        if tenant == TenantId::PLATFORM {
            return Ok(());
        }
        let mut transaction = self.begin_erasure(tenant).await?;
        sqlx::query!("delete from konstruct.tenant where tenant_id = $1", tenant.as_uuid())
            .execute(&mut *transaction)
            .await?;
        sqlx::query!("call konstruct.erase_happenings()").execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Until its end nothing is taken in for the tenant, and afterwards there is no tenant to take it in for.
    async fn begin_erasure(&self, tenant: TenantId) -> Result<PgTransaction<'static>> {
        let mut transaction = self.begin(tenant).await?;
        sqlx::query!("select pg_advisory_xact_lock(konstruct.erasure($1))", tenant.as_uuid())
            .execute(&mut *transaction)
            .await?;
        Ok(transaction)
    }
}
