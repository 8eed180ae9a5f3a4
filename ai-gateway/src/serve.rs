//! Puts the parts together and takes them apart again.

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use futures::future::BoxFuture;
use konstruct_guard::{Guard, Network};
use konstruct_llm::HttpClient;
use konstruct_media::Place;
use konstruct_queue::Bus;
use konstruct_store::Store;
use konstruct_telemetry::Readiness;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Error;
use crate::admission::Admission;
use crate::background::Background;
use crate::budget::Budgets;
use crate::catalogue::{Clients, Loader};
use crate::chain::Chain;
use crate::health::{Health, write_reports};
use crate::identity::{Authenticator, Identity};
use crate::meter::{Meter, write_records};
use crate::routes::{App, router};

/// How long unfinished answers may take after the wish to stop.
const GRACE: Duration = Duration::from_secs(15);

/// And how long the records of the finished ones.
const METER_GRACE: Duration = Duration::from_secs(5);

/// Ready-made parts.
pub struct Config {
    pub listener: TcpListener,
    pub store: Store,
    pub bus: Bus,
    pub readiness: Readiness,
    pub identity: Identity,
    /// Whether providers of the type `scripted` may answer.
    pub allow_scripted: bool,
    /// Networks in which tenants' own providers may be although they are not public. The platform's providers may be
    /// anywhere.
    pub provider_networks: Vec<Network>,
    /// Where the gateway keeps pictures. None: models are told that there was one.
    pub media: Option<Place>,
}

/// Serves until shutdown, then finishes what has begun.
pub fn serve(config: Config, shutdown: CancellationToken) -> BoxFuture<'static, Result<(), Error>> {
    // Boxed, so that it is compiled here and not once more in each crate that awaits it.
    Box::pin(serving(config, shutdown))
}

async fn serving(config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    let Config { listener, store, bus, readiness, identity, allow_scripted, provider_networks, media } =
        config;
    let (health, reports) = Health::new();
    let budgets = Arc::new(Budgets::default());
    let (meter, records) = Meter::new(Arc::clone(&budgets));
    let clients = Clients {
        platform: HttpClient::new()?,
        tenants: HttpClient::guarded(Guard::allowing(provider_networks))?,
    };
    let loader = Arc::new(Loader::new(store.clone(), bus.clone(), clients, allow_scripted, health.clone()));
    let app = Arc::new(App {
        authenticator: Authenticator::new(identity, Arc::clone(&loader)),
        loader,
        chain: Chain { meter, health: health.clone() },
        admission: Admission::new(),
        budgets: Arc::clone(&budgets),
        store: store.clone(),
        media,
    });

    let tasks = TaskTracker::new();
    let metered = tokio::spawn(write_records(records, store.clone(), budgets));
    let reporting = write_reports(reports, store.clone(), bus.clone());
    let stop = shutdown.clone();
    tasks.spawn(async move { stop.run_until_cancelled(reporting).await });
    let background =
        Background { app: Arc::clone(&app), store, bus, health, tasks, shutdown: shutdown.clone() };
    background.start(&readiness);

    // Without this, pieces of a streamed answer wait for each other's acknowledgement.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let server = axum::serve(listener, router(app))
        .with_graceful_shutdown(shutdown.clone().cancelled_owned())
        .into_future();
    let ended = run(server, &shutdown).await;
    // The server also ends by itself when its listener fails; nothing else must go on then.
    shutdown.cancel();
    background.tasks.close();
    background.tasks.wait().await;
    // With the last holder of a meter, the records end.
    drop(background);
    if timeout(METER_GRACE, metered).await.is_err() {
        tracing::error!(
            "stopped before every model call was on record: PostgreSQL did not take them in time"
        );
    }
    ended.map_err(Error::Serve)
}

async fn run(
    server: impl Future<Output = std::io::Result<()>>,
    shutdown: &CancellationToken,
) -> std::io::Result<()> {
    tokio::pin!(server);
    tokio::select! {
        ended = &mut server => ended,
        () = shutdown.cancelled() => timeout(GRACE, &mut server).await.unwrap_or(Ok(())),
    }
}
