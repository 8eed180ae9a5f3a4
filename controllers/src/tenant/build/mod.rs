//! From a valid tenant to everything it is made of. Pure: one file for each child object.

mod limit_range;
mod namespace;
mod network_policies;
mod resource_quota;
mod role_binding;
pub(super) mod runtime_deployment;
mod runtime_secret;
mod service_account;

use std::marker::PhantomData;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{LimitRange, Namespace, ResourceQuota, Secret, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1::RoleBinding;
use konstruct_domain::snapshot::TenantSnapshot;

pub use runtime_secret::Credentials;

use runtime_deployment::Staff;

use super::validate::Validated;
use crate::settings::Settings;

/// Wanted.
#[derive(Debug)]
pub enum Prepared {}
/// There. Only `apply` turns what is wanted into what is there, so a status cannot describe a wish.
#[derive(Debug)]
pub enum Applied {}

/// The walls: what must stand before anything runs inside.
#[derive(Debug)]
pub struct Boundary<Stage> {
    pub namespace: Namespace,
    pub network_policies: Vec<NetworkPolicy>,
    pub resource_quota: ResourceQuota,
    pub limit_range: LimitRange,
    pub service_account: ServiceAccount,
    pub role_binding: RoleBinding,
    pub stage: PhantomData<Stage>,
}

/// What runs inside.
#[derive(Debug)]
pub struct Workload<Stage> {
    pub secret: Secret,
    pub deployment: Deployment,
    /// One for each agent that has a pod of its own.
    pub dedicated: Vec<Deployment>,
    pub stage: PhantomData<Stage>,
}

pub fn boundary(valid: &Validated, settings: &Settings) -> Boundary<Prepared> {
    let tenant = &valid.tenant;
    Boundary {
        namespace: namespace::build(tenant),
        network_policies: network_policies::build(tenant, &settings.network, &valid.egress),
        resource_quota: resource_quota::build(tenant, &valid.entitlement),
        limit_range: limit_range::build(tenant),
        service_account: service_account::build(tenant),
        role_binding: role_binding::build(tenant, settings),
        stage: PhantomData,
    }
}

pub fn workload(valid: &Validated, settings: &Settings, credentials: &Credentials) -> Workload<Prepared> {
    let secret = runtime_secret::build(&valid.tenant, settings, credentials);
    let hash = runtime_secret::hash(&secret);
    let deployment = |staff| runtime_deployment::build(valid, &settings.runtime, &hash, staff);
    Workload {
        deployment: deployment(Staff::Shared),
        dedicated: valid.dedicated.iter().map(|agent| deployment(Staff::Dedicated(agent))).collect(),
        secret,
        stage: PhantomData,
    }
}

pub fn snapshot(valid: &Validated) -> TenantSnapshot {
    TenantSnapshot {
        slug: valid.tenant.slug.clone(),
        display_name: valid.display_name.clone(),
        concurrent_turns: valid.entitlement.limits.concurrent_turns,
        tokens_per_month: valid.entitlement.limits.tokens_per_month,
        spend_per_month: valid.entitlement.limits.spend_per_month,
    }
}
