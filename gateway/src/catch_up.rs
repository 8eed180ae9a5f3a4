//! After an outage that is longer than a platform repeats its deliveries: what was written meanwhile is asked for where
//! conversations are known, and takes the way of every delivery. What comes after all is a duplicate there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use konstruct_channels::{Adapter, History, Part, Place, Remembered, SendError};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::app::App;
use crate::connection::Connection;
use crate::receive::{self, Entry};
use crate::refusal::Refusal;

/// How often it is recorded that somebody listens.
const HEARTBEAT: Duration = Duration::from_mins(1);
/// For how long nobody else asks when this gateway dies.
const LEASE: Duration = Duration::from_mins(2);
/// What may have been on its way when the outage began, in seconds.
const MARGIN: i64 = 60;
/// Nobody waits for an answer to anything older, in seconds.
const OLDEST: i64 = 24 * 60 * 60;
/// Where somebody wrote within this time, the most recent of them.
const ACTIVE: Duration = Duration::from_hours(7 * 24);
const CONVERSATIONS: i64 = 200;
/// Parts of one place.
const PARTS: usize = 20;
/// A little more than a second: 50 questions a minute are Slack's limit, and what a person may write in a minute counts
/// for what they have written in an hour.
const BETWEEN: Duration = Duration::from_millis(1250);
/// Tries at a place that cannot be asked now.
const TRIES: u32 = 5;

/// Why it is not finished. It is tried again when the lease has ended.
#[derive(Debug, thiserror::Error)]
enum Unfinished {
    #[error("another gateway goes on with it")]
    TakenOver,
    #[error(transparent)]
    Store(#[from] konstruct_store::Error),
    #[error(transparent)]
    Platform(#[from] SendError),
}

pub(crate) async fn run(app: Arc<App>) {
    app.registry.loaded().await;
    let mut ticks = interval(HEARTBEAT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(routes) = app.registry.routes() else { continue };
        for connection in routes.by_tenant().values().flatten() {
            if let Err(error) = look(&app, connection).await {
                tracing::debug!(connection = connection.name(), %error, "cannot record that somebody listens");
            }
        }
    }
}

/// Records that somebody listens, and begins to catch up where nobody did.
async fn look(app: &Arc<App>, connection: &Arc<Connection>) -> Result<(), konstruct_store::Error> {
    let Some(adapter) = app.adapters.get(connection.channel()).cloned() else { return Ok(()) };
    let Some(outage) = adapter.gives_up_after() else { return Ok(()) };
    // For a line, one of the gateways.
    if connection.snapshot.channel.line_token().is_some() && !connection.on_line.load(Ordering::Relaxed) {
        return Ok(());
    }
    let (tenant, name) = (connection.tenant, &connection.snapshot.name);
    app.store.listening(tenant, name, outage).await?;
    let Some(since) = app.store.lease_missed(tenant, name, &app.owner, LEASE).await? else { return Ok(()) };
    let (app, connection) = (Arc::clone(app), Arc::clone(connection));
    tokio::spawn(async move {
        let since = (since - MARGIN).max(Timestamp::now().as_second() - OLDEST);
        let work = Walk { app: &app, adapter: adapter.as_ref(), connection: &connection, since }.finish();
        match app.shutdown.run_until_cancelled(Box::pin(work)).await {
            None | Some(Ok(())) => {}
            Some(Err(error)) => {
                tracing::warn!(connection = connection.name(), %error, "what was missed is not all asked for yet");
            }
        }
    });
    Ok(())
}

/// Asks for everything that was written to one connection since then.
struct Walk<'a> {
    app: &'a App,
    adapter: &'a dyn Adapter,
    connection: &'a Arc<Connection>,
    since: i64,
}

impl Walk<'_> {
    /// Begun anew after a crash: what is committed already is a duplicate then.
    async fn finish(self) -> Result<(), Unfinished> {
        let (tenant, name, owner) = (self.connection.tenant, &self.connection.snapshot.name, &self.app.owner);
        let account = self.connection.account(&self.app.store).await?;
        let history = match self.adapter.history(&account).await {
            Ok(history) => history,
            Err(error) => {
                self.app.credentials.learn(self.connection, self.adapter, &error).await;
                return Err(error.into());
            }
        };
        let known = self.conversations().await?;
        tracing::info!(connection = name.as_str(), conversations = known.len(), "asking for what was missed");
        let rooms: BTreeSet<&str> = known.iter().filter_map(|key| history.room_of(key)).collect();
        let mut went_on = BTreeSet::new();
        for room in rooms {
            went_on.extend(self.take_in(history.as_ref(), Place::Room(room)).await?);
        }
        // What has begun meanwhile is known by now. Most of it has not gone on.
        for key in self.conversations().await? {
            if known.contains(&key) || went_on.contains(&key) {
                self.take_in(history.as_ref(), Place::Conversation(&key)).await?;
            }
        }
        self.app.store.caught_up(tenant, name, owner).await?;
        tracing::info!(connection = name.as_str(), "what was missed is taken in");
        Ok(())
    }

