//! Replies on their way out: a few lanes a tenant, so that one tenant's backlog or broken platform holds up nobody
//! else.

mod deliver;
mod ledger;
mod policy;

use std::sync::Arc;
use std::time::Duration;

use konstruct_channels::Adapters;
use konstruct_domain::TenantId;
use konstruct_store::Store;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::credentials::Credentials;
use crate::lanes::Lanes;
use crate::registry::Registry;

/// Sends at the same time, over all tenants. Waiting sends are served in the order in which they came.
const SENDS_MAX: usize = 64;

/// Replies that are due later than this are left to the sweep.
const TIMER_MAX: Duration = Duration::from_mins(1);

#[derive(Clone)]
pub(crate) struct Outbox(Arc<Inner>);

struct Inner {
    store: Store,
    registry: Arc<Registry>,
    adapters: Adapters,
    credentials: Credentials,
    owner: String,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    lanes: Lanes,
    sends: Semaphore,
}

impl Outbox {
    pub(crate) fn new(
        store: Store,
        registry: Arc<Registry>,
        adapters: Adapters,
        credentials: Credentials,
        owner: String,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        let (lanes, sends) = (Lanes::default(), Semaphore::new(SENDS_MAX));
        Self(Arc::new(Inner { store, registry, adapters, credentials, owner, tasks, shutdown, lanes, sends }))
    }

    /// Something may be due for a tenant.
    pub(crate) fn wake(&self, tenant: TenantId) {
        if let Some(seen) = self.0.lanes.open(tenant) {
            self.0.tasks.spawn(self.clone().drain(tenant, seen));
        }
    }

    /// One lane: sends what is due until nothing is.
    async fn drain(self, tenant: TenantId, mut seen: u64) {
        let inner = &self.0;
        loop {
            // Before the configuration is loaded a try would be lost for nothing; the first sweep comes after it.
            while !inner.shutdown.is_cancelled() && inner.registry.routes().is_some() {
                // For each reply anew: tenants with a backlog take turns with those that have little to send.
                let Ok(_permit) = inner.sends.acquire().await else { return };
                match inner.store.claim_outbox(tenant, &inner.owner).await {
                    Ok(Some(item)) => {
                        konstruct_faults::point("outbox.claimed");
                        if let Some(delay) = inner.deliver(tenant, &item).await {
                            self.wake_later(tenant, delay);
                        }
                    }
                    Ok(None) => break,
                    Err(error) => {
                        // The sweep comes back when the database does.
                        tracing::debug!(%tenant, %error, "cannot claim a reply");
                        break;
                    }
                }
            }
            match inner.lanes.close(tenant, seen) {
                Some(newer) => seen = newer,
                None => return,
            }
        }
    }

    /// The sweep would find what is due later; a person who waits is worth being on time.
    fn wake_later(&self, tenant: TenantId, delay: Duration) {
        if delay > TIMER_MAX {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            let shutdown = this.0.shutdown.clone();
            if shutdown.run_until_cancelled(sleep(delay)).await.is_some() {
                this.wake(tenant);
            }
        });
    }
}
