//! A provider as it was loaded: ready to be called, or with the reason why it is not.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use konstruct_domain::money::Price;
use konstruct_domain::observation::{Condition, Observation};
use konstruct_domain::revision::Revision;
use konstruct_domain::snapshot::{ProviderEndpoint, ProviderSnapshot, SecretVersion};
use konstruct_domain::{Kind, TenantId};
use konstruct_llm::{HttpClient, Invalid, Provider};
use konstruct_store::{Error, Store, Versioned};

#[derive(Debug)]
pub(crate) struct LoadedProvider {
    pub(crate) owner: TenantId,
    pub(crate) revision: Revision,
    pub(crate) snapshot: ProviderSnapshot,
    pub(crate) state: Result<Provider, Unusable>,
    /// What was last reported about it, to report only news.
    reported: Mutex<HashMap<Condition, Observation>>,
}

/// Why a provider cannot be called at all. The text says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("spec: {0}")]
    Invalid(#[from] Invalid),
    #[error(
        "the stored API key cannot be decrypted: run the operator and the ai-gateway with the same provider key file, \
         then touch the Secret"
    )]
    KeyUnreadable,
    #[error(
        "scripted models are not allowed here: use a provider of the type anthropic or openai, or start the \
         ai-gateway with --allow-scripted-models"
    )]
    ScriptedNotAllowed,
}

impl LoadedProvider {
    /// Fails only when the database does.
    pub(super) async fn load(
        owner: TenantId,
        head: Versioned<ProviderSnapshot>,
        store: &Store,
        http: &HttpClient,
        allow_scripted: bool,
    ) -> Result<Self, Error> {
        let state = build(owner, &head, store, http, allow_scripted).await?;
        if let Err(unusable) = &state {
            tracing::warn!(tenant = %owner, provider = head.name, %unusable, "a provider cannot be used");
        }
        let (revision, snapshot) = (head.revision, head.snapshot);
        Ok(Self { owner, revision, snapshot, state, reported: Mutex::default() })
    }

    /// Whether the ai-gateway has this revision, be it to use it or to refuse it for good.
    pub(super) fn is_loaded(&self) -> bool {
        !matches!(self.state, Err(Unusable::KeyUnreadable))
    }

    pub(crate) fn price(&self, model: &str) -> Option<Price> {
        self.snapshot.prices.get(model).copied()
    }

    pub(crate) fn has_key(&self) -> bool {
        key_of(&self.snapshot.endpoint).is_some()
    }

    /// The longest wait for the first byte of an answer, and for each further one.
    pub(crate) fn wait(&self) -> Duration {
        Duration::from_secs(self.snapshot.timeout_seconds.max(1).into())
    }

    /// Whether this observation has not been reported yet. Asking counts as reporting.
    pub(crate) fn is_news(&self, observation: &Observation) -> bool {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let news = reported.get(&observation.condition) != Some(observation);
        if news {
            reported.insert(observation.condition, observation.clone());
        }
        news
    }

    /// Takes a report back that did not get through.
    pub(crate) fn forget(&self, condition: Condition) {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner).remove(&condition);
    }

    /// Whether the last thing that was seen of it was a fault.
    pub(crate) fn is_failing(&self) -> bool {
        let reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        reported.values().any(|observation| !observation.ok)
    }
}

async fn build(
    owner: TenantId,
    head: &Versioned<ProviderSnapshot>,
    store: &Store,
    http: &HttpClient,
    allow_scripted: bool,
) -> Result<Result<Provider, Unusable>, Error> {
    let endpoint = &head.snapshot.endpoint;
    if matches!(endpoint, ProviderEndpoint::Scripted { .. }) && !allow_scripted {
        return Ok(Err(Unusable::ScriptedNotAllowed));
    }
    let key = match key_of(endpoint) {
        None => None,
        Some(version) => match store.reveal(owner, Kind::LLMProvider, &head.name, version).await {
            Ok(key) => Some(key),
            Err(error) if error.is_unavailable() => return Err(error),
            // When a newer version has just replaced it, the signal for that one is on its way.
            Err(_) => return Ok(Err(Unusable::KeyUnreadable)),
        },
    };
    Ok(Provider::new(endpoint, key.as_ref(), http).map_err(Unusable::from))
}

fn key_of(endpoint: &ProviderEndpoint) -> Option<&SecretVersion> {
    match endpoint {
        ProviderEndpoint::Anthropic { api_key, .. } => Some(api_key),
        ProviderEndpoint::OpenAi { api_key, .. } => api_key.as_ref(),
        ProviderEndpoint::Scripted { .. } => None,
    }
}
