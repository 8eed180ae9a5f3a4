//! Limits, decided by a real Redis and without one.

use std::time::{Duration, Instant};

use konstruct_domain::TenantId;
use konstruct_queue::Bus;
use konstruct_queue::limit::{Asker, Counter, Decision, Limiter, Refused, Scope};
use konstruct_testkit::outage::Servers;
use konstruct_testkit::{redis_url, unique_slug};
use redis::AsyncCommands;
use secrecy::ExposeSecret;
use uuid::Uuid;

const ANN: Asker<'_> = Asker { id: "ann", place: "thread", message: "first" };

const fn asker<'a>(id: &'a str, message: &'a str) -> Asker<'a> {
    Asker { id, place: "thread", message }
}

fn tenant() -> TenantId {
    TenantId::from_slug(&unique_slug("limit"))
}

fn counters(tenant: u32, person: &str, per_person: u32) -> Vec<Counter> {
    let counter = |scope, id: &str, per_minute| Counter { scope, id: id.to_owned(), per_minute };
    vec![counter(Scope::Tenant, "", tenant), counter(Scope::Person, person, per_person)]
}

/// What is refused; panics if this process decided alone and should not have.
async fn ask(limiter: &Limiter, tenant: TenantId, person: &str, counters: &[Counter]) -> Option<Refused> {
    let verdict = limiter.decide(tenant, asker(person, &Uuid::new_v4().to_string()), counters).await;
    assert!(!verdict.without_redis, "Redis was there");
    match verdict.decision {
        Decision::Allowed => None,
        Decision::Refused(refused) => Some(refused),
    }
}

#[tokio::test]
async fn gateways_count_together_and_a_refused_message_takes_nothing_from_others() {
    let (tenant, other) = (tenant(), tenant());
    let gateways = [0, 1].map(|_| Limiter::new(Bus::connect(&redis_url()).unwrap()));
    let (ann, bob) = (counters(9, "ann", 3), counters(9, "bob", 100));
    for gateway in [0, 1, 0] {
        assert_eq!(ask(&gateways[gateway], tenant, "ann", &ann).await, None);
    }
    let refused = ask(&gateways[1], tenant, "ann", &ann).await.expect("the fourth of three");
    assert_eq!(refused.scope, Scope::Person);
    assert!(refused.resets_in > Duration::from_secs(10) && refused.resets_in <= Duration::from_secs(20));
    let again = ask(&gateways[0], tenant, "ann", &ann).await.expect("still");
    assert_eq!(again.since, refused.since, "one refusal, whichever gateway");
    // Three of nine are used, not five.
    for _ in 0..6 {
        assert_eq!(ask(&gateways[0], tenant, "bob", &bob).await, None);
    }
    let full = ask(&gateways[0], tenant, "bob", &bob).await.expect("the tenant's are used up");
    assert_eq!(full.scope, Scope::Tenant);
    assert_ne!(full.since, refused.since);
    assert_eq!(ask(&gateways[0], other, "ann", &ann).await, None, "another tenant counts for itself");
}

#[tokio::test]
async fn the_same_message_again_is_counted_once_and_a_refused_one_is_refused_again() {
    let limiter = Limiter::new(Bus::connect(&redis_url()).unwrap());
    let (tenant, limits) = (tenant(), counters(100, "ann", 2));
    let decide = async |message| limiter.decide(tenant, asker("ann", message), &limits).await.decision;
    for message in ["one", "one", "one", "two", "one", "two"] {
        assert_eq!(decide(message).await, Decision::Allowed, "{message}");
    }
    for message in ["three", "three"] {
        let Decision::Refused(refused) = decide(message).await else { panic!("three of two") };
        assert_eq!(refused.first_at, "thread");
    }
    assert_eq!(decide("one").await, Decision::Allowed);
}

#[tokio::test]
async fn an_allowance_comes_back_evenly() {
    let limiter = Limiter::new(Bus::connect(&redis_url()).unwrap());
    let tenant = tenant();
    // Ten a second after the first six hundred.
    let counters = counters(600, "ann", 1_000_000);
    let use_up = async || {
        let mut allowed = 0_u128;
        while ask(&limiter, tenant, "ann", &counters).await.is_none() {
            allowed += 1;
        }
        allowed
    };
    assert!(use_up().await >= 600);
    let started = Instant::now();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let regained = use_up().await;
    let at_most = started.elapsed().as_millis() / 100 + 1;
    assert!((20..=at_most).contains(&regained), "{regained} of {at_most}");
}

#[tokio::test]
async fn keys_are_the_gateways_own_share_a_slot_and_go_with_the_tenant() {
    let bus = Bus::connect(&redis_url()).unwrap();
    let (limiter, tenant) = (Limiter::new(bus.clone()), tenant());
    let counters = counters(9, "ann", 1);
    assert_eq!(ask(&limiter, tenant, "ann", &counters).await, None);
    assert!(ask(&limiter, tenant, "ann", &counters).await.is_some());
    let client = redis::Client::open(redis_url().expose_secret()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let pattern = format!("*{tenant}*");
    let keys: Vec<String> = connection.keys(&pattern).await.unwrap();
    assert_eq!(keys.len(), 4, "{keys:?}");
    for key in &keys {
        assert!(key.starts_with(&format!("kg:{{{tenant}}}:")), "{key}");
        let lifetime: i64 = connection.pttl(key).await.unwrap();
        assert!((1..=121_000).contains(&lifetime), "{key} stays for {lifetime} ms");
    }
    bus.erase_keys(tenant).await.unwrap();
    let left: Vec<String> = connection.keys(&pattern).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn without_redis_each_gateway_counts_half_for_itself_and_nobody_waits() {
    let servers = Servers::start().await;
    let limiter = Limiter::new(Bus::connect(&servers.redis_url().into()).unwrap());
    let (tenant, limits) = (tenant(), counters(100, "ann", 6));
    assert_eq!(ask(&limiter, tenant, "ann", &limits).await, None);
    servers.stop_redis().await;
    let started = Instant::now();
    let mut allowed = 0;
    for number in 0..50 {
        let message = number.to_string();
        let verdict = limiter.decide(tenant, asker("ann", &message), &limits).await;
        assert!(verdict.without_redis);
        allowed += u32::from(verdict.decision == Decision::Allowed);
    }
    assert_eq!(allowed, 3);
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "one look at Redis a second: {:?}",
        started.elapsed()
    );
    servers.start_redis().await;
    while limiter.decide(tenant, ANN, &limits).await.without_redis {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
