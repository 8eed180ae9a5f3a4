//! From a valid provider to its snapshot. Pure.

use konstruct_domain::snapshot::{ProviderEndpoint, ProviderSnapshot, SecretField};
use secrecy::SecretString;

use super::validate::{ValidEndpoint, Validated};
use crate::framework::secrets::ResolvedSecret;

pub fn snapshot(provider: &Validated) -> ProviderSnapshot {
    let endpoint = match &provider.endpoint {
        ValidEndpoint::Anthropic { base_url, api_key } => {
            ProviderEndpoint::Anthropic { base_url: base_url.clone(), api_key: api_key.reference() }
        }
        ValidEndpoint::OpenAi { base_url, api_key } => ProviderEndpoint::OpenAi {
            base_url: base_url.clone(),
            api_key: api_key.as_ref().map(ResolvedSecret::reference),
        },
        ValidEndpoint::Scripted { rules } => ProviderEndpoint::Scripted { rules: rules.clone() },
    };
    ProviderSnapshot {
        name: provider.name.clone(),
        endpoint,
        models: provider.models.clone(),
        image_models: provider.image_models.clone(),
        timeout_seconds: provider.timeout_seconds,
        allowed_tenants: provider.allowed_tenants.clone(),
        prices: provider.prices.clone(),
    }
}

/// The secret values that the snapshot names.
pub fn secrets(provider: &Validated) -> Vec<(SecretField, SecretString)> {
    let api_key = match &provider.endpoint {
        ValidEndpoint::Anthropic { api_key, .. } => Some(api_key),
        ValidEndpoint::OpenAi { api_key, .. } => api_key.as_ref(),
        ValidEndpoint::Scripted { .. } => None,
    };
    api_key.map(ResolvedSecret::stored).into_iter().collect()
}
