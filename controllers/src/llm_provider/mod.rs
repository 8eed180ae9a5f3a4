//! LLMProvider: where the models are. Compiled into a snapshot that the ai-gateway reads.

mod apply;
pub mod build;
pub mod dereference;
mod status;
pub mod validate;

use std::sync::Arc;

use konstruct_crds::{LLMProvider, LLMProviderStatus};
use konstruct_domain::{Kind, TenantId};
use kube::{Api, ResourceExt};

pub use dereference::Dereferenced;
pub use validate::Validated;

use crate::framework::cache::{Cache, namespace_of};
use crate::framework::controller::{Next, Reconciler};
use crate::framework::status::Share;
use crate::framework::tenancy::Tenancy;
use crate::framework::{finalizer, publish, report};
use crate::{Context, Error, leftovers};

pub(crate) struct LLMProviders {
    pub(crate) context: Arc<Context>,
}

impl Reconciler for LLMProviders {
    type Object = LLMProvider;
    const NAME: &'static str = "llm_provider";
    const SHARE: Share<LLMProviderStatus> = Share::whole("konstruct-llm-provider");

    fn cache(&self) -> &Cache<LLMProvider> {
        &self.context.caches.providers
    }

    fn api(&self, provider: &LLMProvider) -> Api<LLMProvider> {
        Api::namespaced(self.context.client.clone(), namespace_of(provider))
    }

    async fn reconcile(&self, provider: Arc<LLMProvider>) -> Result<Next, Error> {
        if provider.metadata.deletion_timestamp.is_some() {
            return self.clean_up(&provider).await;
        }
        match self.context.tenancy(namespace_of(&*provider)) {
            Tenancy::Tenant(tenant) | Tenancy::Archived(tenant) => {
                self.compile(provider, tenant.id, false).await
            }
            Tenancy::Platform => self.compile(provider, TenantId::PLATFORM, true).await,
            Tenancy::Leaving(_) => Ok(Next::Gone),
            Tenancy::Nobody => {
                self.write(&provider, &status::nobodys(&provider)).await?;
                Ok(Next::Gone)
            }
        }
    }

    async fn gone(&self, namespace: &str) -> Result<(), Error> {
        leftovers::of_namespace(&self.context, namespace).await
    }

    fn requeue_dependents(&self, provider: &LLMProvider) {
        self.context.requeue_agents_naming(provider);
    }
}

impl LLMProviders {
    async fn compile(
        &self,
        provider: Arc<LLMProvider>,
        tenant: TenantId,
        shared: bool,
    ) -> Result<Next, Error> {
        let found = dereference::dereference(&self.context, &provider, shared).await?;
        match validate::validate(&provider, &found) {
            Ok(valid) => {
                let provider = finalizer::ensure(&self.api(&provider), self.cache(), provider).await?;
                let applied = apply::apply(&self.context, &apply::prepare(tenant, &valid)).await?;
                if let Some(next) = report::is_loading(&applied) {
                    return Ok(next);
                }
                self.write(&provider, &status::published(&provider, &applied)).await?;
                Ok(report::next_after(&applied, found.api_key.is_some()))
            }
            Err(problems) => {
                self.write(&provider, &status::invalid(&provider, &problems)).await?;
                Ok(report::next_with_problems(&problems))
            }
        }
    }

    async fn clean_up(&self, provider: &LLMProvider) -> Result<Next, Error> {
        if let Some(tenant) = self.context.rows_of(namespace_of(provider)) {
            publish::withdraw(&self.context, tenant, Kind::LLMProvider, &provider.name_any()).await?;
        }
        finalizer::release(&self.api(provider), self.cache(), provider).await?;
        Ok(Next::Gone)
    }

    async fn write(&self, provider: &LLMProvider, status: &LLMProviderStatus) -> Result<(), Error> {
        let api = self.api(provider);
        crate::framework::status::write(&api, self.cache(), &Self::SHARE, provider, status).await.map(drop)
    }
}

#[cfg(test)]
mod tests;
