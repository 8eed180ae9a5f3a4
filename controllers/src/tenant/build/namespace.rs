//! The tenant's namespace. Its labels are security controls: whoever may change them decides what may run in it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::ObjectMeta;

use crate::framework::names::{TENANT_NAME, TENANT_UID, TenantRef};
use crate::settings::POD_SECURITY_VERSION;

pub(super) fn build(tenant: &TenantRef) -> Namespace {
    let mut labels = tenant.labels();
    for mode in ["enforce", "audit", "warn"] {
        labels.insert(format!("pod-security.kubernetes.io/{mode}"), "restricted".to_owned());
        labels.insert(format!("pod-security.kubernetes.io/{mode}-version"), POD_SECURITY_VERSION.to_owned());
    }
    // No owner reference to the Tenant: the garbage collector would remove the walls in any order. The finalizer
    // takes them down after what runs inside.
    Namespace {
        metadata: ObjectMeta {
            name: Some(tenant.namespace()),
            labels: Some(labels),
            annotations: Some(BTreeMap::from([
                (TENANT_UID.to_owned(), tenant.id.to_string()),
                (TENANT_NAME.to_owned(), tenant.name.clone()),
            ])),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    }
}
