//! Before a message is committed: are there not too many, and is anybody there?
//!
//! Nothing is dropped silently. Who is above a limit is told once, in the thread, when it resets; web chat is told with
//! the answer to its request. Outside business hours messages are kept, and the sender is told so once in each closed
//! period.

mod limits;
mod texts;
mod told;

use jiff::Timestamp;
use konstruct_domain::hours::Closed;
use konstruct_domain::message::InboundMessage;
use konstruct_domain::snapshot::ChannelSnapshot;
use konstruct_queue::Signal;
use konstruct_queue::limit::Refused;
use konstruct_store::{Error, Notice, conversation_of};

pub use limits::Allowances;
pub(crate) use told::Told;

use crate::app::App;
use crate::connection::Connection;
use crate::metrics;
use crate::refusal::Refusal;
use texts::Language;

/// `Some` is the outcome of a message that is not taken in.
pub(crate) async fn admit(
    app: &App,
    connection: &Connection,
    message: &InboundMessage,
) -> Result<Option<&'static str>, Refusal> {
    let addressed = app.store.is_addressed(connection.tenant, &connection.snapshot, message).await;
    if !addressed.map_err(|error| unavailable(connection, &error))? {
        // It is none of the employee's, so it counts for nobody.
        return Ok(None);
    }
    if let Some(refused) = limits::of_message(app, connection, message).await {
        refuse(app, connection, message, &refused).await?;
        return Ok(Some("rate_limited"));
    }
    // Who is paused says so, which is reason enough.
    if connection.snapshot.pause.is_none()
        && let Some(hours) = &connection.snapshot.manners.hours
        && let Some(closed) = hours.closed(Timestamp::now())
    {
        hold(app, connection, message, &hours.text, &closed).await?;
    }
    Ok(None)
}

/// For a visitor of a web chat, whose address is known: before anything else is done for it.
pub(crate) async fn admit_address(
    app: &App,
    connection: &Connection,
    address: std::net::IpAddr,
    language: Option<&str>,
) -> Result<(), Refusal> {
    match limits::of_address(app, connection, address).await {
        Some(refused) => Err(too_many(&refused, language)),
        None => Ok(()),
    }
}

async fn refuse(
    app: &App,
    connection: &Connection,
    message: &InboundMessage,
    refused: &Refused,
) -> Result<(), Refusal> {
    metrics::REFUSED.inc([connection.snapshot.channel.type_name(), refused.scope.as_str()]);
    let language = message.language.as_deref();
    if matches!(connection.snapshot.channel, ChannelSnapshot::WebChat(_)) {
        return Err(too_many(refused, language));
    }
    let conversation = conversation_of(connection.tenant, &connection.snapshot, message);
    // The person was told in another thread, or in this one: a flood costs one row a window, not one look for it a message.
    if refused.first_at != conversation.to_string() || !app.told.is_news(conversation, &refused.since) {
        return Ok(());
    }
    let text = Language::of(language).too_many(refused.scope, refused.resets_in);
    let notice = Notice { matter: "limit", period: &refused.since, text: &text, hold_until: None };
    let told = tell(app, connection, message, notice).await;
    if told.is_err() {
        app.told.forget(conversation, &refused.since);
    }
    told
}

async fn hold(
    app: &App,
    connection: &Connection,
    message: &InboundMessage,
    text: &str,
    closed: &Closed,
) -> Result<(), Refusal> {
    let opens = closed.opens.timestamp();
    let text = Language::of(message.language.as_deref()).closed(text, &closed.opens);
    let notice = Notice {
        matter: "hours",
        period: &opens.to_string(),
        text: &text,
        hold_until: Some(opens.as_second()),
    };
    tell(app, connection, message, notice).await
}

async fn tell(
    app: &App,
    connection: &Connection,
    message: &InboundMessage,
    notice: Notice<'_>,
) -> Result<(), Refusal> {
    let tenant = connection.tenant;
    let told = app.store.notify(tenant, &connection.snapshot, message, notice).await;
    if told.map_err(|error| unavailable(connection, &error))? {
        app.bus.announce(Signal::Outbox(tenant));
    }
    Ok(())
}

fn too_many(refused: &Refused, language: Option<&str>) -> Refusal {
    let message = Language::of(language).too_many(refused.scope, refused.resets_in);
    Refusal::TooMany { message, resets_in: refused.resets_in }
}

/// The platform delivers again.
fn unavailable(connection: &Connection, error: &Error) -> Refusal {
    tracing::warn!(tenant = %connection.tenant, connection = connection.name(), %error, "a sender could not be told");
    Refusal::Unavailable
}
