//! Connections: a pool for the shared roles, and one that empties itself for a runtime.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use konstruct_domain::{AgentName, TenantId};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor, PgPool, PgTransaction, SqlSafeStr};

use crate::batch::Batcher;
use crate::intake::{self, Accepted, Arrival};
use crate::outbox::{self, Sent};
use crate::scan::Scan;
use crate::turn::{self, Ended};
use crate::{Error, Keyring, Result};

/// Slack gives up on a webhook after 3 s; by then we want to have answered that the database is down.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// An idle runtime gives its connections back after this time.
const TENANT_IDLE_TIMEOUT: Duration = Duration::from_secs(3);
const TENANT_MAX_CONNECTIONS: u32 = 8;

/// Planned once and by index: a plan that was made while a queue was empty must do when it is long. A bitmap scan would
/// visit every version of a row, of which there are many while somebody holds an old snapshot.
const PLANS: &str =
    "set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_bitmapscan = off;
    set enable_hashjoin = off; set enable_mergejoin = off; set jit = off";

pub(crate) fn options(url: &SecretString, application: &str) -> Result<PgConnectOptions> {
    let options: PgConnectOptions = url.expose_secret().parse().map_err(Error::Url)?;
    Ok(options.application_name(application))
}

/// The door for roles that serve many tenants: operator, gateway, ai-gateway.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
    keyring: Keyring,
    intake: Arc<Batcher<Arrival, Option<Accepted>>>,
    sent: Arc<Batcher<Sent, bool>>,
    outbox_scans: Arc<Mutex<HashMap<TenantId, Scan>>>,
}

impl Store {
    /// Never waits for the server: the first call does.
    pub fn connect(url: &SecretString, max_connections: u32, keyring: Keyring) -> Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(options(url, "konstruct")?);
        Ok(Self {
            intake: Arc::new(Batcher::new(intake::commit_to(pool.clone()))),
            sent: Arc::new(Batcher::new(outbox::commit_to(pool.clone()))),
            outbox_scans: Arc::default(),
            pool,
            keyring,
        })
    }

    pub(crate) fn intake(&self) -> &Batcher<Arrival, Option<Accepted>> {
        &self.intake
    }

    pub(crate) fn sent(&self) -> &Batcher<Sent, bool> {
        &self.sent
    }

    pub(crate) fn outbox_scans(&self) -> &Mutex<HashMap<TenantId, Scan>> {
        &self.outbox_scans
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
        let statement = format!("begin; select set_config('konstruct.tenant', '{tenant}', true)");
        // Who goes away while it waits for a connection must not be served: under load those who stay would wait behind them.
        let connection = self.pool.acquire().await?;
        // From here on a task of its own, because a caller may go away in the middle, as a visitor or a deadline does. sqlx
        // 0.9 would hand the connection on with the transaction open, and what the next one writes outside of one, and
        // answers for, would not be committed.
        let begun = tokio::spawn(async move {
            PgTransaction::begin(connection, Some(AssertSqlSafe(statement).into_sql_str())).await
        });
        Ok(begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))?)
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
    inbox_scan: Arc<Mutex<Scan>>,
    turns: Arc<Batcher<Ended, Option<i64>>>,
}

impl TenantStore {
    /// Never waits for the server, and holds no connection while there is nothing to do.
    pub fn connect(url: &SecretString) -> Result<Self> {
        let pool = PgPoolOptions::new()
            .min_connections(0)
            .max_connections(TENANT_MAX_CONNECTIONS)
            .idle_timeout(TENANT_IDLE_TIMEOUT)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(|connection, _| {
                Box::pin(async move { connection.execute(PLANS).await.map(|_| ()) })
            })
            .connect_lazy_with(options(url, "konstruct-runtime")?);
        Ok(Self {
            agent: None,
            inbox_scan: Arc::new(Mutex::new(Scan::new(Instant::now()))),
            turns: Arc::new(Batcher::new(turn::commit_to(pool.clone()))),
            pool,
        })
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

    pub(crate) fn inbox_scan(&self) -> &Mutex<Scan> {
        &self.inbox_scan
    }

    pub(crate) fn turns(&self) -> &Batcher<Ended, Option<i64>> {
        &self.turns
    }
}

async fn ping(pool: &PgPool) -> Result<()> {
    sqlx::query!("select 1 as one").fetch_one(pool).await?;
    Ok(())
}
