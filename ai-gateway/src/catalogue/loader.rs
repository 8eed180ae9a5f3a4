//! Reads snapshots from PostgreSQL into the catalogue and reports which revisions are loaded.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use konstruct_domain::snapshot::{AgentSnapshot, ProviderSnapshot, Reader, TenantSnapshot};
use konstruct_domain::{AgentName, Kind, TenantId};
use konstruct_llm::HttpClient;
use konstruct_queue::{Bus, Signal};
use konstruct_store::{Error, Store, TenantRecord};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::sleep_until;

use super::sync::{Record, Wanted};
use super::{Catalogue, LoadedProvider, Providers, Tenant, View};
use crate::allowance::Allowance;
use crate::health::Health;

/// Fewer than the pool has connections: requests need some too.
const CONCURRENT_READS: usize = 4;

/// Between two looks that callers cause who miss something.
const PAUSE: Duration = Duration::from_millis(200);

/// Who asks providers. What a tenant wrote must not lead into the platform's own network.
pub(crate) struct Clients {
    pub(crate) platform: HttpClient,
    pub(crate) tenants: HttpClient,
}

impl Clients {
    fn of(&self, owner: TenantId) -> &HttpClient {
        if owner == TenantId::PLATFORM { &self.platform } else { &self.tenants }
    }
}

pub(crate) struct Loader {
    store: Store,
    bus: Bus,
    http: Clients,
    allow_scripted: bool,
    health: Health,
    catalogue: Catalogue,
    /// Held by whoever makes the next view, so that no update is lost.
    writing: Mutex<()>,
}

impl Loader {
    pub(crate) fn new(store: Store, bus: Bus, http: Clients, allow_scripted: bool, health: Health) -> Self {
        let (catalogue, writing) = (Catalogue::default(), Mutex::default());
        Self { store, bus, http, allow_scripted, health, catalogue, writing }
    }

    pub(crate) const fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// For a caller whose tenant is unknown: it may be younger than what is loaded.
    pub(crate) async fn look_again_for_tenants(&self) -> Result<(), Error> {
        self.look_again(&Wanted::new_tenants(), |view| view.directory_at).await
    }

    /// For a caller whose agent is unknown: the tenant as it is now.
    pub(crate) async fn look_again_for(&self, tenant: TenantId) -> Result<Option<Arc<Tenant>>, Error> {
        self.look_again(&Wanted::tenant(tenant), |view| Some(view.tenants.get(&tenant)?.loaded_at)).await?;
        Ok(self.catalogue.tenant(tenant))
    }

    /// Reads again what was read before the caller came, unless somebody else does meanwhile. Callers who miss things
    /// that do not exist are slowed down, the database is not.
    async fn look_again(
        &self,
        wanted: &Wanted,
        read_at: impl Fn(&View) -> Option<Instant>,
    ) -> Result<(), Error> {
        let came = Instant::now();
        if let Some(read) = read_at(&self.catalogue.0.load()) {
            sleep_until((read + PAUSE).into()).await;
        }
        let writing = self.writing.lock().await;
        if read_at(&self.catalogue.0.load()) >= Some(came) {
            return Ok(());
        }
        self.load_alone(wanted, &writing).await
    }

    /// Brings what is wanted up to date. Fails when the database is unavailable; everything then stays as it was.
    pub(super) async fn load(&self, wanted: &Wanted) -> Result<(), Error> {
        let writing = self.writing.lock().await;
        self.load_alone(wanted, &writing).await
    }

    async fn load_alone(&self, wanted: &Wanted, _writing: &MutexGuard<'_, ()>) -> Result<(), Error> {
        let before = self.catalogue.0.load_full();
        let mut view = View::clone(&before);
        view.directory_at = Some(Instant::now());
        let directory = self.store.tenants().await?;
        view.namespaces = directory.iter().map(|tenant| (tenant.namespace.clone(), tenant.id)).collect();
        view.tenants.retain(|id, _| directory.iter().any(|tenant| tenant.id == *id));
        if wanted.includes(TenantId::PLATFORM) {
            view.platform = Arc::new(self.read_providers(TenantId::PLATFORM, &before.platform).await?);
        }
        let due = directory
            .into_iter()
            .filter(|tenant| wanted.includes(tenant.id) || !before.tenants.contains_key(&tenant.id));
        let mut reads = futures::stream::iter(due)
            .map(|record| self.read_tenant(record, &before))
            .buffer_unordered(CONCURRENT_READS);
        while let Some(tenant) = reads.try_next().await? {
            if let Some(tenant) = tenant {
                view.tenants.insert(tenant.record.id, Arc::new(tenant));
            }
        }
        drop(reads);
        self.catalogue.0.store(Arc::new(view));
        self.announce(wanted, &before).await
    }

