//! What is in force and has no object any more.
//!
//! Our finalizer lets us withdraw a snapshot before its object goes. It is no guarantee: the API server deletes an object
//! that it began to delete before the finalizer was added, and people take finalizers away.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use konstruct_domain::{Kind, TenantId};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use crate::framework::cache::{Cache, Cached, reference};
use crate::framework::publish;
use crate::{Context, Error};

/// Nobody's pass is about the operator's own namespace as a whole.
const PLATFORM_EVERY: Duration = Duration::from_mins(10);

/// What is left over of a namespace's objects.
pub(crate) async fn of_namespace(context: &Context, namespace: &str) -> Result<(), Error> {
    match context.rows_of(namespace) {
        Some(tenant) => withdraw(context, tenant, namespace).await,
        None => Ok(()),
    }
}

/// Withdraws what a tenant has in force and nobody declares.
pub(crate) async fn withdraw(context: &Context, tenant: TenantId, namespace: &str) -> Result<(), Error> {
    let caches = &context.caches;
    for (kind, name) in context.store.named(tenant).await? {
        let is_gone = match kind {
            // It goes with all its rows, which may be retained on purpose.
            Kind::Tenant => false,
            Kind::Agent => is_gone(context, &caches.agents, namespace, &name).await?,
            Kind::ChannelConnection => is_gone(context, &caches.connections, namespace, &name).await?,
            Kind::LLMProvider => is_gone(context, &caches.providers, namespace, &name).await?,
        };
        if is_gone {
            publish::withdraw(context, tenant, kind, &name).await?;
            // One that was made under the same name meanwhile is put in force again.
            context.requeue_objects_in(namespace);
        }
    }
    Ok(())
}

/// The same for what the platform shares, for ever.
pub(crate) async fn keep_platform_clean(context: Arc<Context>) {
    loop {
        let namespace = &context.settings.system_namespace;
        if let Err(error) = withdraw(&context, TenantId::PLATFORM, namespace).await {
            tracing::warn!(
                error = crate::error::with_sources(&error),
                "leftovers of the platform's namespace stay for now"
            );
        }
        tokio::time::sleep(PLATFORM_EVERY).await;
    }
}

/// The cache lacks what this version cannot read, too, and that stays in force.
async fn is_gone<K>(context: &Context, cache: &Cache<K>, namespace: &str, name: &str) -> Result<bool, Error>
where
    K: Cached + Resource<Scope = k8s_openapi::NamespaceResourceScope> + DeserializeOwned + Debug,
{
    if cache.store().get(&reference(namespace, name)).is_some() {
        return Ok(false);
    }
    let api: Api<K> = Api::namespaced(context.client.clone(), namespace);
    let live = api.get_metadata_opt(name).await.map_err(|error| Error::read::<K>(name, error))?;
    Ok(live.is_none())
}
