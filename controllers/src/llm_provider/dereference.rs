//! What an LLMProvider refers to: the Secret of its API key.

use konstruct_crds::{LLMProvider, SecretKeyRef};
use konstruct_domain::snapshot::SecretField;

use crate::framework::cache::namespace_of;
use crate::framework::secrets::{self, SecretLookup};
use crate::{Context, Error};

#[derive(Clone, Debug)]
pub struct Dereferenced {
    /// In the operator's namespace: offered to the tenants that `allowedTenants` names.
    pub shared: bool,
    /// What stands behind the key's reference; None when the spec names none.
    pub api_key: Option<SecretLookup>,
}

/// The reference to the API key, with its field.
pub fn api_key_ref(provider: &LLMProvider) -> Option<(&'static str, &SecretKeyRef)> {
    let spec = &provider.spec;
    let anthropic =
        spec.anthropic.as_ref().map(|endpoint| ("spec.anthropic.apiKeyRef", &endpoint.api_key_ref));
    let openai = || {
        let reference = spec.openai.as_ref()?.api_key_ref.as_ref()?;
        Some(("spec.openai.apiKeyRef", reference))
    };
    anthropic.or_else(openai)
}

pub(super) async fn dereference(
    context: &Context,
    provider: &LLMProvider,
    shared: bool,
) -> Result<Dereferenced, Error> {
    let namespace = namespace_of(provider);
    let api_key = match api_key_ref(provider) {
        None => None,
        Some((_, reference)) => {
            let keyring = context.store.keyring();
            Some(
                secrets::read(&context.client, keyring, namespace, SecretField::ProviderApiKey, reference)
                    .await?,
            )
        }
    };
    Ok(Dereferenced { shared, api_key })
}
