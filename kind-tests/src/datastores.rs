//! A look into the cluster's PostgreSQL and Redis, past the product.

use anyhow::{Context, Result};
use redis::aio::MultiplexedConnection;
use sqlx::{Connection, PgConnection, Row};

use crate::forward::Forward;

/// The namespace, user and password of fixtures/datastores.yaml.
const NAMESPACE: &str = "konstruct-data";
const PASSWORD: &str = "e2e-superuser";

/// PostgreSQL as its superuser, who sees every row whatever the policies say.
pub struct Postgres {
    connection: PgConnection,
    _forward: Option<Forward>,
}

impl Postgres {
    /// The cluster's, or the one that `with-services` has started.
    pub async fn open() -> Result<Self> {
        let (url, forward) = if let Ok(url) = std::env::var("KONSTRUCT_TEST_DATABASE_URL") {
            (url, None)
        } else {
            let forward = Forward::open(NAMESPACE, "postgres", 5432).await?;
            (format!("postgres://postgres:{PASSWORD}@127.0.0.1:{}/konstruct", forward.port), Some(forward))
        };
        let connection =
            PgConnection::connect(&url).await.context("connecting to the cluster's PostgreSQL")?;
        Ok(Self { connection, _forward: forward })
    }

    /// Runs statements, for a test that breaks something.
    pub async fn execute(&mut self, statements: &'static str) -> Result<()> {
        sqlx::raw_sql(statements).execute(&mut self.connection).await.context(statements)?;
        Ok(())
    }

    /// What is published of the tenant with this slug, by kind and name.
    pub async fn published(&mut self, slug: &str) -> Result<Vec<(String, serde_json::Value)>> {
        let rows = sqlx::query(
            "select h.kind || '/' || h.name, s.body from konstruct.snapshot_head h \
             join konstruct.snapshot s using (tenant_id, kind, name, revision) \
             join konstruct.tenant t on t.tenant_id = h.tenant_id where t.slug = $1",
        )
        .bind(slug);
        Ok(rows.fetch_all(&mut self.connection).await?.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Sessions of a login role.
    pub async fn sessions(&mut self, role: &str) -> Result<i64> {
        let row = sqlx::query("select count(*) from pg_stat_activity where usename = $1").bind(role);
        Ok(row.fetch_one(&mut self.connection).await?.get(0))
    }

    pub async fn has_role(&mut self, role: &str) -> Result<bool> {
        let row = sqlx::query("select exists (select from pg_roles where rolname = $1)").bind(role);
        Ok(row.fetch_one(&mut self.connection).await?.get(0))
    }

    /// Roles whose name is like the pattern.
    pub async fn roles_like(&mut self, pattern: &str) -> Result<Vec<String>> {
        let rows = sqlx::query("select rolname::text from pg_roles where rolname like $1").bind(pattern);
        Ok(rows.fetch_all(&mut self.connection).await?.iter().map(|row| row.get(0)).collect())
    }

    /// The tables that hold rows of a tenant, with how many. Which tables have a tenant is asked of the catalogue.
    pub async fn rows_of(&mut self, tenant: &str) -> Result<Vec<(String, i64)>> {
        let tables = sqlx::query(
            "select c.oid::regclass::text, a.attname::text from pg_class c join pg_attribute a on a.attrelid = c.oid \
             where c.relkind in ('r', 'p') and a.atttypid = 'uuid'::regtype and not a.attisdropped \
             and c.relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema') \
             and (a.attname = 'tenant_id' or (a.attname = 'id' and c.relname in ('tenant', 'tenants')))",
        )
        .fetch_all(&mut self.connection)
        .await?;
        anyhow::ensure!(!tables.is_empty(), "no table of the database has a tenant: is it migrated?");
        let mut found = Vec::new();
        for table in tables {
            let (name, column): (String, String) = (table.get(0), table.get(1));
            let count = format!("select count(*) from {name} where {column}::text = $1");
            let rows: i64 = sqlx::query(sqlx::AssertSqlSafe(count))
                .bind(tenant)
                .fetch_one(&mut self.connection)
                .await?
                .get(0);
            if rows > 0 {
                found.push((name, rows));
            }
        }
        Ok(found)
    }
}

/// Redis as its administrator.
pub struct Redis {
    connection: MultiplexedConnection,
    _forward: Option<Forward>,
}

impl Redis {
    /// The cluster's, or the one that `with-services` has started.
    pub async fn open() -> Result<Self> {
        let (url, forward) = if let Ok(url) = std::env::var("KONSTRUCT_TEST_REDIS_URL") {
            (url, None)
        } else {
            let forward = Forward::open(NAMESPACE, "redis", 6379).await?;
            (format!("redis://:{PASSWORD}@127.0.0.1:{}/", forward.port), Some(forward))
        };
        let client = redis::Client::open(url)?;
        let connection =
            client.get_multiplexed_async_connection().await.context("connecting to the cluster's Redis")?;
        Ok(Self { connection, _forward: forward })
    }

    pub async fn has_user(&mut self, user: &str) -> Result<bool> {
        Ok(self.users_with(user).await?.iter().any(|name| name == user))
    }

    /// Users whose name begins so.
    pub async fn users_with(&mut self, prefix: &str) -> Result<Vec<String>> {
        let users: Vec<String> = redis::cmd("ACL").arg("USERS").query_async(&mut self.connection).await?;
        Ok(users.into_iter().filter(|name| name.starts_with(prefix)).collect())
    }

    /// The keys whose name holds a text.
    pub async fn keys_with(&mut self, text: &str) -> Result<Vec<String>> {
        Ok(redis::cmd("KEYS").arg(format!("*{text}*")).query_async(&mut self.connection).await?)
    }
}