    async fn conversations(&self) -> Result<Vec<String>, Unfinished> {
        let (tenant, name) = (self.connection.tenant, &self.connection.snapshot.name);
        Ok(self.app.store.recent_conversations(tenant, name, ACTIVE, CONVERSATIONS).await?)
    }

    /// Commits all of a place, in the order in which it was written. Returns the conversations that went on.
    async fn take_in(&self, history: &dyn History, place: Place<'_>) -> Result<Vec<String>, Unfinished> {
        let (mut messages, mut went_on, mut after) = (Vec::new(), Vec::new(), None);
        for part in 1.. {
            let Part { messages: more, went_on: also, next } =
                self.ask(history, place, after.as_deref()).await?;
            messages.extend(more);
            went_on.extend(also);
            after = next;
            if after.is_none() {
                break;
            }
            if part == PARTS {
                tracing::warn!(
                    connection = self.connection.name(),
                    "more was missed at a place than is asked for"
                );
                break;
            }
        }
        messages.sort_by_key(|message: &Remembered| message.at);
        for message in &messages {
            self.commit(message).await?;
        }
        Ok(went_on)
    }

    /// Asks until there is an answer. A place that is there no more, or not for us, has nothing.
    async fn ask(
        &self,
        history: &dyn History,
        place: Place<'_>,
        after: Option<&str>,
    ) -> Result<Part, Unfinished> {
        let mut tries = 0;
        loop {
            self.rest(BETWEEN).await?;
            match history.part(place, self.since, after).await {
                Ok(part) => return Ok(part),
                Err(SendError::RetryAfter { after }) => self.rest(after).await?,
                Err(SendError::Rejected { reason }) => {
                    tracing::info!(connection = self.connection.name(), reason, "a place cannot be asked");
                    return Ok(Part::default());
                }
                Err(SendError::Transient { .. }) if tries < TRIES => {
                    tries += 1;
                    self.rest(BETWEEN * tries).await?;
                }
                Err(error) => {
                    self.app.credentials.learn(self.connection, self.adapter, &error).await;
                    return Err(error.into());
                }
            }
        }
    }

    async fn commit(&self, message: &Remembered) -> Result<(), Unfinished> {
        let entry = Entry::Own(Arc::clone(self.connection));
        loop {
            self.rest(BETWEEN).await?;
            match receive::deliver(self.app, self.adapter, &entry, &message.delivery).await {
                Ok(_) => return Ok(()),
                Err(Refusal::Unavailable) => {}
                Err(refusal) => {
                    let code = refusal.code();
                    tracing::warn!(
                        connection = self.connection.name(),
                        code,
                        "a missed message was left out"
                    );
                    return Ok(());
                }
            }
        }
    }

    /// Waits, and keeps the right to go on.
    async fn rest(&self, mut time: Duration) -> Result<(), Unfinished> {
        let (tenant, name) = (self.connection.tenant, &self.connection.snapshot.name);
        while !time.is_zero() {
            if !self.app.store.renew_missed(tenant, name, &self.app.owner, LEASE).await? {
                return Err(Unfinished::TakenOver);
            }
            let slice = time.min(LEASE / 4);
            sleep(slice).await;
            time -= slice;
        }
        Ok(())
    }
}
