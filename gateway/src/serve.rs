//! Puts the parts together and takes them apart again.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use futures::future::BoxFuture;
use konstruct_channels::{Adapters, Settings};
use konstruct_media::Place;
use konstruct_queue::Bus;
use konstruct_queue::limit::Limiter;
use konstruct_store::Store;
use konstruct_telemetry::Readiness;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::credentials::Credentials;
use crate::files::{Decoders, Fetcher, Files};
use crate::manners::{Allowances, Told};
use crate::outbox::{InFlight, Outbox, SENDS_MAX, Sender};
use crate::partials::Partials;
use crate::registry::Registry;
use crate::reloader::Reloader;
use crate::streams::Followed;
use crate::wakes::Wakes;
use crate::{Error, background, routes};

/// How long unfinished requests and sends may take after the wish to stop. What is not finished then is in doubt, and
/// the next gateway asks the platform.
const GRACE: Duration = Duration::from_secs(15);

/// Ready-made parts.
pub struct Config {
    pub listener: TcpListener,
    pub store: Store,
    pub bus: Bus,
    pub readiness: Readiness,
    /// How platforms are reached.
    pub channels: Settings,
    /// Where platforms reach this gateway, for those that have to be told.
    pub public_url: Option<String>,
    /// Names this process on the rows that it leases.
    pub owner: String,
    pub allowances: Allowances,
    /// Where files lie. None: no files are taken.
    pub media: Option<Place>,
    /// How long they are kept.
    pub media_retention: Duration,
    /// How many proxies of ours stand in front and append to X-Forwarded-For.
    pub trusted_proxies: usize,
}

/// Serves until shutdown, then finishes what has begun.
pub fn serve(config: Config, shutdown: CancellationToken) -> BoxFuture<'static, Result<(), Error>> {
    // Boxed, so that it is compiled here and not once more in each crate that awaits it.
    Box::pin(serving(config, shutdown))
}

async fn serving(config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    let adapters = Adapters::new(&config.channels)?;
    let registry = Arc::new(Registry::default());
    let credentials = Credentials::new(
        config.store.clone(),
        config.bus.clone(),
        adapters.clone(),
        config.public_url.as_deref(),
    );
    let tasks = TaskTracker::new();
    let sender = Sender {
        store: config.store.clone(),
        registry: Arc::clone(&registry),
        adapters: adapters.clone(),
        credentials: credentials.clone(),
        owner: config.owner.clone(),
        tasks: tasks.clone(),
        in_flight: InFlight::default(),
    };
    let outbox = Outbox::new(sender, SENDS_MAX, Arc::clone(&registry), tasks.clone(), shutdown.clone());
    let reloader = Reloader::new(
        config.store.clone(),
        config.bus.clone(),
        Arc::clone(&registry),
        credentials.clone(),
        config.readiness.check("configuration"),
    );
    let decoders = Decoders::default();
    let fetcher = Fetcher {
        store: config.store.clone(),
        bus: config.bus.clone(),
        registry: Arc::clone(&registry),
        adapters: adapters.clone(),
        place: config.media.clone(),
        decoders: decoders.clone(),
    };
    let files = Files::new(fetcher, tasks.clone(), shutdown.clone());
    let app = Arc::new(App {
        store: config.store,
        limiter: Limiter::new(config.bus.clone()),
        allowances: config.allowances,
        told: Told::default(),
        partials: Partials::default(),
        followed: Followed::default(),
        media: config.media,
        media_retention: config.media_retention,
        files,
        decoders,
        trusted_proxies: config.trusted_proxies,
        bus: config.bus,
        adapters,
        credentials,
        registry,
        reloader,
        outbox,
        wakes: Wakes::default(),
        owner: config.owner,
        shutdown: shutdown.clone(),
    });
    background::start(&app, &config.readiness, &tasks);

    // An event of a stream must not wait for the browser's acknowledgement of the one before.
    let listener = config.listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    let server =
        axum::serve(listener, routes::router(app).into_make_service_with_connect_info::<SocketAddr>())
            .with_graceful_shutdown(shutdown.clone().cancelled_owned())
            .into_future();
    tokio::pin!(server);
    let ended = tokio::select! {
        ended = &mut server => ended,
        () = shutdown.cancelled() => timeout(GRACE, &mut server).await.unwrap_or(Ok(())),
    };
    // The server also ends by itself when its listener fails; nothing else must go on then.
    shutdown.cancel();
    tasks.close();
    if timeout(GRACE, tasks.wait()).await.is_err() {
        tracing::warn!("stopped before everything had finished; the next gateway resolves what is in doubt");
    }
    ended.map_err(Error::Serve)
}
