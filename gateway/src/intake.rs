//! From a message to a committed inbox row. Only after the commit is a delivery acknowledged.

use std::time::Duration;

use konstruct_domain::message::InboundMessage;
use konstruct_queue::Signal;
use konstruct_store::Accepted;
use tokio::time::timeout;

use crate::app::App;
use crate::connection::Connection;
use crate::manners;
use crate::refusal::Refusal;

/// The least patient platform waits 3 s. A commit that ends after this is found again as a duplicate when the platform
/// repeats the delivery.
const COMMIT_TIMEOUT: Duration = Duration::from_millis(2500);

/// Commits a message. The runtime is woken beside the answer: Redis must not delay it.
pub(crate) async fn take_in(
    app: &App,
    connection: &Connection,
    message: &InboundMessage,
) -> Result<&'static str, Refusal> {
    if let Some(outcome) = manners::admit(app, connection, message).await? {
        return Ok(outcome);
    }
    let tenant = connection.tenant;
    konstruct_faults::point("intake.before");
    let accepted = stored(connection, app.store.accept(tenant, &connection.snapshot, message)).await;
    konstruct_faults::point("intake.committed");
    match accepted? {
        Accepted::New { notice, .. } => {
            app.bus.announce(Signal::Inbox(tenant));
            if !message.attachments.is_empty() {
                app.files.expect(tenant);
            }
            if notice {
                app.bus.announce(Signal::Outbox(tenant));
            }
            Ok("accepted")
        }
        Accepted::Duplicate => Ok("duplicate"),
        Accepted::NotAddressed => Ok("ignored_not_addressed"),
    }
}

/// What a delivery says is stored in time, or the delivery is to come again.
pub(crate) async fn stored<T>(
    connection: &Connection,
    work: impl Future<Output = Result<T, konstruct_store::Error>>,
) -> Result<T, Refusal> {
    let (tenant, name) = (connection.tenant, connection.name());
    match timeout(COMMIT_TIMEOUT, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => {
            tracing::warn!(%tenant, connection = name, %error, "what a delivery says was not stored");
            Err(Refusal::Unavailable)
        }
        Err(_) => {
            tracing::warn!(%tenant, connection = name, "storing what a delivery says took too long");
            Err(Refusal::Unavailable)
        }
    }
}
