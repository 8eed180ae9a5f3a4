//! What a container gets that asks for nothing. With a quota in place, the API server refuses such a pod otherwise.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{LimitRange, LimitRangeItem, LimitRangeSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::framework::names::TenantRef;

pub(super) fn build(tenant: &TenantRef) -> LimitRange {
    let item = LimitRangeItem {
        type_: "Container".to_owned(),
        default: Some(amounts("200m", "128Mi", "64Mi")),
        default_request: Some(amounts("10m", "32Mi", "16Mi")),
        ..LimitRangeItem::default()
    };
    LimitRange {
        metadata: tenant.child("konstruct-tenant"),
        spec: Some(LimitRangeSpec { limits: vec![item] }),
    }
}

fn amounts(cpu: &str, memory: &str, ephemeral_storage: &str) -> BTreeMap<String, Quantity> {
    BTreeMap::from([
        ("cpu".to_owned(), Quantity(cpu.to_owned())),
        ("memory".to_owned(), Quantity(memory.to_owned())),
        ("ephemeral-storage".to_owned(), Quantity(ephemeral_storage.to_owned())),
    ])
}
