//! Compiled configuration: immutable versions, the one in force, and who has loaded which.

use konstruct_domain::observation::Observation;
use konstruct_domain::revision::Revision;
use konstruct_domain::snapshot::{Reader, SecretField};
use konstruct_domain::{Kind, TenantId};
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;

use crate::{Result, Store, TenantStore, channel_account, observation};

/// A snapshot in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    pub name: String,
    pub revision: Revision,
    pub snapshot: T,
}

/// What publishing did. `changed` is false when this revision was in force already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub revision: Revision,
    pub changed: bool,
    /// Whether the role that serves this kind works with this very revision.
    pub loaded: bool,
    /// What the data plane noticed about it.
    pub observations: Vec<Observation>,
}

/// Where a snapshot stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub in_force: Option<Revision>,
    /// The revision that the role which serves this kind has loaded.
    pub loaded: Option<Revision>,
    pub observations: Vec<Observation>,
}

impl Store {
    /// Puts a snapshot in force, together with the secrets that it names, and forgets what was observed of the last
    /// one. Writes nothing when it is in force already.
    pub async fn publish<T: Serialize>(
        &self,
        tenant: TenantId,
        kind: Kind,
        name: &str,
        snapshot: &T,
        secrets: &[(SecretField, SecretString)],
    ) -> Result<Published> {
        let revision = Revision::of(snapshot)?;
        let mut transaction = self.begin(tenant).await?;
        let standing = standing(&mut transaction, kind, name).await?;
        if standing.in_force.as_ref() == Some(&revision) {
            let loaded = standing.loaded.as_ref() == Some(&revision);
            return Ok(Published { revision, changed: false, loaded, observations: standing.observations });
        }
        // What was noticed about the last revision says nothing about this one: its key may have been corrected.
        sqlx::query!(
            "with version as (
                 insert into konstruct.snapshot (kind, name, revision, body) values ($1, $2, $3, $4)
                 on conflict do nothing
             ), noticed as (
                 delete from konstruct.observation where kind = $1 and name = $2
             )
             insert into konstruct.snapshot_head (kind, name, revision) values ($1, $2, $3)
             on conflict (tenant_id, kind, name) do update set revision = excluded.revision, updated_at = now()",
            kind.as_str(),
            name,
            revision.as_str(),
            serde_json::to_value(snapshot)?
        )
        .execute(&mut *transaction)
        .await?;
        self.replace_secrets(&mut transaction, tenant, kind, name, secrets).await?;
        transaction.commit().await?;
        // A revision that was in force before may still be loaded.
        let loaded = standing.loaded.as_ref() == Some(&revision);
        Ok(Published { revision, changed: true, loaded, observations: Vec::new() })
    }

    /// Takes a snapshot out of force, with its secrets and everything reported about it. A connection lets its account go,
    /// so that the next in line can have it.
    pub async fn withdraw(&self, tenant: TenantId, kind: Kind, name: &str) -> Result<bool> {
        let mut transaction = self.begin(tenant).await?;
        // The head and what hangs on it go by cascade.
        let deleted =
            sqlx::query!("delete from konstruct.snapshot where kind = $1 and name = $2", kind.as_str(), name)
                .execute(&mut *transaction)
                .await?;
        if kind == Kind::ChannelConnection {
            channel_account::release(&mut transaction, name).await?;
        }
        transaction.commit().await?;
        Ok(deleted.rows_affected() > 0)
    }

    /// Kind and name of everything that a tenant has in force or holds: an account of a platform is held under the name of
    /// its connection.
    pub async fn named(&self, tenant: TenantId) -> Result<Vec<(Kind, String)>> {
        let rows = sqlx::query!(
            r#"select kind as "kind!", name as "name!" from konstruct.snapshot_head
               union select 'ChannelConnection', connection from konstruct.channel_account"#
        )
        .fetch_all(&mut *self.begin(tenant).await?)
        .await?;
        let named = rows.into_iter().filter_map(|row| {
            let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == row.kind)?;
            Some((kind, row.name))
        });
        Ok(named.collect())
    }

    pub async fn head<T: DeserializeOwned>(
        &self,
        tenant: TenantId,
        kind: Kind,
        name: &str,
    ) -> Result<Option<Versioned<T>>> {
        head(&mut *self.begin(tenant).await?, kind, name).await
    }

    pub async fn heads<T: DeserializeOwned>(
        &self,
        tenant: TenantId,
        kind: Kind,
    ) -> Result<Vec<Versioned<T>>> {
        heads(&mut *self.begin(tenant).await?, kind).await
    }

    pub async fn record_loaded(
        &self,
        tenant: TenantId,
        kind: Kind,
        name: &str,
        reader: Reader,
        revision: &Revision,
    ) -> Result<()> {
        let mut transaction = self.begin(tenant).await?;
        if record_loaded(&mut transaction, kind, name, reader, revision).await? {
            transaction.commit().await?;
        }
        Ok(())
    }

    pub async fn standing(&self, tenant: TenantId, kind: Kind, name: &str) -> Result<Standing> {
        standing(&mut *self.begin(tenant).await?, kind, name).await
    }
}

