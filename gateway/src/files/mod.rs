//! Files that people send: fetched from their platform after the message was committed and acknowledged.
//!
//! What is to be fetched stands in PostgreSQL. Whichever gateway is there fetches it; the one that took the message in
//! begins at once. The message itself waits for its files for a bounded time and is answered with or without them.

mod decoders;
mod fetch;
mod policy;

use std::sync::Arc;
use std::time::Duration;

use konstruct_channels::Adapters;
use konstruct_domain::TenantId;
use konstruct_media::Place;
use konstruct_queue::{Bus, Signal};
use konstruct_store::{Error, FILES_WAIT, Store, WantedFile};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::dispatch::{Dispatcher, Most, Work};
use crate::registry::Registry;
pub(crate) use decoders::Decoders;

/// Files that are fetched at the same time, over all tenants: more than the lanes of one tenant whose platform hangs, and
/// few enough that the largest files fit into memory.
const FETCHES_MAX: Most = Most { of_a_tenant: 4, of_all: 8 };

pub(crate) struct Files {
    dispatcher: Dispatcher<Fetcher>,
    bus: Bus,
    shutdown: CancellationToken,
}

/// What fetching needs.
pub(crate) struct Fetcher {
    pub store: Store,
    pub bus: Bus,
    pub registry: Arc<Registry>,
    pub adapters: Adapters,
    /// None: no files are taken.
    pub place: Option<Place>,
    pub decoders: Decoders,
}

impl Files {
    pub(crate) fn new(fetcher: Fetcher, tasks: TaskTracker, shutdown: CancellationToken) -> Self {
        let (bus, registry) = (fetcher.bus.clone(), Arc::clone(&fetcher.registry));
        let dispatcher = Dispatcher::new(fetcher, FETCHES_MAX, registry, tasks, shutdown.clone());
        Self { dispatcher, bus, shutdown }
    }

    /// A message with files was committed. When its time of waiting is over its runtime has to look, whatever became of
    /// them.
    pub(crate) fn expect(&self, tenant: TenantId) {
        self.wake(tenant);
        let (bus, shutdown) = (self.bus.clone(), self.shutdown.clone());
        tokio::spawn(async move {
            if shutdown.run_until_cancelled(sleep(FILES_WAIT)).await.is_some() {
                bus.announce(Signal::Inbox(tenant));
            }
        });
    }

    /// Something may have to be fetched for a tenant.
    pub(crate) fn wake(&self, tenant: TenantId) {
        self.dispatcher.wake(tenant);
    }
}

impl Work for Fetcher {
    type Item = WantedFile;

    async fn claim(&self, tenant: TenantId) -> Result<Option<WantedFile>, Error> {
        self.store.claim_file(tenant, fetch::LEASE).await
    }

    async fn handle(&self, tenant: TenantId, file: &WantedFile) -> Option<Duration> {
        konstruct_faults::point("files.claimed");
        self.try_once(tenant, file).await
    }

    fn cannot_claim(tenant: TenantId, error: &Error) {
        tracing::warn!(%tenant, %error, "cannot look for files to fetch");
    }
}
