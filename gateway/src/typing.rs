//! Signs of typing, for as long as somebody works on an answer.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use konstruct_channels::{SendError, Typing};
use konstruct_domain::message::InboundMessage;
use tokio::time::{Instant, sleep};

use crate::app::App;
use crate::connection::Connection;

/// A sign that lasts longer than any turn would promise what nobody does.
const LONGEST: Duration = Duration::from_mins(2);
/// Of one connection at a time. Who comes after so many waits without one: a flood must not be one towards the platform
/// too, and each costs memory for as long as nobody answers.
const MOST: usize = 200;
/// How long no sign is tried after one that failed.
const REST: Duration = Duration::from_secs(10);

/// The signs of one connection.
#[derive(Debug, Default)]
pub(crate) struct Signs {
    /// The platform has refused one as a matter of rights, so no other is asked for.
    refused: AtomicBool,
    /// One could not be shown: who is in trouble is not asked for another with every message.
    rest_until: Mutex<Option<Instant>>,
    shown: Mutex<HashSet<String>>,
}

impl Signs {
    fn are_off(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
            || lock(&self.rest_until).is_some_and(|until| Instant::now() < until)
    }

    fn rest(&self) {
        *lock(&self.rest_until) = Some(Instant::now() + REST);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A sign that is shown, until it is dropped.
struct Sign {
    connection: Arc<Connection>,
    place: String,
}

impl Sign {
    /// None where one is shown already (a burst of messages is one answer, and one sign) or too many are.
    fn put_up(connection: &Arc<Connection>, place: &str) -> Option<Self> {
        let mut shown = lock(&connection.signs.shown);
        let is_new = shown.len() < MOST && shown.insert(place.to_owned());
        is_new.then(|| Self { connection: Arc::clone(connection), place: place.to_owned() })
    }
}

impl Drop for Sign {
    fn drop(&mut self) {
        lock(&self.connection.signs.shown).remove(&self.place);
    }
}

/// Shows that a message was seen and is being answered, beside the acknowledgement. It ends as soon as any reply of
/// the tenant is ready: a sign that is renewed after the answer would be worse than one that ends early.
pub(crate) fn show(app: &App, connection: &Arc<Connection>, message: &InboundMessage) {
    let Some(adapter) = app.adapters.get(connection.channel()).cloned() else { return };
    let Some(Typing { lasts, each_message }) = adapter.capabilities().typing else { return };
    if connection.snapshot.pause.is_some() || connection.signs.are_off() {
        return;
    }
    let place = if each_message { &message.message_id } else { &message.conversation_key };
    let Some(sign) = Sign::put_up(connection, place) else { return };
    let store = app.store.clone();
    let (target, message_id) = (message.reply_to.clone(), message.message_id.clone());
    let mut replied = app.wakes.subscribe(connection.tenant);
    let work = async move {
        let connection = &sign.connection;
        let until = Instant::now() + LONGEST;
        let Ok(account) = connection.account(&store).await else { return connection.signs.rest() };
        while Instant::now() < until {
            if let Err(error) = adapter.typing(&account, &target, &message_id).await {
                failed(connection, &error);
                return;
            }
            if replied.has_changed().unwrap_or(true) {
                // It may have come after the reply that should have ended it.
                let _ = adapter.typing_ends(&account, &target).await;
                return;
            }
            tokio::select! {
                _ = replied.changed() => return,
                () = sleep(lasts.mul_f64(0.8)) => {}
            }
        }
    };
    let shutdown = app.shutdown.clone();
    tokio::spawn(async move { shutdown.run_until_cancelled(work).await });
}

/// Once for all messages where it is not about one of them.
fn failed(connection: &Connection, error: &SendError) {
    connection.signs.rest();
    let name = connection.name();
    if !matches!(error, SendError::CredentialsRejected { .. }) {
        tracing::debug!(connection = name, %error, "cannot show a sign of typing");
    } else if !connection.signs.refused.swap(true, Ordering::Relaxed) {
        tracing::info!(connection = name, %error, "signs of typing are not shown until the connection changes");
    }
}
