//! Tenant: one customer with a namespace, a database role and a runtime of its own.

use std::collections::BTreeMap;

use konstruct_domain::ids::NAMESPACE_PREFIX;
use kube::CustomResource;
use kube::core::Rule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::{self, Condition};
use crate::egress::EgressDestination;
use crate::plan::{Limits, Quota};
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
    validation = legal_hold_rule(),
    printcolumn = r#"{"name":"Slug","type":"string","jsonPath":".spec.slug"}"#,
    printcolumn = r#"{"name":"Plan","type":"string","jsonPath":".spec.plan"}"#,
    printcolumn = r#"{"name":"State","type":"string","jsonPath":".spec.state"}"#,
    printcolumn = r#"{"name":"Within plan","type":"string","jsonPath":".status.conditions[?(@.type==\"WithinPlan\")].status"}"#,
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
    /// E-mail addresses of the people who administer the tenant, the most important ones first. Each takes one of the
    /// plan's seats.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "scalars::email_addresses")]
    pub admins: Vec<String>,
    /// The Plan that says what the tenant may have. Absent: not limited but by the fields below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "scalars::object_name")]
    pub plan: Option<String>,
    /// Whether its employees work.
    #[serde(default)]
    pub state: TenantState,
    /// What happens to conversations, usage and audit when the Tenant is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// Nothing that was said may be destroyed: forbids `deletionPolicy: Delete`.
    #[serde(default)]
    pub legal_hold: bool,
    /// Narrower limits than the plan's.
    #[serde(default)]
    pub limits: Limits,
    /// What the tenant's namespace may use in total, narrower than the plan's.
    #[serde(default)]
    pub quota: Quota,
    /// Lets `limits` and `quota` go above the plan. Only those with the verb `exceed` on the Plan may set it.
    #[serde(default)]
    pub exceed_plan: bool,
    /// Where the tenant's pods run.
    #[serde(default)]
    pub scheduling: Scheduling,
    /// Destinations outside the platform that the tenant's pods may reach. Private addresses are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub extra_egress: Vec<EgressDestination>,
}

impl TenantSpec {
    /// The tenant's namespace, whether or not the slug is valid.
    pub fn namespace(&self) -> String {
        format!("{NAMESPACE_PREFIX}{}", self.slug)
    }
}

/// Whether a tenant's employees work.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TenantState {
    /// They do.
    #[default]
    Active,
    /// Nothing runs. Messages are kept and answered later; each sender is told so once.
    Suspended,
    /// Nothing runs and nothing is taken in. Everything that was said is kept.
    Archived,
}

/// What happens to a deleted tenant's data.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeletionPolicy {
    /// Conversations, usage and audit stay in PostgreSQL until `konstruct retained erase`. Secrets and logins go.
    #[default]
    Retain,
    /// Everything goes.
    Delete,
}

/// Where pods run, in the words of a pod's own spec.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Scheduling {
    /// A RuntimeClass, such as a sandboxed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "scalars::dns_subdomain")]
    pub runtime_class_name: Option<String>,
    /// Labels that a node must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "scalars::node_selector")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that the pods bear.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub tolerations: Vec<Toleration>,
}

/// A taint that pods bear.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toleration {
    /// The taint's key.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// The taint's value. Absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub value: Option<String>,
    /// Absent: any effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
}

/// What a taint does to pods that do not bear it.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaintEffect {
    NoSchedule,
    PreferNoSchedule,
    NoExecute,
}

impl TaintEffect {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }
}

fn legal_hold_rule() -> Rule {
    Rule::new("!(self.spec.legalHold && self.spec.deletionPolicy == 'Delete')")
        .message("a tenant under legalHold keeps its data: set deletionPolicy to Retain")
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

conditions::impl_resource_status!(TenantStatus: Ready, Reconciling, Stalled, NamespaceReady, DatabaseReady, CacheReady, RuntimeReady, EgressResolved, WithinPlan, IsolationVerified);
