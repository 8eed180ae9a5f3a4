//! The directory of tenants.

use konstruct_domain::{Slug, TenantId};

use crate::{Error, Result, Store};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRecord {
    pub id: TenantId,
    pub slug: Slug,
    pub namespace: String,
    pub display_name: String,
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
            "select tenant_id, slug, namespace, display_name from konstruct.tenant where tenant_id <> $1 order by slug",
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
             where namespace = $1 and tenant_id <> $2",
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

    /// Deletes the tenant with every row it has. The platform's own record cannot be erased.
    pub async fn erase_tenant(&self, tenant: TenantId) -> Result<()> {
        sqlx::query!(
            "delete from konstruct.tenant where tenant_id = $1 and tenant_id <> $2",
            tenant.as_uuid(),
            TenantId::PLATFORM.as_uuid()
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }
}
