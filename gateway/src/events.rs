//! What deliveries say, done: messages and reports committed, everything else told to whom it concerns.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use konstruct_channels::{AccountId, Action, Adapter, Event};
use konstruct_domain::delivery::{Contact, DeliveryStatus};
use konstruct_domain::message::InboundMessage;
use konstruct_queue::Signal;
use konstruct_store::Reported;

use crate::app::App;
use crate::connection::Connection;
use crate::intake::stored;
use crate::receive::Entry;
use crate::refusal::Refusal;
use crate::registry::Owner;
use crate::{actions, intake, metrics, stop, streams, typing};

/// Conversations of one delivery that are committed at the same time.
const CONCURRENT: usize = 8;

/// How the events of one delivery are done.
pub(crate) struct Task<'a> {
    pub(crate) app: &'a App,
    pub(crate) adapter: &'a dyn Adapter,
    entry: &'a Entry,
}

/// Does what the events say. When anything of it cannot be committed now, the whole delivery is to come again: what
/// is committed already will be a duplicate then.
pub(crate) async fn take_in(
    app: &App,
    adapter: &dyn Adapter,
    entry: &Entry,
    events: Vec<Event>,
) -> Result<(), Refusal> {
    let task = Task { app, adapter, entry };
    let (first, rest): (Vec<_>, Vec<_>) =
        events.into_iter().partition(|event| matches!(event, Event::Renamed { .. }));
    // A message under a new id belongs to the conversation of the old one.
    let mut done = vec![task.in_order(first).await];
    let lanes = futures::stream::iter(lanes(rest).into_values()).map(|lane| task.in_order(lane));
    done.extend(lanes.buffer_unordered(CONCURRENT).collect::<Vec<_>>().await);
    done.into_iter().collect()
}

/// Events of one conversation or one message stay in their order.
fn lanes(events: Vec<Event>) -> BTreeMap<String, Vec<Event>> {
    let mut lanes: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for event in events {
        let lane = match &event {
            Event::Message { message, .. } | Event::AlbumPart { message, .. } => {
                message.conversation_key.clone()
            }
            Event::Status { status, .. } => status.message_id.clone(),
            _ => String::new(),
        };
        lanes.entry(lane).or_default().push(event);
    }
    lanes
}

