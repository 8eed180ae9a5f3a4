//! Tenant: one customer with a namespace, a database role and a runtime of its own.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::{self, Condition};
use crate::scalars;

/// A customer. The operator gives it the namespace `kt-<slug>` with quota, network policies, a PostgreSQL role,
/// a Redis user and one runtime.
#[derive(CustomResource, JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "konstruct.dev",
    version = "v1alpha1",
    kind = "Tenant",
    doc = "A customer. The operator gives it the namespace kt-<slug> with quota, network policies, a PostgreSQL role, a Redis user and one runtime.",
    status = "TenantStatus",
    derive = "PartialEq",
    shortname = "kt",
    category = "konstruct",
    printcolumn = r#"{"name":"Slug","type":"string","jsonPath":".spec.slug"}"#,
    printcolumn = r#"{"name":"Namespace","type":"string","jsonPath":".status.namespace","priority":1}"#
)]
#[serde(rename_all = "camelCase")]
pub struct TenantSpec {
    /// The customer's name as people read it. The employees introduce themselves with it.
    #[schemars(length(min = 1, max = 120))]
    pub display_name: String,
    /// Short name from which the names of everything the tenant owns are derived. Never changes.
    #[schemars(schema_with = "scalars::immutable_slug")]
    pub slug: String,
    /// What the tenant's namespace may use in total.
    #[serde(default)]
    pub quota: Quota,
}

/// The ResourceQuota of the tenant's namespace.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Quota {
    /// Pods at one time. The runtime is one.
    #[schemars(with = "i32", range(min = 1, max = 1000))]
    pub pods: u16,
    /// CPU, as limit and as request.
    #[schemars(schema_with = "scalars::quantity")]
    pub cpu: String,
    /// Memory, as limit and as request.
    #[schemars(schema_with = "scalars::quantity")]
    pub memory: String,
}

impl Default for Quota {
    fn default() -> Self {
        Self { pods: 10, cpu: "2".to_owned(), memory: "2Gi".to_owned() }
    }
}

/// What the operator has made of the Tenant.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TenantStatus {
    /// The generation that this status describes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What is true of the object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,
    /// The compiled revision that was published last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub revision: Option<String>,
    /// The tenant's namespace, once it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
}

conditions::impl_resource_status!(TenantStatus: Ready, Reconciling, Stalled, NamespaceReady, DatabaseReady, CacheReady, RuntimeReady, IsolationVerified);
