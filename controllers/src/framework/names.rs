//! Names, labels and annotations that we put on objects of the cluster, and the field managers that own our fields.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use konstruct_domain::{Slug, TenantId};

/// On every object we make: how our watches find them.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
pub const MANAGED_BY_US: &str = "konstruct";
/// The same, as a selector.
pub const MANAGED_SELECTOR: &str = "app.kubernetes.io/managed-by=konstruct";
/// The slug of the tenant an object belongs to.
pub const TENANT_LABEL: &str = "konstruct.dev/tenant";
/// On the namespace: the UID of the Tenant it was made for. The only proof of ownership.
pub const TENANT_UID: &str = "konstruct.dev/tenant-uid";
/// The Tenant object's name, so that a child's event finds its tenant without a search.
pub const TENANT_NAME: &str = "konstruct.dev/tenant-name";
/// Hash of what we last asked for. A field that we no longer ask for shows in it and nowhere else.
pub const APPLIED_HASH: &str = "konstruct.dev/applied-hash";
/// On the runtime's pods: hash of the Secret's content, so that a changed password restarts them.
pub const SECRET_HASH: &str = "konstruct.dev/secret-hash";
/// On the policy of a tenant's extra egress: the addresses that were found for each host.
pub const RESOLVED_HOSTS: &str = "konstruct.dev/resolved-hosts";
/// Holds an object until what it made outside the cluster is gone.
pub const FINALIZER: &str = "konstruct.dev/cleanup";

/// ServiceAccount, Secret and Deployment of a tenant's runtime. The ai-gateway knows a runtime by this account.
pub const RUNTIME: &str = "konstruct-runtime";
/// The RoleBinding that lets the operator work inside one tenant's namespace, and the ClusterRole it binds.
pub const OPERATOR_BINDING: &str = "konstruct-operator";
pub const WORKLOAD_CLUSTER_ROLE: &str = "konstruct-tenant-workload";

/// Whom a child belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRef {
    /// The Tenant object's name, which is not its slug.
    pub name: String,
    pub id: TenantId,
    pub slug: Slug,
}

impl TenantRef {
    pub fn namespace(&self) -> String {
        self.slug.namespace()
    }

    pub fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (MANAGED_BY.to_owned(), MANAGED_BY_US.to_owned()),
            (TENANT_LABEL.to_owned(), self.slug.to_string()),
        ])
    }

    /// Metadata of a child in the tenant's namespace.
    pub fn child(&self, name: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(self.namespace()),
            labels: Some(self.labels()),
            annotations: Some(BTreeMap::from([(TENANT_NAME.to_owned(), self.name.clone())])),
            ..ObjectMeta::default()
        }
    }
}

/// Labels of the runtime's pods: what the Deployment selects and the network policies name.
pub fn runtime_labels() -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), "konstruct".to_owned()),
        ("app.kubernetes.io/component".to_owned(), "runtime".to_owned()),
    ])
}
