//! What request handlers and background loops share.

use std::sync::Arc;
use std::time::Duration;

use konstruct_channels::Adapters;
use konstruct_media::Place;
use konstruct_queue::Bus;
use konstruct_queue::limit::Limiter;
use konstruct_store::Store;
use tokio_util::sync::CancellationToken;

use crate::credentials::Credentials;
use crate::files::{Decoders, Files};
use crate::manners::{Allowances, Told};
use crate::outbox::Outbox;
use crate::partials::Partials;
use crate::registry::Registry;
use crate::reloader::Reloader;
use crate::streams::Followed;
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
    pub limiter: Limiter,
    pub allowances: Allowances,
    pub told: Told,
    pub partials: Partials,
    pub followed: Followed,
    /// None: no files are taken.
    pub media: Option<Place>,
    pub media_retention: Duration,
    pub files: Files,
    pub decoders: Decoders,
    pub trusted_proxies: usize,
    /// Names this process on the rows that it leases.
    pub owner: String,
    pub shutdown: CancellationToken,
}
