//! Replies on their way out.

mod deliver;
mod in_flight;
mod ledger;
mod policy;

use std::sync::Arc;
use std::time::Duration;

use konstruct_channels::Adapters;
use konstruct_domain::TenantId;
use konstruct_store::{Error, OutboxItem, Store};
use tokio_util::task::TaskTracker;

use crate::credentials::Credentials;
use crate::dispatch::{Dispatcher, Most, Work};
use crate::registry::Registry;

pub(crate) use in_flight::InFlight;

/// Sends at the same time.
pub(crate) const SENDS_MAX: Most = Most { of_a_tenant: 8, of_all: 64 };

pub(crate) type Outbox = Dispatcher<Sender>;

/// What sending needs.
pub(crate) struct Sender {
    pub store: Store,
    pub registry: Arc<Registry>,
    pub adapters: Adapters,
    pub credentials: Credentials,
    /// Names this process on the rows that it leases.
    pub owner: String,
    pub tasks: TaskTracker,
    pub in_flight: InFlight,
}

impl Work for Sender {
    type Item = OutboxItem;

    async fn claim(&self, tenant: TenantId) -> Result<Option<OutboxItem>, Error> {
        self.store.claim_outbox_except(tenant, &self.owner, &self.in_flight.busy(tenant)).await
    }

    async fn handle(&self, tenant: TenantId, item: &OutboxItem) -> Option<Duration> {
        konstruct_faults::point("outbox.claimed");
        let _counted = self.in_flight.begin(tenant, &item.connection);
        self.deliver(tenant, item).await
    }

    fn cannot_claim(tenant: TenantId, error: &Error) {
        tracing::debug!(%tenant, %error, "cannot claim a reply");
    }
}
