//! What the namespace may use in total.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ResourceQuota, ResourceQuotaSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use konstruct_crds::Quota;

use crate::framework::names::TenantRef;

pub(super) fn build(tenant: &TenantRef, quota: &Quota) -> ResourceQuota {
    let Quota { pods, cpu, memory } = quota;
    let hard = [
        ("pods", pods.to_string()),
        ("requests.cpu", cpu.clone()),
        ("limits.cpu", cpu.clone()),
        ("requests.memory", memory.clone()),
        ("limits.memory", memory.clone()),
    ];
    let hard: BTreeMap<String, Quantity> =
        hard.into_iter().map(|(name, amount)| (name.to_owned(), Quantity(amount))).collect();
    ResourceQuota {
        metadata: tenant.child("konstruct-tenant"),
        spec: Some(ResourceQuotaSpec { hard: Some(hard), ..ResourceQuotaSpec::default() }),
        ..ResourceQuota::default()
    }
}
