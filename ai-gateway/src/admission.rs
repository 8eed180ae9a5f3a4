//! How many requests are served at the same time: enough for everybody, and no more of one tenant than leaves room
//! for the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use konstruct_domain::TenantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::budget::Reservation;

/// A request holds its body and a part of an answer, at most a few megabytes.
const TOTAL: usize = 256;
const PER_TENANT: usize = 64;

/// Why a request is not served now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Busy {
    Everybody,
    Tenant,
}

pub(crate) struct Admission {
    total: Arc<Semaphore>,
    tenants: Arc<Mutex<HashMap<TenantId, usize>>>,
}

/// A place among the requests being served, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    tenants: Arc<Mutex<HashMap<TenantId, usize>>>,
    tenant: TenantId,
    _total: OwnedSemaphorePermit,
    tokens: Option<Reservation>,
}

impl Place {
    /// Gives the tokens back together with the place.
    pub(crate) fn keep(&mut self, tokens: Option<Reservation>) {
        self.tokens = tokens;
    }
}

impl Admission {
    pub(crate) fn new() -> Self {
        Self { total: Arc::new(Semaphore::new(TOTAL)), tenants: Arc::default() }
    }

    pub(crate) fn admit(&self, tenant: TenantId) -> Result<Place, Busy> {
        let total = Arc::clone(&self.total).try_acquire_owned().map_err(|_| Busy::Everybody)?;
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let served = tenants.entry(tenant).or_insert(0);
        if *served >= PER_TENANT {
            return Err(Busy::Tenant);
        }
        *served += 1;
        Ok(Place { tenants: Arc::clone(&self.tenants), tenant, _total: total, tokens: None })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(served) = tenants.get_mut(&self.tenant) {
            *served -= 1;
            if *served == 0 {
                tenants.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_tenant_leaves_room_for_the_others() {
        let (busy, other) = ["busy", "other"].map(|slug| TenantId::from_slug(&slug.parse().unwrap())).into();
        let admission = Admission::new();
        let places: Vec<Place> = (0..PER_TENANT).map(|_| admission.admit(busy).unwrap()).collect();
        assert_eq!(admission.admit(busy).unwrap_err(), Busy::Tenant);
        assert!(admission.admit(other).is_ok());
        drop(places);
        assert!(admission.admit(busy).is_ok());
        assert!(admission.tenants.lock().unwrap().is_empty());
    }
}