    /// `None` when what is stored cannot be read: the tenant keeps what was loaded, and holds up nobody else.
    async fn read_tenant(&self, record: TenantRecord, before: &View) -> Result<Option<Tenant>, Error> {
        let id = record.id;
        let none = Providers::new();
        let known = before.tenants.get(&id).map_or(&none, |tenant| &tenant.providers);
        let loaded_at = Instant::now();
        let allowance = self.read_allowance(id, record.slug.as_str());
        match futures::try_join!(self.read_agents(id), self.read_providers(id, known), allowance) {
            Ok((agents, providers, allowance)) => {
                Ok(Some(Tenant { record, agents, providers, allowance, loaded_at }))
            }
            Err(error) if error.is_unavailable() => Err(error),
            Err(error) => {
                tracing::error!(tenant = %id, %error, "a snapshot cannot be read; the tenant keeps what was loaded");
                Ok(None)
            }
        }
    }

    async fn read_allowance(&self, tenant: TenantId, slug: &str) -> Result<Allowance, Error> {
        let head = self.store.head::<TenantSnapshot>(tenant, Kind::Tenant, slug).await?;
        Ok(head.map_or_else(Allowance::default, |head| Allowance {
            tokens: head.snapshot.tokens_per_month,
            spend: head.snapshot.spend_per_month,
        }))
    }

    async fn read_agents(&self, tenant: TenantId) -> Result<HashMap<AgentName, Arc<AgentSnapshot>>, Error> {
        let heads = self.store.heads::<AgentSnapshot>(tenant, Kind::Agent).await?;
        Ok(heads.into_iter().map(|head| (head.snapshot.name.clone(), Arc::new(head.snapshot))).collect())
    }

    /// Keeps what has not changed, with its key and its connections.
    async fn read_providers(&self, owner: TenantId, known: &Providers) -> Result<Providers, Error> {
        let mut providers = Providers::new();
        for head in self.store.heads::<ProviderSnapshot>(owner, Kind::LLMProvider).await? {
            let name = head.snapshot.name.clone();
            let same = known.get(&name).filter(|old| old.revision == head.revision && old.is_loaded());
            let provider = match same {
                Some(same) => Arc::clone(same),
                None => Arc::new(
                    LoadedProvider::load(owner, head, &self.store, self.http.of(owner), self.allow_scripted)
                        .await?,
                ),
            };
            providers.insert(name, provider);
        }
        Ok(providers)
    }

    /// Records what is loaded, tells the operator, and has new providers looked at.
    async fn announce(&self, wanted: &Wanted, before: &View) -> Result<(), Error> {
        let was_loaded = |provider: &Arc<LoadedProvider>| {
            let known = match provider.owner {
                TenantId::PLATFORM => before.platform.get(&provider.snapshot.name),
                owner => before
                    .tenants
                    .get(&owner)
                    .and_then(|tenant| tenant.providers.get(&provider.snapshot.name)),
            };
            known.is_some_and(|known| Arc::ptr_eq(known, provider))
        };
        let mut changed = BTreeSet::new();
        for provider in self.catalogue.providers() {
            let new = !was_loaded(&provider);
            let asked = wanted.record == Record::All && wanted.includes(provider.owner);
            if provider.is_loaded() && (new || asked) {
                let (kind, name) = (Kind::LLMProvider, provider.snapshot.name.as_str());
                self.store
                    .record_loaded(provider.owner, kind, name, Reader::AiGateway, &provider.revision)
                    .await?;
                changed.insert(provider.owner);
            }
            if new {
                self.health.look_at(provider);
            }
        }
        for tenant in changed {
            self.bus.publish(Signal::Loaded(tenant)).await;
        }
        Ok(())
    }
}
