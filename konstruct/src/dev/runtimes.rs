//! One runtime per tenant, in this process.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use konstruct_ai_gateway::LocalTokens;
use konstruct_domain::{Slug, TenantId};
use konstruct_queue::Bus;
use konstruct_runtime::TokenSource;
use konstruct_store::TenantStore;
use konstruct_telemetry::Readiness;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::keys::Keys;
use super::services::Services;

const CONCURRENCY: usize = 4;
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// What all runtimes share.
pub(crate) struct Runtimes {
    pub(crate) ai_gateway_url: String,
    pub(crate) tokens: LocalTokens,
    pub(crate) keys: Keys,
    pub(crate) running: BTreeMap<Slug, Running>,
}

pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Runtimes {
    /// Starts a tenant's runtime, with the tenant's own database role and cache user, unless it runs.
    pub(crate) fn ensure(&mut self, services: &Services, slug: &Slug, id: TenantId) -> Result<()> {
        if self.running.contains_key(slug) {
            return Ok(());
        }
        let database =
            services.database_url(&slug.database_role(), &self.keys.tenant_database_password(slug))?;
        let redis = services.tenant_redis_url(&slug.cache_user(), &self.keys.tenant_cache_password(slug))?;
        let config = konstruct_runtime::Config {
            tenant: id,
            store: TenantStore::connect(&database)?,
            bus: Bus::connect(&redis)?,
            readiness: Readiness::new(),
            ai_gateway_url: self.ai_gateway_url.clone(),
            token: TokenSource::Fixed(self.tokens.issue(id)),
            owner: format!("dev/{slug}"),
            concurrency: CONCURRENCY,
            messages_per_turn: konstruct_runtime::MESSAGES_PER_TURN,
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(config, slug.clone(), stop.clone()));
        self.running.insert(slug.clone(), Running { stop, task });
        Ok(())
    }

    pub(crate) async fn stop(&mut self, slug: &Slug) {
        if let Some(running) = self.running.remove(slug) {
            running.stop.cancel();
            finish(running, slug).await;
        }
    }

    pub(crate) async fn stop_all(&mut self) {
        self.running.values().for_each(|running| running.stop.cancel());
        while let Some((slug, running)) = self.running.pop_first() {
            finish(running, &slug).await;
        }
    }
}

async fn run(config: konstruct_runtime::Config, slug: Slug, stop: CancellationToken) {
    if let Err(error) = konstruct_runtime::serve(config, stop).await {
        tracing::error!(%slug, error = format!("{:#}", anyhow::Error::from(error)), "the runtime ended");
    }
}

async fn finish(mut running: Running, slug: &Slug) {
    if timeout(STOP_TIMEOUT, &mut running.task).await.is_err() {
        tracing::warn!(%slug, "the runtime does not stop: its turn is taken up at the next start");
        running.task.abort();
    }
}
