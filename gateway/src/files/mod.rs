//! Files that people send: fetched from their platform after the message was committed and acknowledged.
//!
//! What is to be fetched stands in PostgreSQL. Whichever gateway is there fetches it; the one that took the message in
//! begins at once. The message itself waits for its files for a bounded time and is answered with or without them.

mod decoders;
mod fetch;
mod policy;

use std::sync::Arc;

use konstruct_channels::Adapters;
use konstruct_domain::TenantId;
use konstruct_media::Place;
use konstruct_queue::{Bus, Signal};
use konstruct_store::{FILES_WAIT, Store};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::lanes::Lanes;
use crate::registry::Registry;
pub(crate) use decoders::Decoders;

/// Files that are fetched at the same time, over all tenants: more than the lanes of one tenant whose platform hangs, and
/// few enough that the largest files fit into memory.
const FETCHES_MAX: usize = 8;

#[derive(Clone)]
pub(crate) struct Files(Arc<Inner>);

/// What fetching needs.
pub(crate) struct Parts {
    pub store: Store,
    pub bus: Bus,
    pub registry: Arc<Registry>,
    pub adapters: Adapters,
    /// None: no files are taken.
    pub place: Option<Place>,
    pub decoders: Decoders,
    pub tasks: TaskTracker,
    pub shutdown: CancellationToken,
}

struct Inner {
    parts: Parts,
    lanes: Lanes,
    fetches: Semaphore,
}

impl Files {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, lanes: Lanes::default(), fetches: Semaphore::new(FETCHES_MAX) }))
    }

    /// A message with files was committed. When its time of waiting is over its runtime has to look, whatever became of
    /// them.
    pub(crate) fn expect(&self, tenant: TenantId) {
        self.wake(tenant);
        let (bus, shutdown) = (self.0.parts.bus.clone(), self.0.parts.shutdown.clone());
        tokio::spawn(async move {
            if shutdown.run_until_cancelled(sleep(FILES_WAIT)).await.is_some() {
                bus.announce(Signal::Inbox(tenant));
            }
        });
    }

    /// Something may have to be fetched for a tenant.
    pub(crate) fn wake(&self, tenant: TenantId) {
        if let Some(seen) = self.0.lanes.open(tenant) {
            self.0.parts.tasks.spawn(self.clone().drain(tenant, seen));
        }
    }

    /// One lane: fetches what is due until nothing is.
    async fn drain(self, tenant: TenantId, mut seen: u64) {
        let Inner { parts, lanes, fetches } = &*self.0;
        loop {
            // Before the configuration is loaded a try would be lost for nothing; the first sweep comes after it.
            while !parts.shutdown.is_cancelled() && parts.registry.routes().is_some() {
                // For each file anew, so that tenants take turns.
                let Ok(_permit) = fetches.acquire().await else { return };
                match parts.store.claim_file(tenant, fetch::LEASE).await {
                    Ok(Some(file)) => {
                        konstruct_faults::point("files.claimed");
                        if let Some(delay) = parts.handle(tenant, &file).await {
                            self.wake_later(tenant, delay);
                        }
                    }
                    Ok(None) => break,
                    Err(error) => {
                        // The sweep comes back when the database does.
                        tracing::warn!(%tenant, %error, "cannot look for files to fetch");
                        break;
                    }
                }
            }
            match lanes.close(tenant, seen) {
                Some(newer) => seen = newer,
                None => return,
            }
        }
    }

    fn wake_later(&self, tenant: TenantId, delay: std::time::Duration) {
        let this = self.clone();
        tokio::spawn(async move {
            let shutdown = this.0.parts.shutdown.clone();
            if shutdown.run_until_cancelled(sleep(delay)).await.is_some() {
                this.wake(tenant);
            }
        });
    }
}
