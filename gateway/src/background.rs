//! Loops beside the requests: signals, sweeps for signals that were lost, and the pings behind readiness.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use konstruct_queue::{Event, Signal, Topics};
use konstruct_telemetry::{Check, Readiness};
use tokio::time::error::Elapsed;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::catch_up;
use crate::polls;
use crate::reloader::Record;
use crate::{partials, retention};

const PING: Duration = Duration::from_secs(1);
const PING_TIMEOUT: Duration = Duration::from_secs(2);
const SWEEP: Duration = Duration::from_secs(5);
const RELOAD: Duration = Duration::from_secs(30);
/// Deliveries with their payloads are kept for so long: for an audit, and longer than any platform repeats one. WhatsApp
/// goes on for seven days.
const RETENTION: Duration = Duration::from_hours(14 * 24);
const CLEAN: Duration = Duration::from_hours(1);

/// Starts all of them. They end with the shutdown.
pub(crate) fn start(app: &Arc<App>, readiness: &Readiness, tasks: &TaskTracker) {
    let (postgres, redis) = (readiness.check("postgres"), readiness.check("redis"));
    spawn(app, tasks, listen);
    spawn(app, tasks, |app| async move { app.reloader.run().await });
    spawn(app, tasks, reload);
    spawn(app, tasks, sweep);
    spawn(app, tasks, partials::listen);
    spawn(app, tasks, retention::run);
    fetch(app, tasks);
    spawn(app, tasks, catch_up::run);
    spawn(app, tasks, clean);
    spawn(app, tasks, |app| ping_postgres(app, postgres));
    spawn(app, tasks, |app| ping_redis(app, redis));
}

fn spawn<F: Future<Output = ()> + Send + 'static>(
    app: &Arc<App>,
    tasks: &TaskTracker,
    work: impl FnOnce(Arc<App>) -> F,
) {
    let shutdown = app.shutdown.clone();
    let work = work(Arc::clone(app));
    tasks.spawn(async move { shutdown.run_until_cancelled(work).await });
}

fn fetch(app: &Arc<App>, tasks: &TaskTracker) {
    let app = Arc::clone(app);
    tasks.spawn(async move {
        app.shutdown.run_until_cancelled(polls::run(Arc::clone(&app))).await;
        polls::hand_over(&app).await;
    });
}

fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Acts on signals. Nothing here waits for a database or a platform, so a burst of signals is read at once.
async fn listen(app: Arc<App>) {
    let mut events = app.bus.subscribe(Topics::Gateway, app.shutdown.clone());
    while let Some(event) = events.recv().await {
        match event {
            Event::Signal(Signal::Outbox(tenant)) => {
                app.outbox.wake(tenant);
                app.wakes.wake(tenant);
            }
            Event::Signal(Signal::Config(tenant)) => app.reloader.tenant(tenant),
            Event::Connected => {
                app.reloader.everything(Record::All);
                app.wakes.wake_all();
            }
            Event::Signal(Signal::Inbox(_) | Signal::Loaded(_) | Signal::Stop(..)) | Event::Disconnected => {}
        }
    }
}

/// Makes up for configuration signals that were lost.
async fn reload(app: Arc<App>) {
    let mut ticks = every(RELOAD);
    loop {
        ticks.tick().await;
        app.partials.tidy();
        app.reloader.everything(Record::Changed);
    }
}

/// Makes up for other signals that were lost.
async fn sweep(app: Arc<App>) {
    app.registry.loaded().await;
    let mut ticks = every(SWEEP);
    loop {
        ticks.tick().await;
        match app.store.tenants_with_due_outbox().await {
            Ok(tenants) => tenants.into_iter().for_each(|tenant| app.outbox.wake(tenant)),
            Err(error) => tracing::debug!(%error, "cannot look for due replies"),
        }
        match app.store.tenants_with_wanted_files().await {
            Ok(tenants) => tenants.into_iter().for_each(|tenant| app.files.wake(tenant)),
            Err(error) => tracing::debug!(%error, "cannot look for files to fetch"),
        }
        match app.store.tenants_with_waiting_inbox(SWEEP).await {
            Ok(tenants) => {
                for tenant in tenants {
                    app.bus.publish(Signal::Inbox(tenant)).await;
                }
            }
            Err(error) => tracing::debug!(%error, "cannot look for waiting messages"),
        }
    }
}

/// Deletes what has been kept for its time.
async fn clean(app: Arc<App>) {
    let mut ticks = every(CLEAN);
    loop {
        ticks.tick().await;
        if let Err(error) = clean_once(&app).await {
            tracing::warn!(%error, "old deliveries were not deleted; the next try is in an hour");
        }
    }
}

async fn clean_once(app: &App) -> Result<(), konstruct_store::Error> {
    for tenant in app.store.tenants().await? {
        while app.store.delete_expired(tenant.id, RETENTION).await? > 0 {}
    }
    Ok(())
}

async fn ping_postgres(app: Arc<App>, check: Check) {
    let mut ticks = every(PING);
    loop {
        ticks.tick().await;
        report(&check, timeout(PING_TIMEOUT, app.store.ping()).await);
    }
}

async fn ping_redis(app: Arc<App>, check: Check) {
    let mut ticks = every(PING);
    loop {
        ticks.tick().await;
        report(&check, timeout(PING_TIMEOUT, app.bus.ping()).await);
    }
}

/// The error names no host and no credential: whoever asks for readiness needs to know what is down.
fn report<E: std::error::Error>(check: &Check, answer: Result<Result<(), E>, Elapsed>) {
    match answer {
        Ok(Ok(())) => check.ok(),
        Ok(Err(error)) => check.failed(error.to_string()),
        Err(_) => check.failed(format!("no answer within {} s", PING_TIMEOUT.as_secs())),
    }
}
