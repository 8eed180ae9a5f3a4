//! Several watches of one kind, one a namespace, as if they were one.
//!
//! The cache takes a new list for all that there is. So nothing is said before every namespace has been listed, and one that
//! is listed again later says what is different in it.

use std::collections::{HashMap, HashSet};

use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;

use super::cache::Cached;

type Objects<K> = HashMap<ObjectRef<K>, K>;

/// What the watches have said so far. With one watch, everything is passed on as it is.
pub struct Places<K: Cached> {
    several: bool,
    /// Places that have not been listed yet.
    awaited: HashSet<String>,
    listing: HashMap<String, Vec<K>>,
    known: HashMap<String, Objects<K>>,
}

impl<K: Cached> Places<K> {
    /// A place is a namespace; the only one may have any name.
    pub fn new(places: impl Iterator<Item = String>) -> Self {
        let awaited: HashSet<String> = places.collect();
        let several = awaited.iter().any(|place| !place.is_empty());
        Self { several, awaited, listing: HashMap::new(), known: HashMap::new() }
    }

    /// Whether what there is in a place is not known yet.
    pub fn awaits(&self, place: &str) -> bool {
        self.several && self.awaited.contains(place)
    }

    /// What one watch of all places would have said.
    pub fn take(&mut self, place: &str, event: Event<K>) -> Vec<Event<K>> {
        if !self.several {
            return vec![event];
        }
        match &event {
            Event::Init => {
                self.listing.insert(place.to_owned(), Vec::new());
                return Vec::new();
            }
            Event::InitApply(object) => {
                self.listing.entry(place.to_owned()).or_default().push(object.clone());
                return Vec::new();
            }
            Event::InitDone => {
                let objects = self.listing.remove(place).unwrap_or_default();
                return self.listed(place, objects);
            }
            Event::Apply(object) => {
                let known = self.known.entry(place.to_owned()).or_default();
                known.insert(ObjectRef::from(object), object.clone());
            }
            Event::Delete(object) => {
                self.known.entry(place.to_owned()).or_default().remove(&ObjectRef::from(object));
            }
        }
        if self.awaited.is_empty() { vec![event] } else { Vec::new() }
    }

    /// A place that does not exist.
    pub fn has_nothing(&mut self, place: &str) -> Vec<Event<K>> {
        self.listed(place, Vec::new())
    }

    fn listed(&mut self, place: &str, objects: Vec<K>) -> Vec<Event<K>> {
        let listed: Objects<K> =
            objects.into_iter().map(|object| (ObjectRef::from(&object), object)).collect();
        let before = self.known.remove(place).unwrap_or_default();
        let said = if self.awaited.is_empty() {
            let gone = before.into_iter().filter(|(reference, _)| !listed.contains_key(reference));
            let there = listed.values().cloned().map(Event::Apply);
            gone.map(|(_, object)| Event::Delete(object)).chain(there).collect()
        } else {
            Vec::new()
        };
        self.known.insert(place.to_owned(), listed);
        if self.awaited.remove(place) && self.awaited.is_empty() { self.everything() } else { said }
    }

    fn everything(&self) -> Vec<Event<K>> {
        let objects = self.known.values().flat_map(HashMap::values).cloned().map(Event::InitApply);
        std::iter::once(Event::Init).chain(objects).chain(std::iter::once(Event::InitDone)).collect()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::ResourceExt;
    use serde_json::json;

    use super::*;

    fn object(namespace: &str, name: &str) -> ConfigMap {
        serde_json::from_value(json!({"metadata": {"name": name, "namespace": namespace}})).unwrap()
    }

    /// Events as words, in no order where they have none.
    fn said(events: Vec<Event<ConfigMap>>) -> Vec<String> {
        let mut words: Vec<_> = events
            .into_iter()
            .map(|event| match event {
                Event::Init => "init".to_owned(),
                Event::InitDone => "~done".to_owned(),
                Event::InitApply(object) => format!("listed {}", object.name_any()),
                Event::Apply(object) => format!("has {}", object.name_any()),
                Event::Delete(object) => format!("gone {}", object.name_any()),
            })
            .collect();
        words.sort();
        words
    }

    fn list(places: &mut Places<ConfigMap>, place: &str, names: &[&str]) -> Vec<String> {
        let objects = names.iter().map(|name| Event::InitApply(object(place, name)));
        let events = std::iter::once(Event::Init).chain(objects).chain([Event::InitDone]);
        said(events.flat_map(|event| places.take(place, event)).collect())
    }

    #[test]
    fn nothing_is_said_before_every_place_is_listed() {
        let mut places = Places::new(["one", "two", "three"].map(str::to_owned).into_iter());
        assert!(list(&mut places, "one", &["a", "b"]).is_empty());
        assert!(places.take("one", Event::Delete(object("one", "a"))).is_empty());
        assert!(places.take("one", Event::Apply(object("one", "c"))).is_empty());
        assert!(!places.awaits("one") && places.awaits("three"));
        assert!(places.has_nothing("three").is_empty());
        assert_eq!(list(&mut places, "two", &["z"]), ["init", "listed b", "listed c", "listed z", "~done"]);
    }

    #[test]
    fn a_place_that_is_listed_again_says_what_is_different() {
        let mut places = Places::new(["one", "two"].map(str::to_owned).into_iter());
        list(&mut places, "one", &["a", "b"]);
        list(&mut places, "two", &["z"]);
        assert_eq!(said(places.take("two", Event::Apply(object("two", "y")))), ["has y"]);
        assert_eq!(list(&mut places, "one", &["b", "c"]), ["gone a", "has b", "has c"]);
        assert_eq!(list(&mut places, "two", &[]), ["gone y", "gone z"]);
    }

    #[test]
    fn one_watch_of_everything_is_passed_on() {
        let mut places = Places::new(std::iter::once(String::new()));
        assert!(!places.awaits(""));
        assert_eq!(list(&mut places, "", &["a"]), ["init", "listed a", "~done"]);
        assert_eq!(list(&mut places, "", &[]), ["init", "~done"]);
    }
}
