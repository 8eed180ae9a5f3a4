//! What is configured, in memory: tenants, their agents and providers, and what the platform shares.
//!
//! Readers see one consistent view and never wait. The [`Loader`] is the only writer.

mod loader;
mod provider;
mod sync;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use konstruct_domain::ids::ProviderName;
use konstruct_domain::snapshot::AgentSnapshot;
use konstruct_domain::{AgentName, TenantId};
use konstruct_store::TenantRecord;

use crate::allowance::Allowance;

pub(crate) use loader::{Clients, Loader};
pub(crate) use provider::{LoadedProvider, Unusable};
pub(crate) use sync::follow;

pub(crate) type Providers = HashMap<ProviderName, Arc<LoadedProvider>>;

#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) record: TenantRecord,
    pub(crate) agents: HashMap<AgentName, Arc<AgentSnapshot>>,
    pub(crate) providers: Providers,
    pub(crate) allowance: Allowance,
    loaded_at: Instant,
}

#[derive(Debug, Default)]
pub(crate) struct Catalogue(ArcSwap<View>);

#[derive(Clone, Debug, Default)]
struct View {
    tenants: HashMap<TenantId, Arc<Tenant>>,
    /// What tenants' runtimes run in.
    namespaces: HashMap<String, TenantId>,
    /// Shared by the platform.
    platform: Arc<Providers>,
    /// When the directory of tenants was read.
    directory_at: Option<Instant>,
}

impl Catalogue {
    pub(crate) fn tenant(&self, id: TenantId) -> Option<Arc<Tenant>> {
        self.0.load().tenants.get(&id).cloned()
    }

    pub(crate) fn tenant_of_namespace(&self, namespace: &str) -> Option<Arc<Tenant>> {
        let view = self.0.load();
        view.tenants.get(view.namespaces.get(namespace)?).cloned()
    }

    pub(crate) fn platform(&self) -> Arc<Providers> {
        Arc::clone(&self.0.load().platform)
    }

    /// Every provider, of tenants and of the platform.
    pub(crate) fn providers(&self) -> Vec<Arc<LoadedProvider>> {
        let view = self.0.load();
        let of_tenants = view.tenants.values().flat_map(|tenant| tenant.providers.values());
        of_tenants.chain(view.platform.values()).cloned().collect()
    }
}
