//! The bus against a real Redis.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot do its work ends here")]

mod connection;
mod limit;

use std::time::Duration;

use konstruct_domain::message::{HistoryLine, Speaker};
use konstruct_domain::{ConversationId, Slug, TenantId};
use konstruct_queue::{Bus, Event, Signal, Topics};
use konstruct_testkit::outage::Servers;
use konstruct_testkit::{redis_url, unique_slug};
use redis::AsyncCommands;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PASSWORD: &str = "cache-password";
const SOON: Duration = Duration::from_secs(10);

struct Tenant {
    id: TenantId,
    slug: Slug,
}

fn tenant(stem: &str) -> Tenant {
    let slug = unique_slug(stem);
    Tenant { id: TenantId::from_slug(&slug), slug }
}

async fn next(events: &mut Receiver<Event>) -> Event {
    timeout(SOON, events.recv()).await.expect("an event in time").expect("the subscription lives")
}

/// The tenant's own address of the server at `url`.
fn url_of(tenant: &Tenant, url: &str) -> SecretString {
    let place = url.trim_start_matches("redis://");
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    format!("redis://{}:{PASSWORD}@{place}", tenant.slug.cache_user()).into()
}

fn lines() -> Vec<HistoryLine> {
    vec![HistoryLine { speaker: Speaker::Person, text: "hello".to_owned() }]
}

#[tokio::test]
async fn signals_reach_those_who_listen_for_them_and_nobody_else() {
    let bus = Bus::connect(&redis_url()).unwrap();
    let (one, two) = (tenant("one"), tenant("two"));
    let shutdown = CancellationToken::new();
    let mut runtime = bus.subscribe(Topics::Tenant(one.id), shutdown.clone());
    let mut gateway = bus.subscribe(Topics::Gateway, shutdown.clone());
    assert_eq!(next(&mut runtime).await, Event::Connected);
    assert_eq!(next(&mut gateway).await, Event::Connected);

    for signal in [Signal::Inbox(two.id), Signal::Outbox(one.id), Signal::Config(one.id)] {
        assert!(bus.publish(signal).await);
    }
    assert_eq!(next(&mut runtime).await, Event::Signal(Signal::Config(one.id)));
    // Other tests publish too; of these two tenants the gateway hears exactly this.
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let Event::Signal(signal) = next(&mut gateway).await else { continue };
        if matches!(signal, Signal::Outbox(id) | Signal::Config(id) | Signal::Inbox(id) if id == one.id || id == two.id)
        {
            heard.push(signal);
        }
    }
    assert_eq!(heard, [Signal::Outbox(one.id), Signal::Config(one.id)]);
    shutdown.cancel();
    assert_eq!(timeout(SOON, runtime.recv()).await.unwrap(), None);
}

#[tokio::test]
async fn a_window_is_used_only_while_it_is_current() {
    let bus = Bus::connect(&redis_url()).unwrap();
    let tenant = tenant("window");
    let conversation = ConversationId::new(Uuid::new_v4());
    assert_eq!(bus.window(tenant.id, conversation, 2).await, None);
    bus.put_window(tenant.id, conversation, 2, &lines()).await;
    assert_eq!(bus.window(tenant.id, conversation, 2).await, Some(lines()));
    assert_eq!(bus.window(tenant.id, conversation, 4).await, None, "two lines are missing");
}

#[tokio::test]
async fn a_tenants_user_reaches_its_own_prefix_only() {
    let admin = Bus::connect(&redis_url()).unwrap();
    let (mine, theirs) = (tenant("mine"), tenant("theirs"));
    admin.ensure_cache_user(mine.id, &mine.slug, &PASSWORD.into()).await.unwrap();
    let conversation = ConversationId::new(Uuid::new_v4());
    admin.put_window(theirs.id, conversation, 1, &lines()).await;

    let url = url_of(&mine, redis_url().expose_secret());
    let bus = Bus::connect(&url).unwrap();
    bus.put_window(mine.id, conversation, 1, &lines()).await;
    assert_eq!(bus.window(mine.id, conversation, 1).await, Some(lines()));
    assert!(bus.publish(Signal::Outbox(mine.id)).await);
    assert!(!bus.publish(Signal::Outbox(theirs.id)).await, "another tenant's channel");
    assert_eq!(bus.window(theirs.id, conversation, 1).await, None, "another tenant's key");

    let client = redis::Client::open(url.expose_secret()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    for command in [
        "KEYS *",
        "SCAN 0",
        "FLUSHALL",
        "CONFIG GET *",
        "ACL LIST",
        "EVAL return 0",
        "CLIENT LIST",
        "INFO",
        "DEL x",
    ] {
        let mut words = command.split(' ');
        let mut request = redis::cmd(words.next().unwrap());
        words.for_each(|word| {
            request.arg(word);
        });
        let refused = request.query_async::<redis::Value>(&mut connection).await;
        assert_eq!(refused.unwrap_err().code(), Some("NOPERM"), "{command}");
    }
    let mut pubsub = client.get_async_pubsub().await.unwrap();
    assert!(pubsub.subscribe(format!("kt:{}:inbox", theirs.id)).await.is_err());
    assert!(pubsub.psubscribe("kt:*").await.is_err());

    admin.drop_cache_user(&mine.slug).await.unwrap();
    assert!(client.get_multiplexed_async_connection().await.is_err(), "the user is gone");
}

#[tokio::test]
async fn erasing_a_tenant_leaves_no_key_of_it_and_all_of_others() {
    let bus = Bus::connect(&redis_url()).unwrap();
    let (mine, theirs) = (tenant("mine"), tenant("theirs"));
    let conversation = ConversationId::new(Uuid::new_v4());
    for tenant in [&mine, &theirs] {
        bus.put_window(tenant.id, conversation, 1, &lines()).await;
    }
    bus.erase_keys(mine.id).await.unwrap();
    assert_eq!(bus.window(mine.id, conversation, 1).await, None);
    assert_eq!(bus.window(theirs.id, conversation, 1).await, Some(lines()));
    let client = redis::Client::open(redis_url().expose_secret()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let left: Vec<String> = connection.keys(format!("kt:{}:*", mine.id)).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_subscription_says_that_redis_is_gone_and_that_it_is_back() {
    let servers = Servers::start().await;
    let bus = Bus::connect(&servers.redis_url().into()).unwrap();
    let tenant = tenant("outage");
    let mut events = bus.subscribe(Topics::Tenant(tenant.id), CancellationToken::new());
    assert_eq!(next(&mut events).await, Event::Connected);
    servers.stop_redis().await;
    assert_eq!(next(&mut events).await, Event::Disconnected);
    assert!(!bus.publish(Signal::Inbox(tenant.id)).await);
    assert!(bus.ping().await.is_err());
    servers.start_redis().await;
    while next(&mut events).await != Event::Connected {}
    while !bus.publish(Signal::Inbox(tenant.id)).await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(next(&mut events).await, Event::Signal(Signal::Inbox(tenant.id)));
}
