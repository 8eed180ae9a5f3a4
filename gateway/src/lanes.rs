//! How many lanes work for each tenant.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use konstruct_domain::TenantId;

/// Counts lanes and wake-ups, so that a wake-up that arrives while a lane finds nothing is not lost.
#[derive(Debug)]
pub(crate) struct Lanes {
    /// For one tenant. Order within a conversation is the store's business.
    most: usize,
    tenants: Mutex<HashMap<TenantId, Lane>>,
}

#[derive(Debug, Default)]
struct Lane {
    open: usize,
    wakes: u64,
}

impl Lanes {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, tenants: Mutex::default() }
    }

    /// Counts a wake-up. `Some` when another lane should start, with the number of this wake-up.
    pub(crate) fn open(&self, tenant: TenantId) -> Option<u64> {
        let mut tenants = self.lock();
        let lane = tenants.entry(tenant).or_default();
        lane.wakes += 1;
        if lane.open == self.most {
            return None;
        }
        lane.open += 1;
        Some(lane.wakes)
    }

    /// A lane has found nothing since the wake-up `seen`. `None` when it may end; else a newer wake-up to look after.
    pub(crate) fn close(&self, tenant: TenantId, seen: u64) -> Option<u64> {
        let mut tenants = self.lock();
        let lane = tenants.get_mut(&tenant)?;
        if lane.wakes > seen {
            return Some(lane.wakes);
        }
        lane.open -= 1;
        if lane.open == 0 {
            tenants.remove(&tenant);
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Lane>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_bounded_and_no_wake_up_is_lost() {
        let lanes = Lanes::new(4);
        let tenant = TenantId::from_slug(&"acme".parse().unwrap());
        let opened: Vec<_> = (0..6).map(|_| lanes.open(tenant)).collect();
        assert_eq!(opened, [Some(1), Some(2), Some(3), Some(4), None, None]);
        assert_eq!(lanes.close(tenant, 1), Some(6), "wake-ups came since");
        for _ in 0..4 {
            assert_eq!(lanes.close(tenant, 6), None);
        }
        assert!(lanes.lock().is_empty());
        assert_eq!(lanes.open(tenant), Some(1));
    }
}
