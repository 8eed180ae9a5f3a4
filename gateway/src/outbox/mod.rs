//! Replies on their way out: a few lanes a tenant, so that one tenant's backlog or broken platform holds up nobody
//! else.

mod deliver;
mod lanes;
mod policy;

use std::sync::Arc;

use konstruct_domain::TenantId;
use konstruct_store::Store;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::credentials::Credentials;
use crate::registry::Registry;
use lanes::Lanes;

/// Sends at the same time, over all tenants. Waiting sends are served in the order in which they came.
const SENDS_MAX: usize = 64;

#[derive(Clone)]
pub(crate) struct Outbox(Arc<Inner>);

struct Inner {
    store: Store,
    registry: Arc<Registry>,
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
        credentials: Credentials,
        owner: String,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        let (lanes, sends) = (Lanes::default(), Semaphore::new(SENDS_MAX));
        Self(Arc::new(Inner { store, registry, credentials, owner, tasks, shutdown, lanes, sends }))
    }

    /// Something may be due for a tenant.
    pub(crate) fn wake(&self, tenant: TenantId) {
        if let Some(seen) = self.0.lanes.open(tenant) {
            let inner = Arc::clone(&self.0);
            self.0.tasks.spawn(async move { inner.drain(tenant, seen).await });
        }
    }
}

impl Inner {
    /// One lane: sends what is due until nothing is.
    async fn drain(&self, tenant: TenantId, mut seen: u64) {
        loop {
            let Ok(permit) = self.sends.acquire().await else { return };
            while !self.shutdown.is_cancelled() {
                match self.store.claim_outbox(tenant, &self.owner).await {
                    Ok(Some(item)) => self.deliver(tenant, &item).await,
                    Ok(None) => break,
                    Err(error) => {
                        // The sweep comes back when the database does.
                        tracing::debug!(%tenant, %error, "cannot claim a reply");
                        break;
                    }
                }
            }
            drop(permit);
            match self.lanes.close(tenant, seen) {
                Some(newer) => seen = newer,
                None => return,
            }
        }
    }
}
