//! What the watches have seen, and what we wrote since.
//!
//! A watch lags behind our own writes. A reconciliation that compared with the lagging copy would write again what it
//! has just written, so [`Cache::wrote`] keeps the answer to a write until the watch has caught up with it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::runtime::reflector::{ObjectRef, Store, store::Writer};
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};
use serde::Serialize;

use super::compare;

/// Namespace (empty for cluster scope) and name.
type Key = (String, String);

/// What a cached kind must be able to do.
pub trait Cached: Resource<DynamicType = ()> + Clone + Serialize + Send + Sync + 'static {}
impl<K: Resource<DynamicType = ()> + Clone + Serialize + Send + Sync + 'static> Cached for K {}

/// Objects of one kind.
pub struct Cache<K: Cached> {
    store: Store<K>,
    side: Mutex<Side<K>>,
}

struct Side<K> {
    written: HashMap<Key, Arc<K>>,
    /// The versions that our own writes made and the watch has not shown yet.
    own: HashMap<Key, Vec<u64>>,
    /// Names, of what was only written so far too.
    by_namespace: HashMap<String, HashSet<String>>,
    by_uid: HashMap<String, Key>,
}

/// Whether an event says anything that a reconciliation has not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Somebody else changed the object, or it is new to this process.
    Foreign,
    /// The echo of our own write, or a repetition.
    Known,
}

impl<K: Cached> Cache<K> {
    /// An empty cache and the writer that [`Cache::receive`] needs.
    pub fn new() -> (Arc<Self>, Writer<K>) {
        let (store, writer) = kube::runtime::reflector::store();
        (Arc::new(Self { store, side: Mutex::new(Side::new()) }), writer)
    }

    /// kube's own view of the cache, for its scheduler.
    pub fn store(&self) -> Store<K> {
        self.store.clone()
    }

