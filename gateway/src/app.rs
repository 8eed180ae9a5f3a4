//! What request handlers and background loops share.

use std::sync::Arc;

use konstruct_queue::Bus;
use konstruct_store::Store;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::outbox::Outbox;
use crate::registry::Registry;
use crate::reloader::Reloader;
use crate::wakes::Wakes;

pub(crate) struct App {
    pub store: Store,
    pub bus: Bus,
    pub registry: Arc<Registry>,
    pub reloader: Reloader,
    pub outbox: Outbox,
    pub wakes: Wakes,
    pub shared_slack_signing_secret: Option<SecretString>,
    pub shutdown: CancellationToken,
}
