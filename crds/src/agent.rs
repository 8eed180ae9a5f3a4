//! Agent: one AI employee.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::{self, Condition};
use crate::scalars;

/// An AI employee of the tenant in whose namespace it lives. It always says that it is an AI when asked.
#[derive(CustomResource, JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "konstruct.dev",
    version = "v1alpha1",
    kind = "Agent",
    namespaced,
    doc = "An AI employee of the tenant in whose namespace it lives. It always says that it is an AI when asked.",
    status = "AgentStatus",
    derive = "PartialEq",
    shortname = "kagent",
    category = "konstruct",
    validation = scalars::name_rule(),
    printcolumn = r#"{"name":"Display name","type":"string","jsonPath":".spec.displayName"}"#,
    printcolumn = r#"{"name":"Model","type":"string","jsonPath":".status.conditions[?(@.type==\"ModelAvailable\")].reason"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct AgentSpec {
    /// The name under which the employee introduces itself.
    #[schemars(length(min = 1, max = 80))]
    pub display_name: String,
    /// What the employee is, in a few words: "support engineer".
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub role: String,
    /// How the employee speaks and behaves.
    #[serde(default)]
    #[schemars(length(max = 4000))]
    pub persona: String,
    /// What the employee does, knows and must not do.
    #[serde(default)]
    #[schemars(length(max = 32000))]
    pub instructions: String,
    /// What the employee does for the business, in a few words: "customer support", "table bookings". WhatsApp is open
    /// to employees with a business function only: its terms forbid general assistants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 200))]
    pub business_function: Option<String>,
    /// Models in the order in which they are tried. The next one is asked when a provider cannot be reached,
    /// takes too long or answers 408, 429 or 5xx.
    #[schemars(length(min = 1, max = 5))]
    pub models: Vec<ModelEntry>,
    /// What the employee remembers of a conversation.
    #[serde(default)]
    pub memory: Memory,
    /// Whether the employee shares the tenant's pod or has one of its own. Messages wait while it moves.
    #[serde(default)]
    pub isolation: Isolation,
    /// Whether the employee works.
    #[serde(default)]
    pub state: AgentState,
}

/// Whether an employee works.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentState {
    /// It does.
    #[default]
    Active,
    /// It answers nobody. Messages are kept and answered later; each sender is told so once.
    Paused,
}

/// Where an employee runs.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Isolation {
    /// In the tenant's pod, with the other employees.
    #[default]
    Shared,
    /// In a pod of its own, as large as the tenant's. It counts against the namespace's quota.
    Dedicated,
}

/// One model of an agent's chain.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelEntry {
    /// Name of an LLMProvider in the same namespace, else of a shared one that allows this tenant.
    #[schemars(schema_with = "scalars::object_name")]
    pub provider: String,
    /// One of the provider's models.
    #[schemars(length(min = 1, max = 200))]
    pub model: String,
    /// Upper limit of one answer, in tokens.
    #[serde(default = "default_max_output_tokens")]
    #[schemars(with = "i32", range(min = 1, max = 32768))]
    pub max_output_tokens: u32,
    /// Sampling temperature in thousandths; absent leaves the model's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i32>", range(min = 0, max = 2000))]
    pub temperature_milli: Option<u16>,
}

const fn default_max_output_tokens() -> u32 {
    1024
}

/// What an employee remembers.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Memory {
    /// How many earlier messages of the conversation the model sees.
    #[schemars(with = "i32", range(min = 0, max = 200))]
    pub window_messages: u16,
}

impl Default for Memory {
    fn default() -> Self {
        Self { window_messages: 30 }
    }
}

/// What the operator has made of the Agent.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AgentStatus {
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
    /// The compiled revision that was published last. It serves until a newer one compiles.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub revision: Option<String>,
}

conditions::impl_resource_status!(AgentStatus: Ready, Reconciling, Stalled, ResolvedRefs, Loaded, ModelAvailable);