    /// The newest version known: the watch's or the answer to our last write.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        // The lock comes first: what is forgotten as caught up with is then in the store.
        let mut side = self.lock();
        let seen = self.store.get(&reference(namespace, name));
        let key = (namespace.to_owned(), name.to_owned());
        match side.written.get(&key) {
            Some(written) if seen.as_deref().is_none_or(|seen| version(seen) < version(&**written)) => {
                Some(Arc::clone(written))
            }
            Some(_) => {
                side.written.remove(&key);
                seen
            }
            None => seen,
        }
    }

    /// The object with this UID, as the watch has seen it.
    pub fn get_by_uid(&self, uid: &str) -> Option<Arc<K>> {
        let (namespace, name) = self.lock().by_uid.get(uid).cloned()?;
        self.get(&namespace, &name)
    }

    /// All objects of one namespace.
    pub fn in_namespace(&self, namespace: &str) -> Vec<Arc<K>> {
        let names: Vec<String> =
            self.lock().by_namespace.get(namespace).into_iter().flatten().cloned().collect();
        names.iter().filter_map(|name| self.get(namespace, name)).collect()
    }

    /// All objects of all namespaces, as the watch has seen them.
    pub fn all(&self) -> Vec<Arc<K>> {
        self.store.state()
    }

    /// Remembers the answer to a write of ours.
    pub fn wrote(&self, object: K) -> Arc<K> {
        let object = Arc::new(object);
        let mut side = self.lock();
        side.own.entry(key(&*object)).or_default().push(version(&*object));
        side.index(&*object);
        side.written.insert(key(&*object), Arc::clone(&object));
        object
    }

    /// Takes in what the watch says.
    pub fn receive(&self, writer: &mut Writer<K>, event: &Event<K>, ignore_status: bool) -> News {
        let news = match event {
            Event::Apply(object) => self.news(object, ignore_status),
            Event::Delete(_) | Event::InitDone => News::Foreign,
            Event::Init | Event::InitApply(_) => News::Known,
        };
        writer.apply_watcher_event(event);
        let mut side = self.lock();
        match event {
            Event::Apply(object) => {
                side.index(object);
                side.caught_up(object);
            }
            Event::Delete(object) => side.remove(object),
            Event::InitDone => {
                // A list is complete: what it does not have is gone. A write that is newer than the list is
                // forgotten too, which costs at most one comparison with an older copy.
                side.written.clear();
                side.own.clear();
                side.by_namespace.clear();
                side.by_uid.clear();
                self.store.state().iter().for_each(|object| side.index(&**object));
            }
            Event::Init | Event::InitApply(_) => {}
        }
        news
    }

    fn news(&self, object: &K, ignore_status: bool) -> News {
        let (namespace, name) = key(object);
        let is_own = self.lock().is_own(object);
        let seen = self.store.get(&reference(&namespace, &name));
        if is_own || seen.as_deref().is_some_and(|seen| version(object) <= version(seen)) {
            return News::Known;
        }
        // A change that somebody else made just before ours is in the answer to ours too, and no pass has looked at it.
        let known = self.get(&namespace, &name).filter(|known| version(&**known) < version(object)).or(seen);
        match known {
            Some(known) if same(&*known, object, ignore_status) => News::Known,
            _ => News::Foreign,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Side<K>> {
        self.side.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Cached> Side<K> {
    fn new() -> Self {
        Self {
            written: HashMap::new(),
            own: HashMap::new(),
            by_namespace: HashMap::new(),
            by_uid: HashMap::new(),
        }
    }

    /// Whether a write of ours made this version. Older ones will not be shown any more.
    fn is_own(&mut self, object: &K) -> bool {
        let (key, shown) = (key(object), version(object));
        let Some(own) = self.own.get_mut(&key) else { return false };
        let is_own = own.contains(&shown);
        own.retain(|version| *version > shown);
        if own.is_empty() {
            self.own.remove(&key);
        }
        is_own
    }

    /// The watch shows what we wrote, or something newer.
    fn caught_up(&mut self, object: &K) {
        let key = key(object);
        if self.written.get(&key).is_some_and(|written| version(&**written) <= version(object)) {
            self.written.remove(&key);
        }
    }

    fn index(&mut self, object: &K) {
        let (namespace, name) = key(object);
        if let Some(uid) = object.uid() {
            self.by_uid.insert(uid, (namespace.clone(), name.clone()));
        }
        self.by_namespace.entry(namespace).or_default().insert(name);
    }

    fn remove(&mut self, object: &K) {
        let key = key(object);
        self.written.remove(&key);
        self.own.remove(&key);
        if let Some(uid) = object.uid() {
            self.by_uid.remove(&uid);
        }
        if let Some(names) = self.by_namespace.get_mut(&key.0) {
            names.remove(&key.1);
            if names.is_empty() {
                self.by_namespace.remove(&key.0);
            }
        }
    }
}

/// The namespace of an object; empty for cluster scope.
pub fn namespace_of<K: Resource>(object: &K) -> &str {
    object.meta().namespace.as_deref().unwrap_or("")
}

fn key<K: Cached>(object: &K) -> Key {
    (namespace_of(object).to_owned(), object.name_any())
}

/// A reference to an object of a namespace, or of the cluster when `namespace` is empty.
pub fn reference<K: Cached>(namespace: &str, name: &str) -> ObjectRef<K> {
    let reference = ObjectRef::new(name);
    if namespace.is_empty() { reference } else { reference.within(namespace) }
}

/// Resource versions of one kind are ordered integers (Kubernetes 1.35 promises what etcd always gave).
fn version<K: Cached>(object: &K) -> u64 {
    object.meta().resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or(0)
}

fn same<K: Cached>(one: &K, other: &K, ignore_status: bool) -> bool {
    match (serde_json::to_value(one), serde_json::to_value(other)) {
        (Ok(one), Ok(other)) => {
            compare::content(one, ignore_status) == compare::content(other, ignore_status)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::*;

    fn object(version: u32, value: &str) -> ConfigMap {
        serde_json::from_value(json!({
            "metadata": {"name": "a", "namespace": "n", "resourceVersion": version.to_string()},
            "data": {"key": value}
        }))
        .unwrap()
    }

    fn value(cache: &Cache<ConfigMap>) -> Option<String> {
        cache.get("n", "a").and_then(|found| found.data.as_ref()?.get("key").cloned())
    }

    #[test]
    fn our_own_write_is_seen_at_once_and_its_echo_is_no_news() {
        let (cache, mut writer) = Cache::new();
        cache.receive(&mut writer, &Event::Init, false);
        cache.receive(&mut writer, &Event::InitDone, false);
        cache.wrote(object(5, "ours"));
        assert_eq!(value(&cache).as_deref(), Some("ours"));
        assert_eq!(cache.in_namespace("n").len(), 1);

        assert_eq!(cache.receive(&mut writer, &Event::Apply(object(5, "ours")), false), News::Known);
        assert_eq!(cache.receive(&mut writer, &Event::Apply(object(6, "ours")), false), News::Known);
        assert_eq!(cache.receive(&mut writer, &Event::Apply(object(7, "theirs")), false), News::Foreign);
        assert_eq!(value(&cache).as_deref(), Some("theirs"));
    }

    #[test]
    fn what_somebody_else_did_just_before_us_is_news_though_we_wrote_over_it() {
        let (cache, mut writer) = Cache::new();
        assert_eq!(cache.receive(&mut writer, &Event::Apply(object(3, "old")), false), News::Foreign);
        cache.wrote(object(5, "theirs and ours"));
        assert_eq!(cache.receive(&mut writer, &Event::Apply(object(4, "theirs")), false), News::Foreign);
        assert_eq!(
            value(&cache).as_deref(),
            Some("theirs and ours"),
            "an older event does not hide our write"
        );
        assert_eq!(cache.receive(&mut writer, &Event::Apply(object(4, "theirs")), false), News::Known);
        assert_eq!(
            cache.receive(&mut writer, &Event::Apply(object(5, "theirs and ours")), false),
            News::Known
        );
    }

    #[test]
    fn a_deleted_object_is_gone_even_if_we_wrote_it() {
        let (cache, mut writer) = Cache::new();
        cache.receive(&mut writer, &Event::Apply(object(5, "ours")), false);
        cache.wrote(object(6, "ours"));
        assert_eq!(cache.receive(&mut writer, &Event::Delete(object(7, "ours")), false), News::Foreign);
        assert_eq!(value(&cache), None);
        assert!(cache.in_namespace("n").is_empty());
    }

    #[test]
    fn a_new_list_replaces_everything() {
        let (cache, mut writer) = Cache::new();
        cache.receive(&mut writer, &Event::Apply(object(5, "old")), false);
        cache.receive(&mut writer, &Event::Init, false);
        assert_eq!(
            value(&cache).as_deref(),
            Some("old"),
            "the old list serves until the new one is complete"
        );
        cache.receive(&mut writer, &Event::InitDone, false);
        assert_eq!(value(&cache), None);
    }
}
