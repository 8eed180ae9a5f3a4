//! Which counters a message is under.

use std::net::IpAddr;

use konstruct_domain::message::InboundMessage;
use konstruct_queue::limit::{Asker, Counter, Decision, Refused, Scope, Verdict};
use konstruct_store::conversation_of;
use uuid::Uuid;

use crate::app::App;
use crate::connection::Connection;
use crate::metrics;

/// Messages a minute. A tenant's comes from its plan; these keep one thread, person or network from using it up.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Allowances {
    /// Messages a minute that one channel connection takes.
    #[arg(long, env = "KONSTRUCT_MESSAGES_PER_MINUTE_CONNECTION", default_value_t = 30_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub messages_per_minute_connection: u32,
    /// Messages a minute that one conversation takes.
    #[arg(long, env = "KONSTRUCT_MESSAGES_PER_MINUTE_CONVERSATION", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..))]
    pub messages_per_minute_conversation: u32,
    /// Messages a minute that one person may write to a connection.
    #[arg(long, env = "KONSTRUCT_MESSAGES_PER_MINUTE_PERSON", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub messages_per_minute_person: u32,
    /// Requests a minute that the visitors of a web chat from one address may make.
    #[arg(long, env = "KONSTRUCT_REQUESTS_PER_MINUTE_ADDRESS", default_value_t = 240, value_parser = clap::value_parser!(u32).range(1..))]
    pub requests_per_minute_address: u32,
}

impl Default for Allowances {
    fn default() -> Self {
        Self {
            messages_per_minute_connection: 30_000,
            messages_per_minute_conversation: 120,
            messages_per_minute_person: 60,
            requests_per_minute_address: 240,
        }
    }
}

/// What a message is refused for, if anything.
pub(super) async fn of_message(
    app: &App,
    connection: &Connection,
    message: &InboundMessage,
) -> Option<Refused> {
    let conversation = conversation_of(connection.tenant, &connection.snapshot, message);
    let person = pseudonym(connection, "person", &message.author_id);
    let allowances = app.allowances;
    let name = connection.name();
    let counter = |scope, id: &str, per_minute| Counter { scope, id: id.to_owned(), per_minute };
    let mut counters = vec![
        counter(Scope::Connection, name, allowances.messages_per_minute_connection),
        counter(Scope::Conversation, &conversation.to_string(), allowances.messages_per_minute_conversation),
        counter(Scope::Person, &person, allowances.messages_per_minute_person),
    ];
    if let Some(per_minute) = connection.snapshot.manners.messages_per_minute {
        counters.push(counter(Scope::Tenant, "", per_minute));
    }
    let (place, message) = (conversation.to_string(), pseudonym(connection, "message", &message.message_id));
    decide(app, connection, Asker { id: &person, place: &place, message: &message }, &counters).await
}

pub(super) async fn of_address(app: &App, connection: &Connection, address: IpAddr) -> Option<Refused> {
    let id = pseudonym(connection, "address", &network(address));
    let per_minute = app.allowances.requests_per_minute_address;
    let counter = Counter { scope: Scope::Address, id: id.clone(), per_minute };
    // Each request counts.
    let request = Uuid::new_v4().simple().to_string();
    decide(app, connection, Asker { id: &id, place: "", message: &request }, &[counter]).await
}

async fn decide(
    app: &App,
    connection: &Connection,
    asker: Asker<'_>,
    counters: &[Counter],
) -> Option<Refused> {
    let Verdict { decision, without_redis } = app.limiter.decide(connection.tenant, asker, counters).await;
    if without_redis {
        metrics::LIMITED_ALONE.inc([]);
    }
    match decision {
        Decision::Allowed => None,
        Decision::Refused(refused) => Some(refused),
    }
}

/// Tells people apart in Redis without naming them there.
fn pseudonym(connection: &Connection, what: &str, who: &str) -> String {
    let name = format!("{what}/{}/{who}", connection.name());
    Uuid::new_v5(&connection.tenant.as_uuid(), name.as_bytes()).simple().to_string()
}

/// A home has a whole /64 of IPv6 addresses.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_home_is_one_network_and_a_mapped_address_is_its_ipv4_one() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2::9"));
        assert_ne!(network("2001:db8:1:2::4"), network("2001:db8:1:3::4"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }
}
