//! Connections: a pool for the shared roles, and one that empties itself for a runtime.

use std::time::Duration;

use konstruct_domain::{AgentName, TenantId};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool, PgTransaction};

use crate::{Error, Keyring, Result};

/// Slack gives up on a webhook after 3 s; by then we want to have answered that the database is down.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// Less than the 30 s that the operator gives one look at an object.
const PATIENT_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);

/// An idle runtime gives its connections back after this time.
const TENANT_IDLE_TIMEOUT: Duration = Duration::from_secs(3);
const TENANT_MAX_CONNECTIONS: u32 = 8;

pub(crate) fn options(url: &SecretString, application: &str) -> Result<PgConnectOptions> {
    let options: PgConnectOptions = url.expose_secret().parse().map_err(Error::Url)?;
    Ok(options.application_name(application))
}

/// The door for roles that serve many tenants: operator, gateway, ai-gateway.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
    keyring: Keyring,
}

impl Store {
    /// Never waits for the server: the first call does.
    pub fn connect(url: &SecretString, max_connections: u32, keyring: Keyring) -> Result<Self> {
        Self::open(url, max_connections, keyring, ACQUIRE_TIMEOUT)
    }

    /// For work that nobody waits for, and that comes in bursts: a queue for the connections is no outage.
    pub fn connect_patiently(url: &SecretString, max_connections: u32, keyring: Keyring) -> Result<Self> {
        Self::open(url, max_connections, keyring, PATIENT_ACQUIRE_TIMEOUT)
    }

    fn open(
        url: &SecretString,
        max_connections: u32,
        keyring: Keyring,
        acquire_timeout: Duration,
    ) -> Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(acquire_timeout)
            .connect_lazy_with(options(url, "konstruct")?);
        Ok(Self { pool, keyring })
    }

    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    pub async fn ping(&self) -> Result<()> {
        ping(&self.pool).await
    }

    /// A transaction that sees the rows of one tenant.
    pub(crate) async fn begin(&self, tenant: TenantId) -> Result<PgTransaction<'static>> {
        // One round trip. A tenant's id is a UUID: nothing in it ends the quotes.
        let begin = format!("begin; select set_config('konstruct.tenant', '{tenant}', true)");
        Ok(self.pool.begin_with(AssertSqlSafe(begin)).await?)
    }

    /// For what belongs to no tenant: the directory, and functions that choose tenants themselves.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }
}

/// The door for a runtime. The database knows the tenant from the login role.
#[derive(Clone, Debug)]
pub struct TenantStore {
    pool: PgPool,
    agent: Option<AgentName>,
}

impl TenantStore {
    /// Never waits for the server, and holds no connection while there is nothing to do.
    pub fn connect(url: &SecretString) -> Result<Self> {
        let pool = PgPoolOptions::new()
            .min_connections(0)
            .max_connections(TENANT_MAX_CONNECTIONS)
            .idle_timeout(TENANT_IDLE_TIMEOUT)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(options(url, "konstruct-runtime")?);
        Ok(Self { pool, agent: None })
    }

    /// The same for the runtime of one agent that has its own.
    #[must_use]
    pub fn dedicated_to(self, agent: AgentName) -> Self {
        Self { agent: Some(agent), ..self }
    }

    /// The one agent that this runtime is for. None: all that have none of their own.
    pub fn agent(&self) -> Option<&AgentName> {
        self.agent.as_ref()
    }

    pub async fn ping(&self) -> Result<()> {
        ping(&self.pool).await
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }
}

async fn ping(pool: &PgPool) -> Result<()> {
    sqlx::query!("select 1 as one").fetch_one(pool).await?;
    Ok(())
}
