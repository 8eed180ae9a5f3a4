//! What request handlers and background loops share.

use std::sync::Arc;
use std::time::Duration;

use konstruct_media::Place;
use konstruct_queue::Bus;
use konstruct_queue::limit::Limiter;
use konstruct_store::Store;
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::manners::{Allowances, Told};
use crate::outbox::Outbox;
use crate::partials::Partials;
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
    pub limiter: Limiter,
    pub allowances: Allowances,
    pub told: Told,
    pub partials: Partials,
    /// None: no files are taken.
    pub media: Option<Place>,
    pub media_retention: Duration,
    /// How many pictures are decoded at one time.
    pub decoders: Semaphore,
    pub trusted_proxies: usize,
    pub shared_slack_signing_secret: Option<SecretString>,
    pub shutdown: CancellationToken,
}
