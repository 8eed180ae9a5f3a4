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
pub(crate) const COMMIT_TIMEOUT: Duration = Duration::from_millis(2500);

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
    let accept = app.store.accept(tenant, &connection.snapshot, message);
    let accepted = timeout(COMMIT_TIMEOUT, accept).await;
    konstruct_faults::point("intake.committed");
    match accepted {
        Ok(Ok(Accepted::New { notice, .. })) => {
            app.bus.announce(Signal::Inbox(tenant));
            if notice {
                app.bus.announce(Signal::Outbox(tenant));
            }
            Ok("accepted")
        }
        Ok(Ok(Accepted::Duplicate)) => Ok("duplicate"),
        Ok(Ok(Accepted::NotAddressed)) => Ok("ignored_not_addressed"),
        Ok(Err(error)) => {
            tracing::warn!(%tenant, connection = connection.name(), %error, "a message was not stored");
            Err(Refusal::Unavailable)
        }
        Err(_) => {
            tracing::warn!(%tenant, connection = connection.name(), "storing a message took too long");
            Err(Refusal::Unavailable)
        }
    }
}
