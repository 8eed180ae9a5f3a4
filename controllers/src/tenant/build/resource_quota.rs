//! What the namespace may use in total.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ResourceQuota, ResourceQuotaSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::framework::names::TenantRef;
use crate::tenant::entitlement::{Entitlement, FullQuota, TenantLimits};

/// What nobody in a tenant's namespace needs: a way in from outside, a disk.
const NOTHING: [&str; 4] =
    ["services", "services.loadbalancers", "services.nodeports", "persistentvolumeclaims"];
/// The runtime's, the default one, and room for one of a mesh or a tool.
const SERVICE_ACCOUNTS: &str = "5";

pub(super) fn build(tenant: &TenantRef, entitlement: &Entitlement) -> ResourceQuota {
    let FullQuota { pods, cpu, memory, ephemeral_storage, secrets, config_maps } = &entitlement.quota;
    // The other limits are the data plane's to enforce.
    let TenantLimits {
        agents,
        channels,
        concurrent_turns: _,
        tokens_per_month: _,
        messages_per_minute: _,
        spend_per_month: _,
        seats: _,
    } = entitlement.limits;
    let mut hard = BTreeMap::from([
        ("pods", pods.to_string()),
        ("requests.cpu", cpu.clone()),
        ("limits.cpu", cpu.clone()),
        ("requests.memory", memory.clone()),
        ("limits.memory", memory.clone()),
        ("requests.ephemeral-storage", ephemeral_storage.clone()),
        ("limits.ephemeral-storage", ephemeral_storage.clone()),
        ("secrets", secrets.to_string()),
        ("configmaps", config_maps.to_string()),
        ("count/serviceaccounts", SERVICE_ACCOUNTS.to_owned()),
    ]);
    hard.extend(NOTHING.map(|what| (what, "0".to_owned())));
    let counted =
        [("count/agents.konstruct.dev", agents), ("count/channelconnections.konstruct.dev", channels)];
    hard.extend(counted.into_iter().filter_map(|(what, limit)| Some((what, limit?.to_string()))));
    let hard = hard.into_iter().map(|(name, amount)| (name.to_owned(), Quantity(amount))).collect();
    ResourceQuota {
        metadata: tenant.child("konstruct-tenant"),
        spec: Some(ResourceQuotaSpec { hard: Some(hard), ..ResourceQuotaSpec::default() }),
        ..ResourceQuota::default()
    }
}
