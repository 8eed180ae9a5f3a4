//! Takes what is due from PostgreSQL and handles it: a few lanes a tenant, so that one tenant's backlog or broken platform
//! holds up nobody else.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use konstruct_domain::TenantId;
use konstruct_store::Error;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::lanes::Lanes;
use crate::registry::Registry;

/// What is due later than this is left to the sweep.
const TIMER_MAX: Duration = Duration::from_mins(1);

/// How much work of one kind is done at the same time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Most {
    pub of_a_tenant: usize,
    pub of_all: usize,
}

/// Work of one kind.
pub(crate) trait Work: Send + Sync + 'static {
    type Item: Send + Sync;

    /// Leases what has been due for longest.
    fn claim(&self, tenant: TenantId) -> impl Future<Output = Result<Option<Self::Item>, Error>> + Send;

    /// Returns after what time the item is due again, if it is.
    fn handle(&self, tenant: TenantId, item: &Self::Item) -> impl Future<Output = Option<Duration>> + Send;

    /// The sweep comes back when the database does.
    fn cannot_claim(tenant: TenantId, error: &Error);
}

pub(crate) struct Dispatcher<W>(Arc<Inner<W>>);

struct Inner<W> {
    work: W,
    registry: Arc<Registry>,
    lanes: Lanes,
    /// Over all tenants. Who waits is served in the order of coming.
    permits: Semaphore,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl<W> Clone for Dispatcher<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W: Work> Dispatcher<W> {
    pub(crate) fn new(
        work: W,
        most: Most,
        registry: Arc<Registry>,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        let (lanes, permits) = (Lanes::new(most.of_a_tenant), Semaphore::new(most.of_all));
        Self(Arc::new(Inner { work, registry, lanes, permits, tasks, shutdown }))
    }

    /// Something may be due for a tenant. Before the configuration is loaded a try would be lost for nothing; the first
    /// sweep comes after it.
    pub(crate) fn wake(&self, tenant: TenantId) {
        if self.0.registry.routes().is_none() {
            return;
        }
        if let Some(seen) = self.0.lanes.open(tenant) {
            self.0.tasks.spawn(self.clone().drain(tenant, seen));
        }
    }

    /// One lane: handles what is due until nothing is.
    async fn drain(self, tenant: TenantId, mut seen: u64) {
        let inner = &self.0;
        loop {
            while !inner.shutdown.is_cancelled() {
                // For each item anew: tenants with a backlog take turns with those that have little.
                let Ok(_permit) = inner.permits.acquire().await else { return };
                match inner.work.claim(tenant).await {
                    Ok(Some(item)) => {
                        if let Some(delay) = inner.work.handle(tenant, &item).await {
                            self.wake_later(tenant, delay);
                        }
                    }
                    Ok(None) => break,
                    Err(error) => {
                        W::cannot_claim(tenant, &error);
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
