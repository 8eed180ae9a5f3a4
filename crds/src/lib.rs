//! The kinds of `konstruct.dev/v1alpha1`: what a user may write, what the API server refuses, what status says.
//!
//! The Rust types are the source; the YAML in `generated/` and the reference pages in `docs/` are made from them
//! by `cargo xtask generate`. Stored objects may come from a newer or an older version, so the types accept
//! unknown fields; [`admission::review`] refuses them in the way the API server does.

pub mod admission;
mod agent;
mod channel_connection;
pub mod conditions;
mod definitions;
mod egress;
mod llm_provider;
mod plan;
mod reason;
mod refs;
mod scalars;
mod tenant;

pub use agent::{Agent, AgentSpec, AgentState, AgentStatus, Isolation, Memory, ModelEntry};
pub use channel_connection::{
    BusinessHours, Channel, ChannelConnection, ChannelConnectionSpec, ChannelConnectionStatus, Slack,
    SlackSocketMode, Telegram, TelegramMode, TemplatePlace, TemplateValue, WebChat, Weekday, WhatsApp,
    WhatsAppTemplate, WhatsAppTemplateParameter,
};
pub use conditions::{Condition, ConditionStatus, ConditionType, ResourceStatus};
pub use definitions::{UnprintableDefinition, all, file_name, to_yaml, yaml};
pub use egress::EgressDestination;
pub use llm_provider::{
    AllowedTenants, Anthropic, Endpoint, LLMProvider, LLMProviderSpec, LLMProviderStatus, ModelPrice, OpenAi,
    Scripted, ScriptedRule,
};
pub use plan::{Limits, Plan, PlanSpec, Quota, RuntimeSize};
pub use reason::{Reason, UnknownReason};
pub use refs::SecretKeyRef;
pub use tenant::{
    DeletionPolicy, Scheduling, TaintEffect, Tenant, TenantSpec, TenantState, TenantStatus, Toleration,
};

/// The API group of all kinds.
pub const GROUP: &str = "konstruct.dev";
/// The one version there is.
pub const VERSION: &str = "v1alpha1";
/// The `apiVersion` of manifests.
pub const API_VERSION: &str = "konstruct.dev/v1alpha1";
