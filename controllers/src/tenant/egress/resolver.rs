//! Looks hosts up, and again every minute: only what has changed leads to a pass over a tenant.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::{StreamExt, future, stream};
use konstruct_crds::Tenant;

use super::known::Known;
use super::{Hosts, Resolved, in_force};
use crate::context::Cluster;

/// Stands for the records' own time to live, which the system's resolver does not tell.
const AGAIN: Duration = Duration::from_mins(1);
/// A host that takes longer is not found.
const PATIENCE: Duration = Duration::from_secs(5);
const AT_ONE_TIME: usize = 8;

/// What is known of the hosts that Tenants name.
#[derive(Debug, Default)]
pub(crate) struct Resolver {
    hosts: Mutex<HashMap<String, Known>>,
}

impl Resolver {
    /// The addresses of a tenant's hosts. Asks for those that are not known yet.
    pub(crate) async fn hosts_of(&self, cluster: &Cluster, tenant: &Tenant) -> Hosts {
        if tenant.spec.extra_egress.is_empty() {
            return Hosts::new();
        }
        let namespace = tenant.spec.namespace();
        let before = cluster.caches.network_policies.get(&namespace, super::POLICY);
        let before = before.map(|policy| in_force(&policy)).unwrap_or_default();
        let lookups = named_by(tenant).into_iter().map(|host| {
            let kept = before.get(&host).map(|resolved| resolved.addresses.clone()).unwrap_or_default();
            async move {
                let resolved = match self.get(&host) {
                    Some(resolved) => resolved,
                    None => self.learn(&host, &kept, look_up(&host).await),
                };
                (host, resolved)
            }
        });
        future::join_all(lookups).await.into_iter().collect()
    }

    fn get(&self, host: &str) -> Option<Resolved> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).get(host).map(Known::resolved)
    }

    fn learn(&self, host: &str, kept: &BTreeSet<IpAddr>, answer: Result<Vec<IpAddr>, String>) -> Resolved {
        let now = Instant::now();
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let known = hosts.entry(host.to_owned()).or_default();
        known.keep(kept, now);
        known.learn(answer, now);
        known.resolved()
    }

    fn forget_all_but(&self, hosts: &BTreeSet<String>) {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).retain(|host, _| hosts.contains(host));
    }

    /// Looks every host up again. Returns those of which something else is known now.
    async fn refresh(&self, hosts: BTreeSet<String>) -> BTreeSet<String> {
        self.forget_all_but(&hosts);
        let lookups = hosts.into_iter().map(|host| async move {
            let before = self.get(&host);
            let after = self.learn(&host, &BTreeSet::new(), look_up(&host).await);
            (before != Some(after)).then_some(host)
        });
        stream::iter(lookups).buffer_unordered(AT_ONE_TIME).filter_map(future::ready).collect().await
    }
}

/// Keeps the addresses fresh, until the future is dropped.
pub(crate) async fn refresh(cluster: Arc<Cluster>, resolver: Arc<Resolver>) {
    loop {
        tokio::time::sleep(AGAIN).await;
        let tenants = cluster.caches.tenants.all();
        // Those that were not looked up yet are looked up by a pass, which knows what is in force.
        let known = |host: &String| resolver.get(host).is_some();
        let hosts = tenants.iter().flat_map(|tenant| named_by(tenant)).filter(known).collect();
        let changed = resolver.refresh(hosts).await;
        let concerned = |tenant: &&Arc<Tenant>| !named_by(tenant).is_disjoint(&changed);
        cluster.queues.boundaries.add_all(tenants.iter().filter(concerned));
    }
}

fn named_by(tenant: &Tenant) -> BTreeSet<String> {
    tenant.spec.extra_egress.iter().filter_map(|destination| destination.host.clone()).collect()
}

/// Asks for exactly this name: the dot at the end keeps the search list of the operator's pod out of it.
async fn look_up(host: &str) -> Result<Vec<IpAddr>, String> {
    ask(&format!("{host}.")).await
}

async fn ask(name: &str) -> Result<Vec<IpAddr>, String> {
    match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((name, 0))).await {
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(found)) => Ok(found.map(|address| address.ip()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::egress::Fault;

    #[tokio::test]
    async fn a_name_that_leads_inwards_is_refused_and_one_that_leads_nowhere_is_said() {
        let resolver = Resolver::default();
        let inwards = resolver.learn("evil.example", &BTreeSet::new(), ask("localhost").await);
        assert!(inwards.addresses.is_empty());
        assert!(matches!(inwards.fault, Some(Fault::Refused { .. })), "{inwards:?}");

        let nowhere = "no-such-host.invalid".to_owned();
        let hosts = BTreeSet::from([nowhere.clone()]);
        assert_eq!(resolver.refresh(hosts.clone()).await, hosts);
        let found = resolver.get(&nowhere).unwrap();
        assert!(matches!(found.fault, Some(Fault::NotResolved(_))), "{found:?}");
        assert_eq!(resolver.get("evil.example"), None, "what nobody names is forgotten");
        assert!(resolver.refresh(hosts).await.is_empty(), "the same again is no news");
        resolver.refresh(BTreeSet::new()).await;
        assert_eq!(resolver.get(&nowhere), None, "what nobody names is forgotten");
    }
}
