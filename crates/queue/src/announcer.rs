//! Wake-ups that nobody waits for.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::join_all;

use crate::{Bus, Signal};

/// Signals that were announced and are not published yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Announcer(Arc<Mutex<Announced>>);

#[derive(Debug, Default)]
struct Announced {
    signals: HashSet<Signal>,
    /// Somebody is publishing and will look again before it stops.
    publishing: bool,
}

impl Announcer {
    fn lock(&self) -> MutexGuard<'_, Announced> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True when the caller has to publish.
    fn add(&self, signal: Signal) -> bool {
        let mut announced = self.lock();
        announced.signals.insert(signal);
        !std::mem::replace(&mut announced.publishing, true)
    }

    /// What to publish; empty when the caller may stop.
    fn take(&self) -> HashSet<Signal> {
        let mut announced = self.lock();
        announced.publishing = !announced.signals.is_empty();
        std::mem::take(&mut announced.signals)
    }
}

impl Bus {
    /// Publishes a signal beside the caller. Equal signals that come while others are published become one: a wake-up
    /// says only that there is something to look for.
    pub fn announce(&self, signal: Signal) {
        if self.announcer().add(signal) {
            let bus = self.clone();
            tokio::spawn(async move {
                loop {
                    let signals = bus.announcer().take();
                    if signals.is_empty() {
                        return;
                    }
                    join_all(signals.into_iter().map(|signal| bus.publish(signal))).await;
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use konstruct_domain::TenantId;

    use super::*;

    #[test]
    fn equal_signals_become_one_and_none_is_left_behind() {
        let tenant = TenantId::from_slug(&"acme".parse().unwrap());
        let (inbox, outbox) = (Signal::Inbox(tenant), Signal::Outbox(tenant));
        let announcer = Announcer::default();
        assert!(announcer.add(inbox), "the first publishes");
        assert!(!announcer.add(inbox) && !announcer.add(outbox));
        assert_eq!(announcer.take().len(), 2);
        assert!(!announcer.add(inbox), "somebody is still publishing");
        assert_eq!(announcer.take().len(), 1);
        assert!(announcer.take().is_empty());
        assert!(announcer.add(inbox), "nobody publishes any more");
    }
}
