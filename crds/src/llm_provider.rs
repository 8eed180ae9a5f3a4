//! LLMProvider: where the models are.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::{self, Condition};
use crate::refs::SecretKeyRef;
use crate::scalars;

/// A source of models. In a tenant's namespace it is the tenant's own; in the operator's namespace it is shared
/// with the tenants that `allowedTenants` names.
#[derive(CustomResource, JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "konstruct.dev",
    version = "v1alpha1",
    kind = "LLMProvider",
    namespaced,
    doc = "A source of models. In a tenant's namespace it is the tenant's own; in the operator's namespace it is shared with the tenants that allowedTenants names.",
    status = "LLMProviderStatus",
    derive = "PartialEq",
    shortname = "kllm",
    category = "konstruct",
    validation = scalars::name_rule(),
    printcolumn = r#"{"name":"Models","type":"string","jsonPath":".spec.models"}"#
)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "(has(self.anthropic) ? 1 : 0) + (has(self.openai) ? 1 : 0) + (has(self.scripted) ? 1 : 0) == 1",
    "message": "set exactly one of anthropic, openai and scripted",
}, {
    "rule": "!has(self.prices) || self.prices.all(price, price.model in self.models)",
    "message": "prices names a model that models does not list",
}]))]
#[serde(rename_all = "camelCase")]
pub struct LLMProviderSpec {
    /// Anthropic's Messages API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anthropic: Option<Anthropic>,
    /// OpenAI's Chat Completions API or a compatible one: LiteLLM, Ollama, vLLM, llama.cpp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openai: Option<OpenAi>,
    /// Deterministic rules for demos and tests. Every answer says that it comes from a scripted demo model.
    /// The ai-gateway of a cluster refuses it unless it was started with a flag that allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scripted: Option<Scripted>,
    /// The models that agents may name.
    #[schemars(
        length(min = 1, max = 50),
        inner(length(min = 1, max = 200)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub models: Vec<String>,
    /// Those of the models that see pictures. The others are told in words that there was one. Absent: all with `anthropic`,
    /// none with the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "scalars::model_names")]
    pub image_models: Option<Vec<String>>,
    /// How long one try may take until the first byte of the answer.
    #[serde(default = "default_timeout_seconds")]
    #[schemars(with = "i32", range(min = 1, max = 120))]
    pub timeout_seconds: u16,
    /// What the models cost: each call is recorded with its cost, and counts for limits.spendPerMonth.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 50),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["model"])
    )]
    pub prices: Vec<ModelPrice>,
    /// Who may use a provider of the operator's namespace. Absent: nobody. Without effect in a tenant's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_tenants: Option<AllowedTenants>,
}

const fn default_timeout_seconds() -> u16 {
    30
}

/// The one endpoint that a valid provider has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Endpoint<'a> {
    Anthropic(&'a Anthropic),
    OpenAi(&'a OpenAi),
    Scripted(&'a Scripted),
}

impl LLMProviderSpec {
    /// None when not exactly one endpoint is set; the schema refuses that.
    pub fn endpoint(&self) -> Option<Endpoint<'_>> {
        match (&self.anthropic, &self.openai, &self.scripted) {
            (Some(anthropic), None, None) => Some(Endpoint::Anthropic(anthropic)),
            (None, Some(openai), None) => Some(Endpoint::OpenAi(openai)),
            (None, None, Some(scripted)) => Some(Endpoint::Scripted(scripted)),
            _ => None,
        }
    }
}

/// Anthropic's Messages API.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Anthropic {
    /// Address to which `/v1/messages` is appended.
    #[serde(default = "default_anthropic_url")]
    #[schemars(schema_with = "scalars::base_url")]
    pub base_url: String,
    /// The API key.
    pub api_key_ref: SecretKeyRef,
}

fn default_anthropic_url() -> String {
    "https://api.anthropic.com".to_owned()
}

/// OpenAI's Chat Completions API or a compatible one.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenAi {
    /// Address to which `/chat/completions` is appended.
    #[serde(default = "default_openai_url")]
    #[schemars(schema_with = "scalars::base_url")]
    pub base_url: String,
    /// The API key. A local server may need none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_ref: Option<SecretKeyRef>,
}

fn default_openai_url() -> String {
    "https://api.openai.com/v1".to_owned()
}

/// A scripted demo model.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scripted {
    /// The first rule that matches answers.
    #[schemars(length(min = 1, max = 50))]
    pub rules: Vec<ScriptedRule>,
}

/// One rule of a scripted model.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScriptedRule {
    /// A regular expression over the person's last message; absent matches everything.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500))]
    pub pattern: Option<String>,
    /// The reply. {{name}}, {{role}} and {{message}} are replaced.
    #[schemars(length(min = 1, max = 4000))]
    pub reply: String,
}

/// What a model costs, in the installation's currency.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelPrice {
    /// One of spec.models.
    #[schemars(length(min = 1, max = 200))]
    pub model: String,
    /// For a million tokens that it reads.
    #[schemars(schema_with = "scalars::money")]
    pub input_per_million: String,
    /// For a million tokens that it writes.
    #[schemars(schema_with = "scalars::money")]
    pub output_per_million: String,
}

/// Who may use a shared provider.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "(has(self.all) && self.all) != has(self.slugs)",
    "message": "set exactly one of all: true and slugs",
}]))]
#[serde(rename_all = "camelCase")]
pub struct AllowedTenants {
    /// Every tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<bool>,
    /// The tenants with these slugs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "scalars::slugs")]
    pub slugs: Option<Vec<String>>,
}

/// What the operator has made of the LLMProvider.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LLMProviderStatus {
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

conditions::impl_resource_status!(LLMProviderStatus: Ready, Reconciling, Stalled, CredentialsValid, Reachable, Loaded);
