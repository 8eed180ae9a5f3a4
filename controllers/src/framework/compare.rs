//! Is what we want already there? Pure, over JSON.
//!
//! The API server adds defaults and other managers add fields of their own, so the desired object is compared as a
//! part of the live one. What we stop asking for cannot be seen that way; [`fingerprint`] shows it.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::quantity;

/// Whether applying `desired` over `live` would change nothing.
pub fn covers(live: &Value, desired: &Value) -> bool {
    covers_at("", live, desired)
}

/// Names a desired object by its content.
pub fn fingerprint(desired: &Value) -> String {
    hex::encode(&Sha256::digest(desired.to_string().as_bytes())[..8])
}

fn covers_at(field: &str, live: &Value, desired: &Value) -> bool {
    match (live, desired) {
        (Value::Object(live), Value::Object(desired)) => {
            desired.iter().all(|(name, wanted)| match live.get(name) {
                Some(found) => covers_at(name_of_values(field, name), found, wanted),
                None => is_empty(wanted),
            })
        }
        (Value::Array(live), Value::Array(desired)) => match merge_key(field, desired) {
            Some(key) => desired
                .iter()
                .all(|wanted| find(live, key, wanted).is_some_and(|found| covers_at("", found, wanted))),
            None => {
                live.len() == desired.len()
                    && live.iter().zip(desired).all(|(found, wanted)| covers_at("", found, wanted))
            }
        },
        (Value::String(found), Value::String(wanted)) if is_quantity_field(field) => {
            found == wanted || quantity::equal(found, wanted)
        }
        _ => live == desired,
    }
}

/// Values below these fields are quantities, which the API server rewrites: 2048Mi becomes 2Gi.
fn is_quantity_field(field: &str) -> bool {
    matches!(
        field,
        "hard" | "limits" | "requests" | "default" | "defaultRequest" | "max" | "min" | "sizeLimit"
    )
}

/// The field whose kind of value is looked at: a map of quantities passes its own name on to its values.
fn name_of_values<'a>(parent: &'a str, name: &'a str) -> &'a str {
    if is_quantity_field(parent) { parent } else { name }
}

/// Lists that the API server merges by a key, so that others may add elements (a mesh adds containers and volumes).
/// All other lists are ours as a whole: an element that somebody adds to a policy's rules is drift.
fn merge_key(field: &str, desired: &[Value]) -> Option<&'static str> {
    match field {
        "containers" | "initContainers" | "volumes" | "env" => Some("name"),
        "volumeMounts" => Some("mountPath"),
        "ports" if desired.iter().all(|port| port.get("containerPort").is_some()) => Some("containerPort"),
        _ => None,
    }
}

fn find<'a>(live: &'a [Value], key: &str, wanted: &Value) -> Option<&'a Value> {
    live.iter().find(|found| found.get(key) == wanted.get(key))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Array(elements) => elements.is_empty(),
        _ => false,
    }
}

/// What a watch event says about an object besides its version: two events with the same content are one.
pub fn content(mut content: Value, ignore_status: bool) -> Value {
    if let (Value::Object(fields), true) = (&mut content, ignore_status) {
        fields.remove("status");
    }
    if let Some(Value::Object(metadata)) = content.get_mut("metadata") {
        metadata.remove("resourceVersion");
        metadata.remove("managedFields");
        metadata.remove("generation");
    }
    content
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_and_foreign_fields_are_not_drift() {
        let live = json!({"metadata": {"labels": {"a": "1", "gitops": "x"}}, "spec": {"replicas": 1, "paused": false}});
        assert!(covers(&live, &json!({"metadata": {"labels": {"a": "1"}}, "spec": {"replicas": 1}})));
        assert!(!covers(&live, &json!({"spec": {"replicas": 2}})));
        assert!(!covers(&live, &json!({"metadata": {"labels": {"b": "1"}}})));
    }

    #[test]
    fn an_empty_selector_that_the_server_drops_is_not_drift() {
        assert!(covers(&json!({"spec": {}}), &json!({"spec": {"podSelector": {}, "ingress": []}})));
        assert!(!covers(
            &json!({"spec": {}}),
            &json!({"spec": {"podSelector": {"matchLabels": {"a": "b"}}}})
        ));
    }

    #[test]
    fn an_element_added_to_a_rule_list_is_drift_and_an_added_container_is_not() {
        let rules = |n: usize| json!({"egress": vec![json!({"ports": [{"port": 53}]}); n]});
        assert!(covers(&rules(1), &rules(1)));
        assert!(!covers(&rules(2), &rules(1)));
        let pod = json!({"containers": [{"name": "mesh"}, {"name": "runtime", "image": "a"}]});
        assert!(covers(&pod, &json!({"containers": [{"name": "runtime", "image": "a"}]})));
        assert!(!covers(&pod, &json!({"containers": [{"name": "runtime", "image": "b"}]})));
        let subjects = json!({"subjects": [{"name": "a"}, {"name": "b"}]});
        assert!(!covers(&subjects, &json!({"subjects": [{"name": "a"}]})));
    }

    #[test]
    fn quantities_are_compared_by_value_where_quantities_are() {
        let live = json!({"spec": {"hard": {"limits.cpu": "2", "limits.memory": "2Gi"}}});
        assert!(covers(
            &live,
            &json!({"spec": {"hard": {"limits.cpu": "2000m", "limits.memory": "2048Mi"}}})
        ));
        assert!(!covers(&live, &json!({"spec": {"hard": {"limits.cpu": "3"}}})));
        assert!(!covers(&json!({"value": "2"}), &json!({"value": "2000m"})));
    }

    #[test]
    fn a_field_no_longer_asked_for_changes_the_fingerprint() {
        assert_ne!(fingerprint(&json!({"a": 1, "b": 2})), fingerprint(&json!({"a": 1})));
        assert_eq!(fingerprint(&json!({"a": 1, "b": 2})), fingerprint(&json!({"b": 2, "a": 1})));
    }
}
