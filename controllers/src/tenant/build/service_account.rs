//! Who the runtime is: the ai-gateway recognises it by a token of this account. It has no rights in Kubernetes.

use k8s_openapi::api::core::v1::ServiceAccount;

use crate::framework::names::{RUNTIME, TenantRef};

pub(super) fn build(tenant: &TenantRef) -> ServiceAccount {
    ServiceAccount {
        metadata: tenant.child(RUNTIME),
        // The one token that the runtime needs is projected, with an audience that the Kubernetes API refuses.
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}
