//! A tenant's login role. Run by the operator.

use konstruct_domain::{Slug, TenantId};
use secrecy::{ExposeSecret, SecretString};

use crate::{Result, Store};

impl Store {
    /// Makes the tenant's login role, sets its password and binds it to the tenant. The tenant must be in the
    /// directory.
    pub async fn ensure_database_role(
        &self,
        tenant: TenantId,
        slug: &Slug,
        password: &SecretString,
    ) -> Result<()> {
        let mut transaction = self.begin(tenant).await?;
        sqlx::query!(
            "select konstruct.ensure_tenant_role($1, $2::text::name, $3)",
            tenant.as_uuid(),
            slug.database_role(),
            password.expose_secret()
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Does nothing when the role does not exist. Its binding goes with the tenant's rows.
    pub async fn drop_database_role(&self, slug: &Slug) -> Result<()> {
        sqlx::query!("select konstruct.drop_tenant_role($1::text::name)", slug.database_role())
            .execute(self.pool())
            .await?;
        Ok(())
    }
}
