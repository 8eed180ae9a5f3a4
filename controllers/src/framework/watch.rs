//! One watch a kind. It fills the cache and tells who has to be looked at again.

use std::fmt::Debug;
use std::sync::Arc;

use futures::StreamExt;
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::apply::pruned;
use super::cache::{Cache, Cached, News};
use super::names::MANAGED_SELECTOR;

/// What a watch has to say.
pub enum Seen<'a, K> {
    /// This object was changed or deleted by somebody else.
    Changed(&'a K),
    /// A complete list arrived: anything may have changed.
    Listed,
}

/// How a kind is watched.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Only objects with our label: the cluster's other namespaces and policies are none of our business.
    pub only_ours: bool,
    /// Changes of the status start nothing. For kinds whose status other controllers keep changing.
    pub ignore_status: bool,
}

/// Watches for ever. A watch that the server ends, refuses or loses begins again, with growing delays.
pub async fn watch<K>(
    api: Api<DeserializeGuard<K>>,
    scope: Scope,
    cache: Arc<Cache<K>>,
    mut writer: Writer<K>,
    seen: impl Fn(Seen<'_, K>) + Send,
) where
    K: Cached + DeserializeOwned + Debug,
{
    let config = watcher::Config::default();
    let config = if scope.only_ours { config.labels(MANAGED_SELECTOR) } else { config };
    let mut events = std::pin::pin!(watcher::watcher(api, config).default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                let Some(event) = readable(event) else { continue };
                let news = cache.receive(&mut writer, &event, scope.ignore_status);
                match (news, &event) {
                    (News::Foreign, Event::Apply(object) | Event::Delete(object)) => {
                        seen(Seen::Changed(object));
                    }
                    (_, Event::InitDone) => seen(Seen::Listed),
                    _ => {}
                }
            }
            Err(error) => tracing::warn!(kind = %K::kind(&()), %error, "a watch failed and begins again"),
        }
    }
}

/// Without objects that this version cannot read: one such object must not stop the others. What was known of it
/// stays in force.
fn readable<K: Cached>(event: Event<DeserializeGuard<K>>) -> Option<Event<K>> {
    let read = |object: DeserializeGuard<K>| match object.0 {
        Ok(object) => Some(pruned(object)),
        Err(invalid) => {
            tracing::error!(
                kind = %K::kind(&()),
                namespace = invalid.metadata.namespace.as_deref().unwrap_or(""),
                name = invalid.metadata.name.as_deref().unwrap_or(""),
                error = invalid.error,
                "an object cannot be read by this version: correct or delete it"
            );
            None
        }
    };
    match event {
        Event::Init => Some(Event::Init),
        Event::InitDone => Some(Event::InitDone),
        Event::InitApply(object) => read(object).map(Event::InitApply),
        Event::Apply(object) => read(object).map(Event::Apply),
        Event::Delete(object) => read(object).map(Event::Delete),
    }
}

/// All objects of a kind in all namespaces.
pub fn everywhere<K>(client: &kube::Client) -> Api<DeserializeGuard<K>>
where
    K: Resource<DynamicType = ()>,
{
    Api::all(client.clone())
}
