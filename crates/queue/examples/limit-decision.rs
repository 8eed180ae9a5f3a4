//! How long a decision of four limits takes, beside a bare INCR over the same connection. `benches/limit-decision` runs it.
//!
//! Interleaved: a block of one, a block of the other, so that what else the machine does meets both.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it prints what it measures and ends at a surprise"
)]

use std::time::{Duration, Instant};

use konstruct_domain::TenantId;
use konstruct_queue::Bus;
use konstruct_queue::limit::{Asker, Counter, Limiter, Scope};
use redis::AsyncCommands;

const BLOCK: usize = 200;
const BLOCKS: usize = 50;

fn percentile(times: &mut [Duration], share: usize) -> f64 {
    times.sort_unstable();
    times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1e6
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::var("REDIS_URL").or_else(|_| std::env::var("KONSTRUCT_TEST_REDIS_URL"));
    let url = url.expect("REDIS_URL names a Redis");
    let limiter = Limiter::new(Bus::connect(&url.clone().into()).unwrap());
    let client = redis::Client::open(url).unwrap();
    let mut connection = redis::aio::ConnectionManager::new(client).await.unwrap();
    let tenant = TenantId::from_slug(&"bench".parse().unwrap());
    let counter = |scope| Counter { scope, id: "bench".to_owned(), per_minute: 100_000_000 };
    let counters = [Scope::Tenant, Scope::Connection, Scope::Conversation, Scope::Person].map(counter);
    // Messages that nobody has seen, in each run.
    let run = std::process::id();
    let (mut decisions, mut increments) = (Vec::new(), Vec::new());
    for block in 0..=BLOCKS {
        for _ in 0..BLOCK {
            let started = Instant::now();
            let _: i64 = connection.incr("bench:incr", 1).await.unwrap();
            increments.push(started.elapsed());
        }
        for number in 0..BLOCK {
            let message = format!("{run}-{block}-{number}");
            let started = Instant::now();
            let asker = Asker { id: "bench", place: "bench", message: &message };
            let verdict = limiter.decide(tenant, asker, &counters).await;
            decisions.push(started.elapsed());
            assert!(!verdict.without_redis, "decided without Redis");
        }
        if block == 0 {
            // The first block warms up.
            decisions.clear();
            increments.clear();
        }
    }
    let _: i64 = connection.del("bench:incr").await.unwrap();
    let row = |name: &str, times: &mut [Duration]| {
        let (p50, p99) = (percentile(times, 50), percentile(times, 99));
        println!("{name:<24} p50 {p50:7.1} us   p99 {p99:7.1} us   n {}", times.len());
        (p50, p99)
    };
    let (incr, decision) = (row("INCR", &mut increments), row("decision of 4 limits", &mut decisions));
    println!("ratio                    p50 {:7.2}      p99 {:7.2}", decision.0 / incr.0, decision.1 / incr.1);
}