impl TenantStore {
    pub async fn head<T: DeserializeOwned>(&self, kind: Kind, name: &str) -> Result<Option<Versioned<T>>> {
        head(&mut *self.pool().acquire().await?, kind, name).await
    }

    pub async fn heads<T: DeserializeOwned>(&self, kind: Kind) -> Result<Vec<Versioned<T>>> {
        heads(&mut *self.pool().acquire().await?, kind).await
    }

    pub async fn record_loaded(&self, kind: Kind, name: &str, revision: &Revision) -> Result<()> {
        record_loaded(&mut *self.pool().acquire().await?, kind, name, Reader::Runtime, revision).await?;
        Ok(())
    }
}

async fn standing(connection: &mut PgConnection, kind: Kind, name: &str) -> Result<Standing> {
    let rows = sqlx::query!(
        r#"select h.revision as "in_force?", l.revision as "loaded?",
                  o.condition as "condition?", o.ok as "ok?", o.reason as "reason?", o.message as "message?"
         from (select $1::text as kind, $2::text as name) as asked
         left join konstruct.snapshot_head h using (kind, name)
         left join konstruct.snapshot_loaded l on l.kind = $1 and l.name = $2 and l.reader = $3
         left join konstruct.observation o on o.kind = $1 and o.name = $2
         order by o.condition"#,
        kind.as_str(),
        name,
        Reader::of(kind).as_str()
    )
    .fetch_all(connection)
    .await?;
    let mut standing = Standing::default();
    for row in rows {
        standing.in_force = row.in_force.map(Revision::from_stored);
        standing.loaded = row.loaded.map(Revision::from_stored);
        if let (Some(condition), Some(ok), Some(reason), Some(message)) =
            (row.condition, row.ok, row.reason, row.message)
        {
            let condition = observation::condition(&condition)?;
            standing.observations.push(Observation { condition, ok, reason, message });
        }
    }
    Ok(standing)
}

async fn head<T: DeserializeOwned>(
    connection: &mut PgConnection,
    kind: Kind,
    name: &str,
) -> Result<Option<Versioned<T>>> {
    let row = sqlx::query!(
        "select name, revision, body from konstruct.snapshot_head join konstruct.snapshot
         using (tenant_id, kind, name, revision) where kind = $1 and name = $2",
        kind.as_str(),
        name
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| versioned(row.name, row.revision, row.body)).transpose()
}

async fn heads<T: DeserializeOwned>(connection: &mut PgConnection, kind: Kind) -> Result<Vec<Versioned<T>>> {
    sqlx::query!(
        "select name, revision, body from konstruct.snapshot_head join konstruct.snapshot
         using (tenant_id, kind, name, revision) where kind = $1 order by name",
        kind.as_str()
    )
    .fetch_all(connection)
    .await?
    .into_iter()
    .map(|row| versioned(row.name, row.revision, row.body))
    .collect()
}

fn versioned<T: DeserializeOwned>(
    name: String,
    revision: String,
    body: serde_json::Value,
) -> Result<Versioned<T>> {
    Ok(Versioned { name, revision: Revision::from_stored(revision), snapshot: serde_json::from_value(body)? })
}

/// False when the snapshot has been withdrawn meanwhile, which is no error for its reader.
async fn record_loaded(
    connection: &mut PgConnection,
    kind: Kind,
    name: &str,
    reader: Reader,
    revision: &Revision,
) -> Result<bool> {
    let written = sqlx::query!(
        "insert into konstruct.snapshot_loaded as l (kind, name, reader, revision) values ($1, $2, $3, $4)
         on conflict (tenant_id, kind, name, reader)
         do update set revision = excluded.revision, loaded_at = now()
         where l.revision <> excluded.revision",
        kind.as_str(),
        name,
        reader.as_str(),
        revision.as_str()
    )
    .execute(connection)
    .await
    .map_err(crate::Error::from);
    match written {
        Err(error) if error.is_missing_reference() => Ok(false),
        other => other.map(|_| true),
    }
}
