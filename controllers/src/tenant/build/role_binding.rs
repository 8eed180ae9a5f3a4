//! Lets the workload controller work inside this one namespace. It has no right to any Secret of the cluster otherwise.

use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};

use crate::framework::names::{OPERATOR_BINDING, TenantRef, WORKLOAD_CLUSTER_ROLE};
use crate::settings::Settings;

pub(super) fn build(tenant: &TenantRef, settings: &Settings) -> RoleBinding {
    RoleBinding {
        metadata: tenant.child(OPERATOR_BINDING),
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "ClusterRole".to_owned(),
            name: WORKLOAD_CLUSTER_ROLE.to_owned(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: settings.service_account.clone(),
            namespace: Some(settings.system_namespace.clone()),
            ..Subject::default()
        }]),
    }
}
