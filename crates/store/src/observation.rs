//! What the data plane noticed about a resource.

use konstruct_domain::observation::{Condition, Observation};
use konstruct_domain::{Kind, TenantId};
use sqlx::PgConnection;

use crate::{Error, Result, Store, TenantStore};

impl Store {
    /// True when this is news.
    pub async fn observe(
        &self,
        tenant: TenantId,
        kind: Kind,
        name: &str,
        observation: &Observation,
    ) -> Result<bool> {
        let mut transaction = self.begin(tenant).await?;
        let news = observe(&mut transaction, kind, name, observation).await?;
        if news {
            transaction.commit().await?;
        }
        Ok(news)
    }
}

impl TenantStore {
    /// True when this is news.
    pub async fn observe(&self, kind: Kind, name: &str, observation: &Observation) -> Result<bool> {
        observe(&mut *self.pool().acquire().await?, kind, name, observation).await
    }
}

pub(crate) fn condition(text: &str) -> Result<Condition> {
    [Condition::CredentialsValid, Condition::AccountUsable, Condition::Reachable, Condition::ModelAvailable]
        .into_iter()
        .find(|condition| condition.as_str() == text)
        .ok_or_else(|| Error::Corrupt(format!("a condition {text:?}")))
}

/// An observation of something that has been withdrawn meanwhile is no news.
async fn observe(
    connection: &mut PgConnection,
    kind: Kind,
    name: &str,
    observation: &Observation,
) -> Result<bool> {
    let written = sqlx::query!(
        "insert into konstruct.observation as o (kind, name, condition, ok, reason, message)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (tenant_id, kind, name, condition) do update
         set ok = excluded.ok, reason = excluded.reason, message = excluded.message, observed_at = now()
         where (o.ok, o.reason, o.message) is distinct from (excluded.ok, excluded.reason, excluded.message)",
        kind.as_str(),
        name,
        observation.condition.as_str(),
        observation.ok,
        observation.reason,
        observation.message
    )
    .execute(connection)
    .await
    .map_err(Error::from);
    match written {
        Err(error) if error.is_missing_reference() => Ok(false),
        other => other.map(|done| done.rows_affected() > 0),
    }
}
