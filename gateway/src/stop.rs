//! A person wants no more of an answer.

use std::sync::Arc;

use konstruct_domain::ConversationId;
use konstruct_domain::message::ReplyTarget;
use konstruct_queue::Signal;

use crate::app::App;
use crate::connection::Connection;

/// Tells whoever writes it, and the platform that it was heard. After the answer there is nobody to be told.
pub(crate) fn stop(app: &App, connection: &Arc<Connection>, key: &str, place: ReplyTarget) -> &'static str {
    let tenant = connection.tenant;
    let conversation = ConversationId::derive(tenant, &connection.snapshot.name, key);
    app.bus.announce(Signal::Stop(tenant, conversation));
    let Some(adapter) = app.adapters.get(connection.channel()).cloned() else { return "stopped" };
    let (connection, store, shutdown) = (Arc::clone(connection), app.store.clone(), app.shutdown.clone());
    let tell = async move {
        let Ok(account) = connection.account(&store).await else { return };
        if let Err(error) = adapter.stop_heard(&account, &place).await {
            tracing::debug!(connection = connection.name(), %error, "cannot tell that an answer is stopped");
        }
    };
    tokio::spawn(async move { shutdown.run_until_cancelled(tell).await });
    "stopped"
}
