//! Wakes the event streams of a tenant.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use konstruct_domain::TenantId;
use tokio::sync::watch;

#[derive(Debug, Default)]
pub(crate) struct Wakes {
    tenants: Mutex<HashMap<TenantId, watch::Sender<()>>>,
}

impl Wakes {
    /// Changes whenever something may be new for the tenant's visitors.
    pub(crate) fn subscribe(&self, tenant: TenantId) -> watch::Receiver<()> {
        self.lock().entry(tenant).or_insert_with(|| watch::Sender::new(())).subscribe()
    }

    pub(crate) fn wake(&self, tenant: TenantId) {
        let mut tenants = self.lock();
        if tenants.get(&tenant).is_some_and(|sender| sender.send(()).is_err()) {
            // The last visitor has left.
            tenants.remove(&tenant);
        }
    }

    pub(crate) fn wake_all(&self) {
        self.lock().retain(|_, sender| sender.send(()).is_ok());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, watch::Sender<()>>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn visitors_of_a_tenant_are_woken_and_forgotten_when_they_leave() {
        let wakes = Wakes::default();
        let (a, b) = ("a", "b");
        let tenant = |slug: &str| TenantId::from_slug(&slug.parse().unwrap());
        let (mut of_a, of_b) = (wakes.subscribe(tenant(a)), wakes.subscribe(tenant(b)));
        wakes.wake(tenant(a));
        assert!(of_a.has_changed().unwrap() && !of_b.has_changed().unwrap());
        of_a.changed().await.unwrap();
        drop(of_a);
        wakes.wake_all();
        assert!(of_b.has_changed().unwrap());
        assert_eq!(wakes.lock().len(), 1);
    }
}
