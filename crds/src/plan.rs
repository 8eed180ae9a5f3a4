//! Plan: what the tenants on it may have. Changing it changes all of them.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalars;

/// What tenants may have: a Tenant names its Plan, and may be narrowed below it but not widened.
///
/// It has no status: what a Plan does shows on the Tenants that name it.
#[derive(CustomResource, JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "konstruct.dev",
    version = "v1alpha1",
    kind = "Plan",
    doc = "What tenants may have: a Tenant names its Plan, and may be narrowed below it but not widened.",
    derive = "PartialEq",
    shortname = "kplan",
    category = "konstruct",
    validation = scalars::name_rule(),
    printcolumn = r#"{"name":"Agents","type":"integer","jsonPath":".spec.limits.agents"}"#,
    printcolumn = r#"{"name":"Channels","type":"integer","jsonPath":".spec.limits.channels"}"#,
    printcolumn = r#"{"name":"Tokens","type":"integer","jsonPath":".spec.limits.tokensPerMonth"}"#,
    printcolumn = r#"{"name":"Spend","type":"string","jsonPath":".spec.limits.spendPerMonth"}"#,
    printcolumn = r#"{"name":"CPU","type":"string","jsonPath":".spec.quota.cpu"}"#,
    printcolumn = r#"{"name":"Memory","type":"string","jsonPath":".spec.quota.memory"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct PlanSpec {
    /// How much of each thing a tenant may have. What is absent is not limited.
    #[serde(default)]
    pub limits: Limits,
    /// What a tenant's namespace may use in total. What is absent has the installation's default.
    #[serde(default)]
    pub quota: Quota,
    /// What a tenant's runtime pod may use. Absent: as the operator's settings say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<RuntimeSize>,
}

/// Counts that the operator and the data plane enforce.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Limits {
    /// Agents. The oldest ones run; further ones are refused, and those above a lowered limit stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i32>", range(min = 0, max = 10000))]
    pub agents: Option<u16>,
    /// ChannelConnections, by the same rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i32>", range(min = 0, max = 10000))]
    pub channels: Option<u16>,
    /// People in the Tenant's `admins`. The first ones named have a seat; the others are named in its condition
    /// `WithinPlan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i32>", range(min = 0, max = 10000))]
    pub seats: Option<u16>,
    /// Turns that the tenant's runtime works on at one time. Further conversations wait for their turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i32>", range(min = 1, max = 256))]
    pub concurrent_turns: Option<u16>,
    /// Tokens that models read and write for the tenant in a calendar month (UTC), whoever pays them. When they are used
    /// up, no model is asked; people are told so, and from which day on there are answers again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i64>", range(min = 0, max = 1_000_000_000_000_u64))]
    pub tokens_per_month: Option<u64>,
    /// Messages that all channels of the tenant together take in a minute. A minute's worth may come at once. Who is above
    /// it is told once when it resets, and the message is not taken in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i32>", range(min = 1, max = 1_000_000))]
    pub messages_per_minute: Option<u32>,
    /// What these tokens may cost in the month, at the prices that the LLMProviders state, in the installation's currency.
    /// A model without a price costs nothing. Spent money has the same effect as used up tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "scalars::money")]
    pub spend_per_month: Option<String>,
}

/// The ResourceQuota of a tenant's namespace.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Quota {
    /// Pods at one time. The runtime is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i32>", range(min = 1, max = 1000))]
    pub pods: Option<u16>,
    /// CPU, as limit and as request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "scalars::quantity")]
    pub cpu: Option<String>,
    /// Memory, as limit and as request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "scalars::quantity")]
    pub memory: Option<String>,
    /// Local disk, as limit and as request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "scalars::quantity")]
    pub ephemeral_storage: Option<String>,
    /// Secrets. The runtime has one; each channel and provider has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i32>", range(min = 1, max = 10000))]
    pub secrets: Option<u16>,
    /// ConfigMaps. Kubernetes itself makes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i32>", range(min = 1, max = 10000))]
    pub config_maps: Option<u16>,
}

/// Limits of the runtime's container.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeSize {
    /// CPU.
    #[schemars(schema_with = "scalars::quantity")]
    pub cpu: String,
    /// Memory.
    #[schemars(schema_with = "scalars::quantity")]
    pub memory: String,
}
