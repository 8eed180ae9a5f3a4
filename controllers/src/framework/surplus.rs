//! Objects above a limit. The oldest ones keep working, so that a lowered limit takes nothing from who was there first.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Resource, ResourceExt};

/// The names of the objects that are too many, the oldest of them first. What is being deleted does not count.
pub fn surplus<K: Resource>(objects: &[Arc<K>], limit: u16) -> Vec<String> {
    let mut counted: Vec<&Arc<K>> =
        objects.iter().filter(|object| object.meta().deletion_timestamp.is_none()).collect();
    counted.sort_by(|one, other| age(&***one).cmp(&age(&***other)));
    counted.iter().skip(usize::from(limit)).map(|object| object.name_any()).collect()
}

/// The limit, if the object is one of those above it. Only a limit makes it look at the others.
pub fn over_limit<K: Resource>(
    object: &K,
    limit: Option<u16>,
    all: impl FnOnce() -> Vec<Arc<K>>,
) -> Option<u16> {
    let limit = limit?;
    surplus(&all(), limit).contains(&object.name_any()).then_some(limit)
}

/// Who was there first. Creation times tie within a second; the UID decides then, the same way whoever asks.
pub fn age<K: Resource>(object: &K) -> (Option<&Time>, Option<&str>) {
    (object.meta().creation_timestamp.as_ref(), object.meta().uid.as_deref())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::*;

    fn object(name: &str, second: u8, deleted: bool) -> Arc<ConfigMap> {
        let mut metadata = json!({
            "name": name, "uid": name, "creationTimestamp": format!("2026-01-01T00:00:{second:02}Z"),
        });
        if deleted {
            metadata["deletionTimestamp"] = json!("2026-01-02T00:00:00Z");
        }
        Arc::new(serde_json::from_value(json!({ "metadata": metadata })).unwrap())
    }

    #[test]
    fn the_newest_are_too_many() {
        let objects = [object("c", 3, false), object("a", 1, false), object("b", 2, false)];
        assert_eq!(surplus(&objects, 3), Vec::<String>::new());
        assert_eq!(surplus(&objects, 1), ["b", "c"]);
        assert_eq!(surplus(&objects, 0).len(), 3);
    }

    #[test]
    fn ties_are_settled_and_what_leaves_does_not_count() {
        let objects = [object("b", 1, false), object("a", 1, false), object("old", 0, true)];
        assert_eq!(surplus(&objects, 1), ["b"]);
    }
}
