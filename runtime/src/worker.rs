//! What every turn of a runtime shares.

use std::sync::Arc;

use konstruct_domain::TenantId;
use konstruct_queue::Bus;
use konstruct_store::TenantStore;
use tokio_util::sync::CancellationToken;

use crate::agents::Agents;
use crate::health::Health;
use crate::model::ModelClient;
use crate::observe::Observer;
use crate::stop::Stops;
use crate::{Config, Error, Timing};

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) tenant: TenantId,
    pub(crate) store: TenantStore,
    pub(crate) bus: Bus,
    pub(crate) agents: Agents,
    pub(crate) model: ModelClient,
    pub(crate) observer: Observer,
    pub(crate) health: Health,
    pub(crate) timing: Timing,
    pub(crate) owner: String,
    pub(crate) stops: Stops,
    /// Cancelled when running turns have had their time after shutdown: they give their leases back.
    pub(crate) release: CancellationToken,
}

impl Worker {
    pub(crate) fn new(config: Config, timing: Timing) -> Result<Arc<Self>, Error> {
        let Config { tenant, store, bus, readiness, ai_gateway_url, token, owner, .. } = config;
        let health = Health::new(&readiness);
        Ok(Arc::new(Self {
            tenant,
            agents: Agents::new(tenant, store.clone(), bus.clone(), health.clone()),
            model: ModelClient::new(&ai_gateway_url, token, timing, health.clone())?,
            observer: Observer::new(tenant, store.clone(), bus.clone()),
            store,
            bus,
            health,
            timing,
            owner,
            stops: Stops::default(),
            release: CancellationToken::new(),
        }))
    }
}
