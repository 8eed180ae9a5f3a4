//! Replies on their way out.

mod deliver;
mod ledger;
mod policy;

use std::sync::Arc;
use std::time::Duration;

use konstruct_channels::Adapters;
use konstruct_domain::TenantId;
use konstruct_store::{Error, OutboxItem, Store};
use tokio_util::task::TaskTracker;

use crate::credentials::Credentials;
use crate::dispatch::{Dispatcher, Work};
use crate::registry::Registry;

/// Sends at the same time, over all tenants.
pub(crate) const SENDS_MAX: usize = 64;

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
}

impl Work for Sender {
    type Item = OutboxItem;

    async fn claim(&self, tenant: TenantId) -> Result<Option<OutboxItem>, Error> {
        self.store.claim_outbox(tenant, &self.owner).await
    }

    async fn handle(&self, tenant: TenantId, item: &OutboxItem) -> Option<Duration> {
        konstruct_faults::point("outbox.claimed");
        self.deliver(tenant, item).await
    }

    fn cannot_claim(tenant: TenantId, error: &Error) {
        tracing::debug!(%tenant, %error, "cannot claim a reply");
    }
}
