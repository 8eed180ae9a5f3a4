//! Puts what compiles in force, and takes out what is no longer declared.

use std::collections::BTreeSet;

use anyhow::Result;
use konstruct_domain::revision::Revision;
use konstruct_domain::{Kind, Slug, TenantId};
use konstruct_queue::{Bus, Signal};
use konstruct_store::{AccountClaim, Published, Store, TenantRecord};

use super::compile::{Compiled, CompiledTenant, Item, Key, Snapshot};
use super::keys::Keys;
use super::problem::Problem;

/// Kinds that live in a tenant's namespace, those that are referred to first.
const NAMESPACED: [Kind; 3] = [Kind::LLMProvider, Kind::Agent, Kind::ChannelConnection];

/// The operator's side of the store.
#[derive(Clone)]
pub(crate) struct Publisher {
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) keys: Keys,
}

/// What one pass changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Put in force now, with the revision to wait for.
    pub(crate) published: Vec<(Key, Revision)>,
    /// Connections whose account somebody else holds.
    pub(crate) refused: Vec<Problem>,
}

impl Publisher {
    /// What is in force for the platform and for all tenants.
    pub(crate) async fn in_force(&self) -> Result<BTreeSet<Key>> {
        let mut keys = BTreeSet::new();
        let tenants = self.store.tenants().await?.into_iter().map(|tenant| tenant.id);
        for tenant in tenants.chain([TenantId::PLATFORM]) {
            let named = self.store.named(tenant).await?.into_iter();
            let namespaced = named.filter(|(kind, _)| NAMESPACED.contains(kind));
            keys.extend(namespaced.map(|(kind, name)| Key { tenant, kind, name }));
        }
        Ok(keys)
    }

    /// Makes the tenant's record, database role and cache user.
    pub(crate) async fn provision(&self, slug: &Slug, tenant: &CompiledTenant) -> Result<()> {
        let id = tenant.id;
        let record = TenantRecord {
            id,
            slug: slug.clone(),
            namespace: slug.namespace(),
            display_name: tenant.display_name.clone(),
        };
        self.store.upsert_tenant(&record).await?;
        self.store.ensure_database_role(id, slug, &self.keys.tenant_database_password(slug)).await?;
        self.bus.ensure_cache_user(id, slug, &self.keys.tenant_cache_password(slug)).await?;
        Ok(())
    }

    /// Removes everything of a tenant. Its runtime must have stopped.
    pub(crate) async fn erase(&self, slug: &Slug, id: TenantId) -> Result<()> {
        self.bus.drop_cache_user(slug).await?;
        self.store.drop_database_role(slug).await?;
        self.store.erase_tenant(id).await?;
        self.bus.erase_keys(id).await?;
        self.bus.publish(Signal::Config(id)).await;
        Ok(())
    }

    /// Tenants of earlier runs that are no longer declared. Only those whose id is one that `dev` gives: a database
    /// that a cluster uses as well keeps its own.
    pub(crate) async fn abandoned(&self, declared: &BTreeSet<Slug>) -> Result<Vec<(Slug, TenantId)>> {
        let tenants = self.store.tenants().await?.into_iter();
        let ours = tenants.filter(|tenant| tenant.id == TenantId::from_slug(&tenant.slug));
        Ok(ours
            .filter(|tenant| !declared.contains(&tenant.slug))
            .map(|tenant| (tenant.slug, tenant.id))
            .collect())
    }

    /// Takes out of force what is no longer declared, of declared tenants and of the platform.
    pub(crate) async fn withdraw(&self, compiled: &Compiled, in_force: &BTreeSet<Key>) -> Result<Vec<Key>> {
        let served = |tenant: TenantId| {
            tenant == TenantId::PLATFORM || compiled.tenants.values().any(|of| of.id == tenant)
        };
        let mut withdrawn = Vec::new();
        for key in in_force.iter().filter(|key| served(key.tenant) && !compiled.declared.contains(key)) {
            self.store.withdraw(key.tenant, key.kind, &key.name).await?;
            self.bus.publish(Signal::Config(key.tenant)).await;
            withdrawn.push(key.clone());
        }
        Ok(withdrawn)
    }

    /// Puts everything that compiled in force. What is in force already costs one read.
    pub(crate) async fn publish(&self, compiled: &Compiled) -> Result<Changes> {
        let mut changes = Changes::default();
        for kind in [Kind::Tenant].into_iter().chain(NAMESPACED) {
            for (key, item) in compiled.items.iter().filter(|(key, _)| key.kind == kind) {
                if !self.claim(key, item).await? {
                    let message = "another ChannelConnection has this account: remove that one first";
                    changes.refused.extend(item.source.iter().map(|source| source.problem("spec", message)));
                    continue;
                }
                let published = self.publish_one(key, item).await?;
                if published.changed {
                    self.bus.publish(Signal::Config(key.tenant)).await;
                    changes.published.push((key.clone(), published.revision));
                }
            }
        }
        Ok(changes)
    }

    async fn claim(&self, key: &Key, item: &Item) -> Result<bool> {
        let Some((channel_type, account)) = &item.account else { return Ok(true) };
        let claim = self.store.claim_channel_account(key.tenant, &key.name, channel_type, account).await?;
        Ok(matches!(claim, AccountClaim::Held))
    }

    async fn publish_one(&self, key: &Key, item: &Item) -> Result<Published> {
        let Key { tenant, kind, name } = key;
        let secrets = &item.secrets;
        let published = match &item.snapshot {
            Snapshot::Tenant(snapshot) => self.store.publish(*tenant, *kind, name, snapshot, secrets).await?,
            Snapshot::Provider(snapshot) => {
                self.store.publish(*tenant, *kind, name, snapshot, secrets).await?
            }
            Snapshot::Agent(snapshot) => self.store.publish(*tenant, *kind, name, snapshot, secrets).await?,
            Snapshot::Connection(snapshot) => {
                self.store.publish(*tenant, *kind, name, snapshot, secrets).await?
            }
        };
        Ok(published)
    }

    /// Whether the role that serves each of these works with that revision.
    pub(crate) async fn all_loaded(&self, published: &[(Key, Revision)]) -> Result<bool> {
        for (key, revision) in published {
            if self.store.standing(key.tenant, key.kind, &key.name).await?.loaded.as_ref() != Some(revision) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
