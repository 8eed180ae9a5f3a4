//! Connections whose deliveries have to be fetched, by questions or over a line: one task each, in one gateway each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use konstruct_channels::{Adapter, SendError};
use konstruct_domain::TenantId;
use konstruct_domain::revision::Revision;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::app::App;
use crate::connection::Connection;
use crate::lines;
use crate::receive::{self, Entry};
use crate::refusal::Refusal;

/// How often the tasks are compared with what is loaded.
const COMPARE: Duration = Duration::from_secs(1);
/// Longer than a question to a platform takes.
pub(crate) const LEASE: Duration = Duration::from_mins(1);
/// Before somebody who did not get the lease, or whose question failed, asks again.
pub(crate) const PAUSE: Duration = Duration::from_secs(5);
/// Before a delivery that could not be committed is tried again.
const UNAVAILABLE: Duration = Duration::from_secs(1);

type Key = (TenantId, String, Revision);

/// Keeps a task for each loaded connection that needs one.
pub(crate) async fn run(app: Arc<App>) {
    let mut running: HashMap<Key, DropGuard> = HashMap::new();
    loop {
        let wanted = wanted(&app);
        running.retain(|key, _| wanted.contains_key(key));
        for (key, connection) in wanted {
            running.entry(key).or_insert_with(|| start(&app, connection));
        }
        sleep(COMPARE).await;
    }
}

/// Leaves the lines and the questions to another gateway, which would else wait for a minute.
pub(crate) async fn hand_over(app: &App) {
    for connection in wanted(app).into_values() {
        let name = &connection.snapshot.name;
        if let Err(error) = app.store.release_poll(connection.tenant, name, &app.owner).await {
            tracing::debug!(connection = connection.name(), %error, "cannot hand the fetching of deliveries over");
        }
    }
}

fn wanted(app: &App) -> HashMap<Key, Arc<Connection>> {
    let Some(routes) = app.registry.routes() else { return HashMap::new() };
    let polled = routes.by_tenant().values().flatten().filter(|connection| {
        let adapter = app.adapters.get(connection.channel());
        let channel = &connection.snapshot.channel;
        channel.line_token().is_some() || adapter.is_some_and(|adapter| adapter.polls(channel))
    });
    let keyed = polled.map(|connection| {
        let key = (connection.tenant, connection.name().to_owned(), connection.revision.clone());
        (key, Arc::clone(connection))
    });
    keyed.collect()
}

/// Ends when the guard is dropped.
fn start(app: &Arc<App>, connection: Arc<Connection>) -> DropGuard {
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let (app, shutdown) = (Arc::clone(app), app.shutdown.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = stopped.cancelled() => {}
            () = shutdown.cancelled() => {}
            () = fetch_for_ever(&app, &connection) => {}
        }
    });
    stop.drop_guard()
}

async fn fetch_for_ever(app: &Arc<App>, connection: &Arc<Connection>) {
    let Some(adapter) = app.adapters.get(connection.channel()) else { return };
    if connection.snapshot.channel.line_token().is_some() {
        lines::listen_for_ever(app, adapter, connection).await;
    } else {
        ask_for_ever(app, adapter.as_ref(), connection).await;
    }
}

async fn ask_for_ever(app: &App, adapter: &dyn Adapter, connection: &Arc<Connection>) {
    let mut after = None;
    loop {
        if !leased(app, connection).await {
            // Whoever has the lease moves on meanwhile.
            after = None;
            sleep(PAUSE).await;
            continue;
        }
        match ask(app, adapter, connection, after).await {
            Ok(next) => after = next,
            Err(wait) => sleep(wait).await,
        }
    }
}

pub(crate) async fn leased(app: &App, connection: &Connection) -> bool {
    let leased = app.store.lease_poll(connection.tenant, &connection.snapshot.name, &app.owner, LEASE).await;
    leased.unwrap_or_else(|error| {
        tracing::debug!(connection = connection.name(), %error, "cannot take the right to ask for deliveries");
        false
    })
}

/// Asks once and commits what comes. What is not committed is asked for again.
async fn ask(
    app: &App,
    adapter: &dyn Adapter,
    connection: &Arc<Connection>,
    after: Option<i64>,
) -> Result<Option<i64>, Duration> {
    let account = connection.account(&app.store).await.map_err(|error| {
        tracing::warn!(connection = connection.name(), %error, "cannot read the secrets of a connection");
        PAUSE
    })?;
    let polled = match adapter.poll(&account, after).await {
        Ok(polled) => polled,
        Err(SendError::RetryAfter { after }) => return Err(after),
        Err(error) => {
            if !app.credentials.learn(connection, adapter, &error).await {
                tracing::info!(connection = connection.name(), %error, "cannot ask for deliveries now");
            }
            return Err(PAUSE);
        }
    };
    let entry = Entry::Own(Arc::clone(connection));
    for delivery in &polled.deliveries {
        match receive::deliver(app, adapter, &entry, delivery).await {
            Err(Refusal::Unavailable) => return Err(UNAVAILABLE),
            Err(refusal) => tracing::warn!(
                connection = connection.name(),
                code = refusal.code(),
                "a delivery was left out"
            ),
            Ok(_) => {}
        }
    }
    Ok(polled.after)
}
