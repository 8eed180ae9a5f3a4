//! How many messages may come in: counters of a tenant, a connection, a conversation and a person, decided together.
//!
//! Each counter is a bucket that holds a minute's allowance and fills evenly (GCRA). Redis decides in one script on its own
//! clock, so that all gateways count together. While it does not answer in time each gateway counts for itself, with half
//! of every allowance.

mod local;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use konstruct_domain::TenantId;
use redis::{RedisResult, Script};
use tokio::time::timeout;

use crate::Bus;
use local::Local;

/// In which a counter's whole allowance comes back.
pub const PERIOD: Duration = Duration::from_mins(1);
/// A person waits for the decision, and so does the platform that delivers.
const DEADLINE: Duration = Duration::from_millis(100);
/// After a failure nobody waits for Redis for this time.
const SHUT: Duration = Duration::from_secs(1);

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("decide.lua")));

/// The prefix of what gateways have in Redis about a tenant. No tenant's user reaches it, and the braces keep its keys in
/// one slot of a cluster.
pub(crate) fn prefix(tenant: TenantId) -> String {
    format!("kg:{{{tenant}}}:")
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    Tenant,
    Connection,
    Conversation,
    Person,
    /// Of the network, from which several persons may write.
    Address,
}

impl Scope {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Connection => "connection",
            Self::Conversation => "conversation",
            Self::Person => "person",
            Self::Address => "address",
        }
    }
}

/// One counter and its allowance. `id` names nobody: hash what would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    pub scope: Scope,
    pub id: String,
    pub per_minute: u32,
}

impl Counter {
    fn key(&self, tenant: TenantId) -> String {
        format!("{}limit:{}:{}", prefix(tenant), self.scope.as_str(), self.id)
    }

    /// Microseconds in which one message's allowance comes back. Nothing allowed is one a period at most.
    fn step(&self, share: u64) -> u64 {
        (period_us() * share / u64::from(self.per_minute.max(1))).clamp(1, period_us())
    }
}

fn period_us() -> u64 {
    u64::try_from(PERIOD.as_micros()).unwrap_or(u64::MAX)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    Refused(Refused),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The one that takes longest.
    pub scope: Scope,
    pub resets_in: Duration,
    /// Since when the asker is refused: the same for everything that it is refused in one go, by whichever gateway.
    pub since: String,
    /// Where that began.
    pub first_at: String,
}

/// Who writes what, and where. None of it names anybody: hash what would.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    pub id: &'a str,
    pub place: &'a str,
    /// The same message again is not counted again, for two minutes.
    pub message: &'a str,
}

/// The key of a message that was let in.
fn seen(tenant: TenantId, asker: Asker<'_>) -> String {
    format!("{}seen:{}", prefix(tenant), asker.message)
}

/// A decision, and whether it was this process's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub decision: Decision,
    pub without_redis: bool,
}

#[derive(Debug)]
pub struct Limiter {
    bus: Bus,
    local: Local,
    started: Instant,
    /// Milliseconds since `started` until which Redis is not asked.
    shut_until: AtomicU64,
}

impl Limiter {
    pub fn new(bus: Bus) -> Self {
        Self { bus, local: Local::default(), started: Instant::now(), shut_until: AtomicU64::new(0) }
    }

    /// Counts one message. The asker matters for what a refusal says of itself, and for nothing else.
    pub async fn decide(&self, tenant: TenantId, asker: Asker<'_>, counters: &[Counter]) -> Verdict {
        let elapsed = || u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if elapsed() >= self.shut_until.load(Ordering::Relaxed) {
            match timeout(DEADLINE, self.ask(tenant, asker, counters)).await {
                Ok(Ok(decision)) => return Verdict { decision, without_redis: false },
                Ok(Err(error)) => tracing::debug!(%error, "a limit is decided without Redis"),
                Err(_) => tracing::debug!("a limit is decided without Redis, which is slow"),
            }
            let shut = u64::try_from(SHUT.as_millis()).unwrap_or(u64::MAX);
            self.shut_until.store(elapsed().saturating_add(shut), Ordering::Relaxed);
        }
        let keys: Vec<String> = counters.iter().map(|counter| counter.key(tenant)).collect();
        let decision = self.local.decide(self.started.elapsed(), asker, seen(tenant, asker), &keys, counters);
        Verdict { decision, without_redis: true }
    }

    async fn ask(&self, tenant: TenantId, asker: Asker<'_>, counters: &[Counter]) -> RedisResult<Decision> {
        let mut call = SCRIPT.key(format!("{}refused:{}", prefix(tenant), asker.id));
        call.key(seen(tenant, asker)).arg(period_us()).arg(asker.place);
        for counter in counters {
            call.key(counter.key(tenant)).arg(counter.step(1));
        }
        let (refusing, wait, window): (usize, u64, String) =
            call.invoke_async(&mut self.bus.connection()).await?;
        let (since, first_at) = window.split_once(' ').unwrap_or_default();
        Ok(match refusing.checked_sub(1).and_then(|index| counters.get(index)) {
            None => Decision::Allowed,
            Some(counter) => Decision::Refused(Refused {
                scope: counter.scope,
                resets_in: Duration::from_millis(wait),
                since: since.to_owned(),
                first_at: first_at.to_owned(),
            }),
        })
    }
}
