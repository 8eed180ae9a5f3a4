//! Loops beside the requests: configuration, pings behind readiness, second looks at faulty providers.

use std::sync::Arc;
use std::time::Duration;

use konstruct_queue::{Bus, Topics};
use konstruct_store::Store;
use konstruct_telemetry::{Check, Readiness};
use tokio::time::error::Elapsed;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::catalogue::follow;
use crate::health::Health;
use crate::routes::App;

const PING_EVERY: Duration = Duration::from_secs(1);
const PING_LIMIT: Duration = Duration::from_secs(2);
const REVIEW_EVERY: Duration = Duration::from_secs(5);
const LOOK_AGAIN_EVERY: Duration = Duration::from_secs(30);

/// What the loops work with.
pub(crate) struct Background {
    pub(crate) app: Arc<App>,
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) health: Health,
    pub(crate) tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
}

impl Background {
    /// Starts all of them. They end with the shutdown.
    pub(crate) fn start(&self, readiness: &Readiness) {
        let Self { app, store, bus, health, shutdown, .. } = self;
        let (configuration, app_) = (readiness.check("configuration"), Arc::clone(app));
        let events = bus.subscribe(Topics::AiGateway, shutdown.clone());
        self.spawn(async move { follow(&app_.loader, events, configuration).await });

        let (check, store) = (readiness.check("postgres"), store.clone());
        self.spawn(every(PING_EVERY, async move || report(&check, timeout(PING_LIMIT, store.ping()).await)));
        let (check, bus) = (readiness.check("redis"), bus.clone());
        self.spawn(every(PING_EVERY, async move || report(&check, timeout(PING_LIMIT, bus.ping()).await)));

        if app.authenticator.asks_kubernetes() {
            let (check, app_) = (readiness.check("kubernetes"), Arc::clone(app));
            self.spawn(every(REVIEW_EVERY, async move || match app_.authenticator.check().await {
                Ok(()) => check.ok(),
                Err(reason) => check.failed(reason),
            }));
        }
        let (health, app_) = (health.clone(), Arc::clone(app));
        self.spawn(every(LOOK_AGAIN_EVERY, async move || health.look_again(app_.loader.catalogue())));
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(async move { shutdown.run_until_cancelled(task).await });
    }
}

async fn every(period: Duration, action: impl AsyncFn()) {
    let mut tick = interval(period);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        action().await;
    }
}

fn report<E: std::error::Error>(check: &Check, answer: Result<Result<(), E>, Elapsed>) {
    match answer {
        Ok(Ok(())) => check.ok(),
        Ok(Err(error)) => check.failed(error.to_string()),
        Err(_) => check.failed(format!("no answer within {} s", PING_LIMIT.as_secs())),
    }
}
