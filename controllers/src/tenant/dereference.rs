//! What a Tenant meets in the cluster: a namespace of its name, and other Tenants with the same slug.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use konstruct_crds::{PlanSpec, Tenant};
use konstruct_domain::{AgentName, Slug, TenantId};
use kube::{Api, ResourceExt};

use super::dedicated;
use super::egress::Hosts;
use crate::Error;
use crate::context::Cluster;
use crate::framework::ownership::{Ownership, owner, ownership, ownership_of_given};
use crate::framework::surplus::{age, surplus};
use crate::framework::tenancy::tenant_ref;

#[derive(Clone, Debug)]
pub struct Dereferenced {
    /// The Tenant object's UID.
    pub id: TenantId,
    /// Whose the namespace `kt-<slug>` is.
    pub namespace: Ownership,
    /// The name of another Tenant that has the slug.
    pub slug_taken_by: Option<String>,
    /// What the quota must leave room for; None where no pods run.
    pub runtime: Option<RuntimeNeeds>,
    pub plan: PlanLookup,
    /// Objects above the tenant's limits.
    pub surplus: Surplus,
    /// Addresses of the hosts that `spec.extraEgress` names. Only the provisioner looks them up.
    pub hosts: Hosts,
    /// Agents that get a pod of their own, the oldest first.
    pub dedicated: Vec<AgentName>,
}

/// What stands behind `spec.plan`.
#[derive(Clone, Debug)]
pub enum PlanLookup {
    NotNamed,
    Missing(String),
    Found(PlanSpec),
}

/// Names of objects that are too many, the oldest of them first.
#[derive(Clone, Debug, Default)]
pub struct Surplus {
    pub agents: Vec<String>,
    pub channels: Vec<String>,
}

/// Limits of the pod that every tenant has, and of those of its dedicated agents.
#[derive(Clone, Debug)]
pub struct RuntimeNeeds {
    pub cpu: String,
    pub memory: String,
}

pub(super) async fn dereference(
    cluster: &Cluster,
    tenant: &Tenant,
    hosts: Hosts,
) -> Result<Dereferenced, Error> {
    let id = tenant_id(tenant)?;
    let namespace = match tenant.spec.slug.parse::<Slug>() {
        Ok(slug) => find_namespace(cluster, &slug).await?,
        Err(_) => None,
    };
    let runtime = &cluster.settings.runtime;
    Ok(Dereferenced {
        id,
        namespace: ownership_in(cluster, namespace.as_ref(), id),
        slug_taken_by: slug_taken_by(tenant, namespace.as_ref(), &cluster.caches.tenants.all()),
        runtime: Some(RuntimeNeeds { cpu: runtime.cpu_limit.clone(), memory: runtime.memory_limit.clone() }),
        plan: plan(cluster, tenant),
        surplus: surplus_of(cluster, tenant),
        dedicated: tenant_ref(tenant)
            .map(|tenant| dedicated::allotted(cluster, &tenant).agents)
            .unwrap_or_default(),
        hosts,
    })
}

/// Whose the namespace of a Tenant's slug is in this installation.
pub(super) fn ownership_in(cluster: &Cluster, namespace: Option<&Namespace>, id: TenantId) -> Ownership {
    if cluster.settings.namespaces.are_given() {
        ownership_of_given(namespace, id)
    } else {
        ownership(namespace, id)
    }
}

fn plan(cluster: &Cluster, tenant: &Tenant) -> PlanLookup {
    let Some(name) = &tenant.spec.plan else { return PlanLookup::NotNamed };
    match cluster.caches.plans.get("", name) {
        Some(plan) => PlanLookup::Found(plan.spec.clone()),
        None => PlanLookup::Missing(name.clone()),
    }
}

fn surplus_of(cluster: &Cluster, tenant: &Tenant) -> Surplus {
    let Some(entitlement) = tenant_ref(tenant).and_then(|tenant| cluster.entitlement(&tenant)) else {
        return Surplus::default();
    };
    let namespace = tenant.spec.namespace();
    let limits = entitlement.limits;
    Surplus {
        agents: limits
            .agents
            .map_or_else(Vec::new, |limit| surplus(&cluster.caches.agents.in_namespace(&namespace), limit)),
        channels: limits.channels.map_or_else(Vec::new, |limit| {
            surplus(&cluster.caches.connections.in_namespace(&namespace), limit)
        }),
    }
}

pub(super) fn tenant_id(tenant: &Tenant) -> Result<TenantId, Error> {
    tenant.uid().and_then(|uid| uid.parse().ok()).ok_or(Error::Incomplete("a UID"))
}

/// The namespace as the watch has seen it; else as the API server knows it, since only ours are watched.
pub(super) async fn find_namespace(cluster: &Cluster, slug: &Slug) -> Result<Option<Namespace>, Error> {
    let name = slug.namespace();
    if let Some(namespace) = cluster.caches.namespaces.get("", &name) {
        return Ok(Some((*namespace).clone()));
    }
    let api: Api<Namespace> = Api::all(cluster.client.clone());
    api.get_opt(&name).await.map_err(|error| Error::read::<Namespace>(&name, error))
}

/// Whoever has the namespace has the slug; while nobody has it, the oldest. Two that were made in the same second are
/// told apart by their UIDs, which must take nothing from the one that works already.
pub(super) fn slug_taken_by(
    tenant: &Tenant,
    namespace: Option<&Namespace>,
    all: &[Arc<Tenant>],
) -> Option<String> {
    let owner = namespace.and_then(owner);
    all.iter()
        .filter(|other| other.spec.slug == tenant.spec.slug && rank(other, owner) < rank(tenant, owner))
        .min_by(|one, other| rank(one, owner).cmp(&rank(other, owner)))
        .map(|other| other.name_any())
}

/// Smaller for those who go first to a slug whose namespace is `owner`'s.
fn rank(tenant: &Tenant, owner: Option<TenantId>) -> impl Ord + '_ {
    let has_it = owner.is_some() && tenant_id(tenant).ok() == owner;
    (!has_it, age(tenant))
}
