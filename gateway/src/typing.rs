//! Signs of typing, for as long as somebody works on an answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use konstruct_channels::SendError;
use konstruct_domain::message::InboundMessage;
use tokio::time::{Instant, sleep};

use crate::app::App;
use crate::connection::Connection;

/// A sign that lasts longer than any turn would promise what nobody does.
const LONGEST: Duration = Duration::from_mins(2);

/// Shows that a message was seen and is being answered, beside the acknowledgement. It ends as soon as any reply of
/// the tenant is ready: a sign that is renewed after the answer would be worse than one that ends early.
pub(crate) fn show(app: &App, connection: &Arc<Connection>, message: &InboundMessage) {
    let Some(adapter) = app.adapters.get(connection.channel()).cloned() else { return };
    let Some(lasts) = adapter.capabilities().typing_lasts else { return };
    if connection.snapshot.pause.is_some() || connection.typing_refused.load(Ordering::Relaxed) {
        return;
    }
    let (connection, store) = (Arc::clone(connection), app.store.clone());
    let (target, message_id) = (message.reply_to.clone(), message.message_id.clone());
    let mut replied = app.wakes.subscribe(connection.tenant);
    let work = async move {
        let until = Instant::now() + LONGEST;
        let Ok(account) = connection.account(&store).await else { return };
        while Instant::now() < until {
            if let Err(error) = adapter.typing(&account, &target, &message_id).await {
                failed(&connection, &error);
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
    let name = connection.name();
    if !matches!(error, SendError::CredentialsRejected { .. }) {
        tracing::debug!(connection = name, %error, "cannot show a sign of typing");
    } else if !connection.typing_refused.swap(true, Ordering::Relaxed) {
        tracing::info!(connection = name, %error, "signs of typing are not shown until the connection changes");
    }
}
