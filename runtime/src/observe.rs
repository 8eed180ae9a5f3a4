//! What turns notice about an agent, for its conditions.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use konstruct_domain::observation::Observation;
use konstruct_domain::{AgentName, Kind, TenantId};
use konstruct_queue::{Bus, Signal};
use konstruct_store::TenantStore;

/// A success is written again after this time, in case that another runtime of the tenant has written a failure
/// meanwhile or the agent was made anew.
const TRUST: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Observer {
    tenant: TenantId,
    store: TenantStore,
    bus: Bus,
    /// When a success was last written, so that not every turn asks the database. Failures are always written.
    well: Mutex<HashMap<AgentName, Instant>>,
}

impl Observer {
    pub(crate) fn new(tenant: TenantId, store: TenantStore, bus: Bus) -> Self {
        Self { tenant, store, bus, well: Mutex::default() }
    }

    /// Never fails a turn: what could not be written is written by the next one.
    pub(crate) async fn report(&self, agent: &AgentName, observation: &Observation) {
        if observation.ok && self.known_well(agent) {
            return;
        }
        match self.store.observe(Kind::Agent, agent.as_str(), observation).await {
            Ok(changed) => {
                self.remember(agent, observation.ok);
                if changed {
                    self.bus.publish(Signal::Loaded(self.tenant)).await;
                }
            }
            Err(error) => tracing::warn!(%agent, %error, "an observation was not recorded"),
        }
    }

    fn known_well(&self, agent: &AgentName) -> bool {
        let well = self.well.lock().unwrap_or_else(PoisonError::into_inner);
        well.get(agent).is_some_and(|since| since.elapsed() < TRUST)
    }

    fn remember(&self, agent: &AgentName, ok: bool) {
        let mut well = self.well.lock().unwrap_or_else(PoisonError::into_inner);
        if ok {
            well.insert(agent.clone(), Instant::now());
        } else {
            well.remove(agent);
        }
    }
}
