//! What request handlers and background loops share.

use std::sync::Arc;

use konstruct_channels::Adapters;
use konstruct_queue::Bus;
use konstruct_store::Store;
use tokio_util::sync::CancellationToken;

use crate::credentials::Credentials;
use crate::outbox::Outbox;
use crate::registry::Registry;
use crate::reloader::Reloader;
use crate::wakes::Wakes;

pub(crate) struct App {
    pub store: Store,
    pub bus: Bus,
    pub adapters: Adapters,
    pub credentials: Credentials,
    pub registry: Arc<Registry>,
    pub reloader: Reloader,
    pub outbox: Outbox,
    pub wakes: Wakes,
    /// Names this process on the rows that it leases.
    pub owner: String,
    pub shutdown: CancellationToken,
}
