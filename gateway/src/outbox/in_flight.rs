//! How many replies are being sent over each connection, so that a platform that hangs leaves lanes to the tenant's others.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use konstruct_domain::{ConnectionName, TenantId};

/// Over one connection at the same time: half of what its tenant may.
const MOST: usize = super::SENDS_MAX.of_a_tenant / 2;

type Connection = (TenantId, ConnectionName);

#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<HashMap<Connection, usize>>);

impl InFlight {
    /// Connections that have enough to do.
    pub(super) fn busy(&self, tenant: TenantId) -> Vec<ConnectionName> {
        let counts = self.lock();
        let busy = counts.iter().filter(|((of, _), count)| *of == tenant && **count >= MOST);
        busy.map(|((_, name), _)| name.clone()).collect()
    }

    /// Counts until it is dropped.
    pub(super) fn begin(&self, tenant: TenantId, connection: &ConnectionName) -> Counted<'_> {
        let connection = (tenant, connection.clone());
        *self.lock().entry(connection.clone()).or_default() += 1;
        Counted { all: self, connection }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Connection, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Counted<'a> {
    all: &'a InFlight,
    connection: Connection,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let mut counts = self.all.lock();
        let Some(count) = counts.get_mut(&self.connection) else { return };
        *count -= 1;
        if *count == 0 {
            counts.remove(&self.connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_busy_while_enough_is_sent_over_it() {
        let (in_flight, slack) = (InFlight::default(), "slack".parse().unwrap());
        let [acme, globex] = ["acme", "globex"].map(|slug| TenantId::from_slug(&slug.parse().unwrap()));
        let mut counted: Vec<_> = (1..MOST).map(|_| in_flight.begin(acme, &slack)).collect();
        assert_eq!(in_flight.busy(acme), []);
        counted.push(in_flight.begin(acme, &slack));
        assert_eq!((in_flight.busy(acme), in_flight.busy(globex)), (vec![slack], vec![]));
        counted.pop();
        assert_eq!(in_flight.busy(acme), []);
        counted.clear();
        assert!(in_flight.lock().is_empty());
    }
}
