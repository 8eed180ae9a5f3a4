//! A real model where there is one: a key in the environment or a local Ollama.
//!
//! It becomes a shared LLMProvider, and goes to the head of the chain of every agent that has scripted providers
//! only. An agent whose manifest names a real provider keeps its chain as it is.

use std::collections::BTreeMap;
use std::env;
use std::time::Duration;

use konstruct_domain::ids::ProviderName;
use konstruct_domain::snapshot::{
    AgentSnapshot, AllowedTenants, ModelChoice, ProviderEndpoint, ProviderOwner, ProviderSnapshot,
    SecretField, SecretVersion,
};
use konstruct_store::{KeyError, Keyring};
use secrecy::SecretString;
use serde_json::Value;

const OLLAMA: &str = "http://127.0.0.1:11434";
const OLLAMA_PATIENCE: Duration = Duration::from_millis(300);
/// A model on the machine's own processor takes its time to load.
const TIMEOUT_SECONDS: u16 = 120;
/// Names the model to use instead of the default below.
const MODEL_VARIABLE: &str = "KONSTRUCT_DEV_MODEL";
/// As a value of it: leave every agent with the models of its manifest.
const SCRIPTED: &str = "scripted";
const ANTHROPIC_MODEL: &str = "claude-haiku-4-5";
const OPENAI_MODEL: &str = "gpt-4.1-mini";

/// A model found on this machine.
pub(crate) struct FoundModel {
    pub(crate) model: String,
    pub(crate) from: &'static str,
    provider: ProviderName,
    endpoint: Endpoint,
}

enum Endpoint {
    Anthropic { base_url: String, key: SecretString },
    OpenAi { base_url: String, key: Option<SecretString> },
}

/// Looks into the environment, then for Ollama.
pub(crate) async fn find() -> Option<FoundModel> {
    let wanted = variable(MODEL_VARIABLE);
    if wanted.as_deref() == Some(SCRIPTED) {
        return None;
    }
    if let Some(key) = variable("ANTHROPIC_API_KEY") {
        let base_url =
            variable("ANTHROPIC_BASE_URL").unwrap_or_else(|| "https://api.anthropic.com".to_owned());
        let endpoint = Endpoint::Anthropic { base_url, key: key.into() };
        let model = wanted.unwrap_or_else(|| ANTHROPIC_MODEL.to_owned());
        return found("dev-anthropic", "ANTHROPIC_API_KEY", model, endpoint);
    }
    if let Some(key) = variable("OPENAI_API_KEY") {
        let base_url = variable("OPENAI_BASE_URL").unwrap_or_else(|| "https://api.openai.com/v1".to_owned());
        let endpoint = Endpoint::OpenAi { base_url, key: Some(key.into()) };
        let model = wanted.unwrap_or_else(|| OPENAI_MODEL.to_owned());
        return found("dev-openai", "OPENAI_API_KEY", model, endpoint);
    }
    let installed = ollama_model().await?;
    FoundModel::ollama(wanted.unwrap_or(installed))
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn found(provider: &str, from: &'static str, model: String, endpoint: Endpoint) -> Option<FoundModel> {
    Some(FoundModel { model, from, provider: provider.parse().ok()?, endpoint })
}

/// The first model of a local Ollama.
async fn ollama_model() -> Option<String> {
    let http = reqwest::Client::builder().no_proxy().timeout(OLLAMA_PATIENCE).build().ok()?;
    let tags: Value = http.get(format!("{OLLAMA}/api/tags")).send().await.ok()?.json().await.ok()?;
    tags["models"][0]["name"].as_str().map(str::to_owned)
}

impl FoundModel {
    pub(super) fn ollama(model: String) -> Option<Self> {
        found("dev-ollama", "Ollama", model, Endpoint::OpenAi { base_url: format!("{OLLAMA}/v1"), key: None })
    }

    pub(crate) fn name(&self) -> &ProviderName {
        &self.provider
    }

    /// What to publish among the platform's providers.
    pub(crate) fn snapshot(
        &self,
        keyring: &Keyring,
    ) -> Result<(ProviderSnapshot, Vec<(SecretField, SecretString)>), KeyError> {
        let (endpoint, secrets) = match &self.endpoint {
            Endpoint::Anthropic { base_url, key } => {
                let api_key = version_of(keyring, key)?;
                let endpoint = ProviderEndpoint::Anthropic { base_url: base_url.clone(), api_key };
                (endpoint, vec![(SecretField::ProviderApiKey, key.clone())])
            }
            Endpoint::OpenAi { base_url, key } => {
                let api_key = key.as_ref().map(|key| version_of(keyring, key)).transpose()?;
                let endpoint = ProviderEndpoint::OpenAi { base_url: base_url.clone(), api_key };
                (endpoint, key.iter().map(|key| (SecretField::ProviderApiKey, key.clone())).collect())
            }
        };
        let snapshot = ProviderSnapshot {
            name: self.provider.clone(),
            endpoint,
            models: vec![self.model.clone()],
            image_models: self.sees_pictures().then(|| self.model.clone()).into_iter().collect(),
            timeout_seconds: TIMEOUT_SECONDS,
            allowed_tenants: AllowedTenants::All,
            prices: BTreeMap::new(),
        };
        Ok((snapshot, secrets))
    }

    /// As far as its maker is known for that; a local one may not.
    fn sees_pictures(&self) -> bool {
        match &self.endpoint {
            Endpoint::Anthropic { .. } => true,
            Endpoint::OpenAi { base_url, .. } => base_url.starts_with("https://api.openai.com"),
        }
    }

    /// Puts the model before an agent's scripted ones.
    pub(crate) fn lead(&self, agent: &mut AgentSnapshot) {
        let choice = ModelChoice {
            provider: self.provider.clone(),
            owner: ProviderOwner::Platform,
            model: self.model.clone(),
            max_output_tokens: agent.models.first().map_or(1024, |first| first.max_output_tokens),
            temperature_milli: None,
        };
        agent.models.insert(0, choice);
    }
}

fn version_of(keyring: &Keyring, key: &SecretString) -> Result<SecretVersion, KeyError> {
    let field = SecretField::ProviderApiKey;
    Ok(SecretVersion { field, version: keyring.fingerprint(field.purpose(), key)? })
}
