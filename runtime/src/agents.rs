//! The tenant's configuration as this runtime has loaded it.

use std::collections::HashMap;
use std::sync::Arc;

use konstruct_domain::revision::Revision;
use konstruct_domain::snapshot::{AgentSnapshot, TenantSnapshot};
use konstruct_domain::{AgentName, Kind, TenantId};
use konstruct_queue::{Bus, Signal};
use konstruct_store::{Error, TenantStore, Versioned};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Mutex, watch};

use crate::health::Health;
use crate::turns;

/// One version of everything. Never changed: a reload makes another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loaded {
    tenant: Option<Arc<Version<TenantSnapshot>>>,
    /// Those that this runtime is for.
    agents: HashMap<AgentName, Arc<Version<AgentSnapshot>>>,
    /// How many agents of the tenant have a runtime of their own.
    dedicated: usize,
}

#[derive(Debug)]
pub(crate) struct Version<T> {
    pub(crate) name: String,
    pub(crate) revision: Revision,
    pub(crate) snapshot: T,
}

/// Who answers: an agent, and the tenant it works for.
#[derive(Clone, Debug)]
pub(crate) struct Employee {
    pub(crate) tenant: Arc<Version<TenantSnapshot>>,
    pub(crate) agent: Arc<Version<AgentSnapshot>>,
}

#[derive(Debug)]
pub(crate) struct Agents {
    tenant: TenantId,
    store: TenantStore,
    bus: Bus,
    health: Health,
    loaded: watch::Sender<Loaded>,
    /// Two reloads at once could put the older result in force.
    reloading: Mutex<()>,
}

impl Agents {
    pub(crate) fn new(tenant: TenantId, store: TenantStore, bus: Bus, health: Health) -> Self {
        let (loaded, reloading) = (watch::Sender::new(Loaded::default()), Mutex::new(()));
        Self { tenant, store, bus, health, loaded, reloading }
    }

    /// The newest loaded version. Asks PostgreSQL when it is missing: a message may be faster than the wake-up that
    /// announces its agent.
    pub(crate) async fn employee(&self, name: &AgentName) -> Result<Option<Employee>, Error> {
        if let Some(employee) = self.find(name) {
            return Ok(Some(employee));
        }
        self.reload().await?;
        Ok(self.find(name))
    }

    /// The version in force, without asking.
    pub(crate) fn find(&self, name: &AgentName) -> Option<Employee> {
        let loaded = self.loaded.borrow();
        Some(Employee { tenant: loaded.tenant.clone()?, agent: loaded.agents.get(name)?.clone() })
    }

    /// How many turns this runtime may have at one time, if the tenant's are limited.
    pub(crate) fn turn_limit(&self) -> Option<usize> {
        let loaded = self.loaded.borrow();
        let limit = usize::from(loaded.tenant.as_ref()?.snapshot.concurrent_turns?);
        Some(turns::part_of(limit, loaded.dedicated, self.store.agent().is_some()))
    }

    /// Reads what is in force, and tells the operator that it is loaded. True if an agent is new here: what it was
    /// asked before waits unannounced.
    pub(crate) async fn reload(&self) -> Result<bool, Error> {
        let _one_at_a_time = self.reloading.lock().await;
        let outcome = self.health.seen(self.read().await);
        let loaded = match outcome {
            Ok(loaded) => loaded,
            Err(error) => {
                self.health.configuration.failed(format!("{error}; serving what was loaded before"));
                return Err(error);
            }
        };
        let before = self.loaded.send_replace(loaded.clone());
        self.report(&loaded);
        self.record(&loaded).await?;
        Ok(loaded.agents.keys().any(|name| !before.agents.contains_key(name)))
    }

    fn report(&self, loaded: &Loaded) {
        let agent = self.store.agent();
        if loaded.tenant.is_none() {
            self.health.configuration.failed("the operator has not published this tenant yet");
        } else if let Some(agent) = agent.filter(|agent| !loaded.agents.contains_key(*agent)) {
            let missing =
                format!("the operator has not published agent {agent} for a runtime of its own yet");
            self.health.configuration.failed(missing);
        } else {
            self.health.configuration.ok();
        }
    }