impl Task<'_> {
    async fn in_order(&self, events: Vec<Event>) -> Result<(), Refusal> {
        let mut all = Ok(());
        for event in events {
            match self.one(event).await {
                Ok(outcome) => metrics::EVENTS.inc([self.adapter.name(), outcome]),
                // A later message must not be committed before this one.
                Err(refusal) if !refusal.is_final() => return Err(refusal),
                Err(refusal) => all = Err(refusal),
            }
        }
        all
    }

    /// Returns the `outcome` of metrics.
    async fn one(&self, event: Event) -> Result<&'static str, Refusal> {
        let credentials = &self.app.credentials;
        match event {
            Event::Ignored(reason) => Ok(reason),
            Event::Handshake { .. } => Ok("handshake"),
            Event::Message { account, message, contact } => match self.connection(&account)? {
                Ok(connection) => self.message(&connection, *message, contact).await,
                Err(outcome) => Ok(outcome),
            },
            Event::AlbumPart { account, album, message } => match self.connection(&account)? {
                Ok(connection) => self.album_part(&connection, &album, *message).await,
                Err(outcome) => Ok(outcome),
            },
            Event::Status { account, status } => match self.connection(&account)? {
                Ok(connection) => self.status(&connection, &status).await,
                Err(outcome) => Ok(outcome),
            },
            Event::Renamed { account, previous, current } => match self.connection(&account)? {
                Ok(connection) => self.rename(&connection, &previous, &current).await,
                Err(outcome) => Ok(outcome),
            },
            Event::Action { account, action, contact } => match self.connection(&account)? {
                Ok(connection) => self.action(&connection, action, contact).await,
                Err(outcome) => Ok(outcome),
            },
            Event::Stopped { account, conversation_key, place } => match self.connection(&account)? {
                Ok(connection) => Ok(stop::stop(self.app, &connection, &conversation_key, place)),
                Err(outcome) => Ok(outcome),
            },
            Event::Revoked { account, reason } => {
                for connection in self.connections(&account)? {
                    credentials.refused(&connection, self.adapter.advice(&reason)).await;
                }
                Ok("credentials_revoked")
            }
            Event::Restricted { account, reason } => {
                for connection in self.connections(&account)? {
                    credentials.warned(&connection, &reason).await;
                }
                Ok("account_restricted")
            }
            Event::HeldBack { account, reason } => {
                let channel = self.adapter.name();
                tracing::warn!(channel, account = account.id, reason, "the platform holds events back");
                Ok("held_back")
            }
        }
    }

    pub(crate) async fn message(
        &self,
        connection: &Arc<Connection>,
        mut message: InboundMessage,
        contact: Option<Contact>,
    ) -> Result<&'static str, Refusal> {
        if let Some(contact) = contact {
            // Before the message: whoever answers it must know how.
            let meet = self.app.store.meet(connection.tenant, &connection.snapshot.name, &contact);
            let key = stored(connection, meet).await?;
            message.reply_to.set("contact", &key);
            message.conversation_key = key;
        }
        let outcome = intake::take_in(self.app, connection, &message).await?;
        if outcome == "accepted" {
            typing::show(self.app, connection, &message);
            streams::follow(self.app, connection, &message);
        }
        Ok(outcome)
    }

    async fn action(
        &self,
        connection: &Arc<Connection>,
        action: Action,
        contact: Option<Contact>,
    ) -> Result<&'static str, Refusal> {
        if let Some(contact) = contact {
            // A press is a word, too: after it the person may be written to.
            stored(connection, self.app.store.meet(connection.tenant, &connection.snapshot.name, &contact))
                .await?;
        }
        actions::take(self.app, connection, action).await
    }

    async fn status(
        &self,
        connection: &Connection,
        status: &DeliveryStatus,
    ) -> Result<&'static str, Refusal> {
        let tenant = connection.tenant;
        let record = self.app.store.record_status(tenant, &connection.snapshot.name, status);
        match stored(connection, record).await? {
            Reported::Nothing => Ok("status_known"),
            Reported::Progress => Ok("status"),
            Reported::ReplyResolved => {
                self.app.bus.announce(Signal::Outbox(tenant));
                Ok("status_resolved")
            }
        }
    }

    async fn rename(
        &self,
        connection: &Connection,
        previous: &Contact,
        current: &Contact,
    ) -> Result<&'static str, Refusal> {
        let (tenant, name) = (connection.tenant, &connection.snapshot.name);
        let known = stored(connection, self.app.store.rename(tenant, name, previous, current)).await?;
        Ok(if known { "renamed" } else { "ignored_unknown_person" })
    }

    /// The connection of an account, or the outcome of an event that concerns none.
    fn connection(&self, account: &AccountId) -> Result<Result<Arc<Connection>, &'static str>, Refusal> {
        let owns = |connection: &Connection| self.adapter.owns(&connection.snapshot.channel, account);
        let connection = match self.entry {
            Entry::Own(connection) if owns(connection) => Arc::clone(connection),
            Entry::Own(connection) => {
                let routes = self.app.registry.routes().ok_or(Refusal::Unavailable)?;
                return Ok(routes.on_the_same_line(connection, owns).cloned().ok_or("wrong_account"));
            }
            Entry::Shared(channel) => {
                let routes = self.app.registry.routes().ok_or(Refusal::Unavailable)?;
                match routes.shared(channel, &account.id) {
                    Owner::Connection(connection) => connection,
                    Owner::Unknown => return Ok(Err("unknown_account")),
                    Owner::Ambiguous => return Err(Refusal::Unavailable),
                }
            }
        };
        Ok(if owns(&connection) { Ok(connection) } else { Err("wrong_account") })
    }

    /// All connections that an event about an account, or about what it belongs to, concerns.
    fn connections(&self, account: &AccountId) -> Result<Vec<Arc<Connection>>, Refusal> {
        let mut connections: Vec<_> = match self.entry {
            Entry::Own(_) => self.connection(account)?.into_iter().collect(),
            Entry::Shared(channel) => {
                let routes = self.app.registry.routes().ok_or(Refusal::Unavailable)?;
                routes.all_shared(channel).cloned().collect()
            }
        };
        connections.retain(|connection| self.adapter.owns(&connection.snapshot.channel, account));
        Ok(connections)
    }
}
