//! Keeps the catalogue up to date: by signals, after each reconnection, and by a look now and then for lost signals.

use std::collections::BTreeSet;
use std::time::Duration;

use konstruct_domain::TenantId;
use konstruct_queue::{Event, Signal};
use konstruct_telemetry::Check;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::Loader;

const CHECK_EVERY: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_secs(1);

/// What is to be read again.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    tenants: BTreeSet<TenantId>,
    everything: bool,
    pub(super) record: Record,
}

/// Which loaded revisions to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Record {
    /// Those that changed.
    Changed,
    /// All: a record goes when its provider is withdrawn, also when the same one comes back at once.
    All,
}

impl Wanted {
    pub(super) const fn new_tenants() -> Self {
        Self { tenants: BTreeSet::new(), everything: false, record: Record::Changed }
    }

    pub(super) fn tenant(tenant: TenantId) -> Self {
        Self { tenants: BTreeSet::from([tenant]), everything: false, record: Record::All }
    }

    const fn everything(record: Record) -> Self {
        Self { tenants: BTreeSet::new(), everything: true, record }
    }

    pub(super) fn includes(&self, tenant: TenantId) -> bool {
        self.everything || self.tenants.contains(&tenant)
    }

    fn merge(self, mut other: Self) -> Self {
        other.tenants.extend(self.tenants);
        Self {
            tenants: other.tenants,
            everything: self.everything || other.everything,
            record: self.record.max(other.record),
        }
    }

    fn of(event: Event) -> Option<Self> {
        match event {
            Event::Signal(Signal::Config(tenant)) => Some(Self::tenant(tenant)),
            Event::Connected => Some(Self::everything(Record::All)),
            Event::Signal(_) | Event::Disconnected => None,
        }
    }
}

/// Works for as long as events come.
pub(crate) async fn follow(loader: &Loader, mut events: mpsc::Receiver<Event>, check: Check) {
    let mut tick = interval(CHECK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick.reset();
    // The first time without waiting for Redis: PostgreSQL is all that it takes.
    let mut wanted = Some(Wanted::everything(Record::All));
    loop {
        while let Ok(event) = events.try_recv() {
            wanted = join(wanted, Wanted::of(event));
        }
        if let Some(work) = wanted.take() {
            match loader.load(&work).await {
                Ok(()) => check.ok(),
                Err(error) => {
                    tracing::warn!(%error, "cannot read the configuration; what was loaded before stays in force");
                    wanted = Some(work);
                    sleep(RETRY).await;
                    continue;
                }
            }
        }
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => wanted = Wanted::of(event),
                None => return,
            },
            _ = tick.tick() => wanted = Some(Wanted::everything(Record::Changed)),
        }
    }
}

fn join(one: Option<Wanted>, other: Option<Wanted>) -> Option<Wanted> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.merge(other)),
        (one, other) => one.or(other),
    }
}
