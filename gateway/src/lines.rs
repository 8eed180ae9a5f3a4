//! Lines that we open to a platform and over which deliveries come. One gateway has a connection's; while a new line takes
//! the place of an old one it has two.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use konstruct_channels::{Adapter, Heard, Line, NotConnected, SendError};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::app::App;
use crate::connection::Connection;
use crate::metrics;
use crate::polls::{LEASE, PAUSE, leased};
use crate::receive::{self, Entry};

/// A line that has lasted so long was no failure, however it ended.
const STEADY: Duration = Duration::from_secs(30);
/// Before the first try after a failure, and at most.
const BACKOFF: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_mins(1);

/// Keeps a line open for as long as this gateway has the right to it.
pub(crate) async fn listen_for_ever(
    app: &Arc<App>,
    adapter: &Arc<dyn Adapter>,
    connection: &Arc<Connection>,
) {
    loop {
        if leased(app, connection).await {
            // The lines end with this. What was heard and not acknowledged comes again, to whoever has the next one.
            tokio::select! {
                () = keep_open(app, adapter, connection) => {}
                () = taken_by_another(app, connection) => {}
            }
            connection.on_line.store(false, Ordering::Relaxed);
        }
        sleep(PAUSE).await;
    }
}

/// While the database is down nobody else can take the right, and nothing is acknowledged.
async fn taken_by_another(app: &App, connection: &Connection) {
    let (tenant, name) = (connection.tenant, &connection.snapshot.name);
    loop {
        sleep(LEASE / 3).await;
        if let Ok(false) = app.store.lease_poll(tenant, name, &app.owner, LEASE).await {
            return;
        }
    }
}

/// Opens a line, and another one when that one ends or is about to.
async fn keep_open(app: &Arc<App>, adapter: &Arc<dyn Adapter>, connection: &Arc<Connection>) {
    let mut lines = JoinSet::new();
    let mut failures = 0;
    loop {
        let opened = Instant::now();
        let wait = match open(app, adapter.as_ref(), connection).await {
            Ok(line) => {
                connection.on_line.store(true, Ordering::Relaxed);
                app.credentials.line_opened(connection);
                let (leaving, left) = oneshot::channel();
                let (app, adapter, connection) =
                    (Arc::clone(app), Arc::clone(adapter), Arc::clone(connection));
                lines.spawn(async move { listen(&app, adapter.as_ref(), &connection, line, leaving).await });
                // An error is the end without a word before.
                let _ = left.await;
                while lines.try_join_next().is_some() {}
                Duration::ZERO
            }
            Err(error) => {
                connection.on_line.store(false, Ordering::Relaxed);
                refused(app, connection, error).await
            }
        };
        failures = if opened.elapsed() < STEADY { failures + 1 } else { 0 };
        sleep(wait.max(backoff(failures))).await;
    }
}

async fn open(
    app: &App,
    adapter: &dyn Adapter,
    connection: &Connection,
) -> Result<Box<dyn Line>, NotConnected> {
    let account = connection.account(&app.store).await.map_err(|error| SendError::Transient {
        reason: format!("cannot read the secrets of the connection: {error}"),
    })?;
    adapter.open_line(&account).await
}

/// Returns how long to wait at least.
async fn refused(app: &App, connection: &Connection, error: NotConnected) -> Duration {
    match error {
        NotConnected::Mismatch(message) => app.credentials.line_refused(connection, message).await,
        NotConnected::Call(SendError::RetryAfter { after }) => return after,
        NotConnected::Call(error) => {
            tracing::info!(connection = connection.name(), %error, "no line for deliveries now");
        }
    }
    Duration::ZERO
}

/// Half of it is chance: after an outage of the platform not everybody comes at once.
fn backoff(failures: u32) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let full = BACKOFF.saturating_mul(1 << (failures - 1).min(6)).min(BACKOFF_MAX);
    full.mul_f64(rand::random_range(0.5..1.0))
}

/// Commits what is heard until the line ends. `leaving` goes when another line is to be opened.
async fn listen(
    app: &App,
    adapter: &dyn Adapter,
    connection: &Arc<Connection>,
    mut line: Box<dyn Line>,
    leaving: oneshot::Sender<()>,
) {
    let entry = Entry::Own(Arc::clone(connection));
    let mut leaving = Some(leaving);
    loop {
        let (body, receipt) = match line.next().await {
            Ok(Heard::Delivery { body, receipt }) => (body, receipt),
            Ok(Heard::Leaving) => {
                drop(leaving.take());
                continue;
            }
            Err(error) => {
                refused(app, connection, error).await;
                return;
            }
        };
        let heard = Instant::now();
        if let Err(refusal) = receive::deliver(app, adapter, &entry, &body).await {
            metrics::EVENTS.inc([adapter.name(), refusal.code()]);
            // Nothing is acknowledged before it is committed; what has no chance must not come again.
            if !refusal.is_final() {
                continue;
            }
            tracing::warn!(connection = connection.name(), code = refusal.code(), "a delivery was left out");
        }
        if let Err(error) = line.acknowledge(&receipt).await {
            tracing::info!(connection = connection.name(), %error, "a delivery is committed and comes again");
        }
        metrics::ACK.observe_duration([adapter.name()], heard.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_become_rarer_up_to_one_a_minute() {
        assert_eq!(backoff(0), Duration::ZERO);
        for failures in 1..100 {
            let full = BACKOFF.saturating_mul(1 << (failures - 1).min(6)).min(BACKOFF_MAX);
            let wait = backoff(failures);
            assert!(full / 2 <= wait && wait <= full, "{failures}: {wait:?}");
        }
        assert!(backoff(40) >= BACKOFF_MAX / 2);
    }
}
