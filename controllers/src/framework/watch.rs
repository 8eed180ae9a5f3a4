//! One watch a kind. It fills the cache and tells who has to be looked at again.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{BoxStream, select_all};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::apply::pruned;
use super::cache::{Cache, Cached, News};
use super::names::MANAGED_SELECTOR;
use super::places::Places;

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

/// One watch: of everything, or of one place among several.
pub struct Source<K> {
    /// The namespace that it tells about; empty for all of them.
    place: String,
    api: Api<DeserializeGuard<K>>,
    /// Chooses one object.
    name: Option<String>,
}

/// All objects of a kind in all namespaces.
pub fn everywhere<K: Resource<DynamicType = ()>>(client: &Client) -> Vec<Source<K>> {
    vec![Source { place: String::new(), api: Api::all(client.clone()), name: None }]
}

/// The objects of some namespaces.
pub fn inside<K>(client: &Client, namespaces: &BTreeSet<String>) -> Vec<Source<K>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    let source = |namespace: &String| Source {
        place: namespace.clone(),
        api: Api::namespaced(client.clone(), namespace),
        name: None,
    };
    namespaces.iter().map(source).collect()
}

/// Some namespaces themselves: one watch each, since a right to names that are known is no right to list all.
pub fn namespaces(client: &Client, names: &BTreeSet<String>) -> Vec<Source<Namespace>> {
    let source = |name: &String| Source {
        place: name.clone(),
        api: Api::all(client.clone()),
        name: Some(name.clone()),
    };
    names.iter().map(source).collect()
}

/// Watches for ever. A watch that the server ends, refuses or loses begins again, with growing delays.
pub async fn watch<K>(
    client: &Client,
    sources: Vec<Source<K>>,
    scope: Scope,
    wanted: impl Fn(&K) -> bool + Send,
    cache: Arc<Cache<K>>,
    mut writer: Writer<K>,
    seen: impl Fn(Seen<'_, K>) + Send,
) where
    K: Cached + DeserializeOwned + Debug,
{
    let mut places = Places::new(sources.iter().map(|source| source.place.clone()));
    let mut said = select_all(sources.into_iter().map(|source| source.begin(scope.only_ours)));
    while let Some((place, event)) = said.next().await {
        let events = match event {
            Ok(event) => readable(event, &wanted).map(|event| places.take(&place, event)),
            // The rights that are given in a namespace go with it.
            Err(error) if is_refused(&error) && is_missing(client, &place).await => {
                tracing::debug!(kind = %K::kind(&()), namespace = place, "nothing to watch: there is no such namespace");
                places.awaits(&place).then(|| places.has_nothing(&place))
            }
            Err(error) => {
                tracing::warn!(kind = %K::kind(&()), namespace = place, %error, "a watch failed and begins again");
                None
            }
        };
        for event in events.into_iter().flatten() {
            let news = cache.receive(&mut writer, &event, scope.ignore_status);
            match (news, &event) {
                (News::Foreign, Event::Apply(object) | Event::Delete(object)) => seen(Seen::Changed(object)),
                (_, Event::InitDone) => seen(Seen::Listed),
                _ => {}
            }
        }
    }
}

type Said<K> = (String, watcher::Result<Event<DeserializeGuard<K>>>);

impl<K: Cached + DeserializeOwned + Debug> Source<K> {
    fn begin(self, only_ours: bool) -> BoxStream<'static, Said<K>> {
        let Self { place, api, name } = self;
        let mut config = watcher::Config::default();
        if only_ours {
            config = config.labels(MANAGED_SELECTOR);
        }
        if let Some(name) = name {
            config = config.fields(&format!("metadata.name={name}"));
        }
        watcher::watcher(api, config).default_backoff().map(move |event| (place.clone(), event)).boxed()
    }
}

fn is_refused(error: &watcher::Error) -> bool {
    let watcher::Error::InitialListFailed(kube::Error::Api(status)) = error else { return false };
    status.is_forbidden()
}

/// Whether nothing can be in a namespace since it does not exist. Not knowing is no.
async fn is_missing(client: &Client, namespace: &str) -> bool {
    let api: Api<Namespace> = Api::all(client.clone());
    !namespace.is_empty() && matches!(api.get_metadata_opt(namespace).await, Ok(None))
}

/// Without objects of others, and those that this version cannot read: one such object must not stop the others. What was
/// known of it stays in force.
fn readable<K: Cached>(event: Event<DeserializeGuard<K>>, wanted: impl Fn(&K) -> bool) -> Option<Event<K>> {
    let read = |object: DeserializeGuard<K>| match object.0 {
        Ok(object) => wanted(&object).then(|| pruned(object)),
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