    async fn read(&self) -> Result<Loaded, Error> {
        let before = self.loaded.borrow().clone();
        let tenants = self.store.heads::<Value>(Kind::Tenant).await?;
        let agents = self.store.heads::<Value>(Kind::Agent).await?;
        let tenant = tenants.into_iter().find_map(|head| {
            let same = before.tenant.as_ref().filter(|version| version.name == head.name);
            decode(Kind::Tenant, head, same)
        });
        let agents: Vec<_> = agents
            .into_iter()
            .filter_map(|head| {
                let name: AgentName = head.name.parse().ok()?;
                let version = decode(Kind::Agent, head, before.agents.get(&name))?;
                Some((name, version))
            })
            .collect();
        let dedicated = agents.iter().filter(|(_, version)| version.snapshot.dedicated).count();
        let ours = |name: &AgentName, version: &Version<AgentSnapshot>| match self.store.agent() {
            Some(agent) => version.snapshot.dedicated && name == agent,
            None => !version.snapshot.dedicated,
        };
        let agents = agents.into_iter().filter(|(name, version)| ours(name, version)).collect();
        Ok(Loaded { tenant, agents, dedicated })
    }

    /// Says what is loaded, also when it was loaded before: an object that was deleted and created again has the same
    /// revision and no record.
    async fn record(&self, loaded: &Loaded) -> Result<(), Error> {
        // The shared runtime speaks for the tenant, each runtime for its agents.
        if let Some(tenant) = loaded.tenant.as_ref().filter(|_| self.store.agent().is_none()) {
            self.record_one(Kind::Tenant, tenant).await?;
        }
        for agent in loaded.agents.values() {
            self.record_one(Kind::Agent, agent).await?;
        }
        self.bus.publish(Signal::Loaded(self.tenant)).await;
        Ok(())
    }

    async fn record_one<T>(&self, kind: Kind, version: &Version<T>) -> Result<(), Error> {
        self.health.seen(self.store.record_loaded(kind, &version.name, &version.revision).await)
    }
}

/// One snapshot that this version of the program cannot read must not take the others down: it keeps its last good
/// version, and its resource shows that the new one is not loaded.
fn decode<T: DeserializeOwned>(
    kind: Kind,
    head: Versioned<Value>,
    before: Option<&Arc<Version<T>>>,
) -> Option<Arc<Version<T>>> {
    if let Some(same) = before.filter(|version| version.revision == head.revision) {
        return Some(Arc::clone(same));
    }
    match serde_json::from_value(head.snapshot) {
        Ok(snapshot) => Some(Arc::new(Version { name: head.name, revision: head.revision, snapshot })),
        Err(error) => {
            tracing::error!(%kind, name = head.name, revision = %head.revision, %error,
                "cannot read a snapshot: run the operator and the runtimes in the same version");
            before.cloned()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn head(revision: &str, snapshot: Value) -> Versioned<Value> {
        Versioned { name: "acme".into(), revision: Revision::from_stored(revision.into()), snapshot }
    }

    #[test]
    fn an_unreadable_snapshot_leaves_the_last_good_one() {
        let good = json!({"slug": "acme", "display_name": "Acme"});
        let first = decode::<TenantSnapshot>(Kind::Tenant, head("1", good), None).unwrap();
        let kept = decode(Kind::Tenant, head("2", json!({"slug": 7})), Some(&first)).unwrap();
        assert_eq!(kept.revision.as_str(), "1");
        let changed = json!({"slug": "acme", "display_name": "Acme Ltd"});
        let next = decode(Kind::Tenant, head("3", changed), Some(&kept)).unwrap();
        assert_eq!(next.snapshot.display_name, "Acme Ltd");
    }
}
