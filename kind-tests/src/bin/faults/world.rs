//! What the operator has made of a subject: everything in the cluster, without what differs from run to run.

use std::collections::BTreeMap;

use anyhow::Result;
use konstruct_kind_tests::datastores::Postgres;
use konstruct_kind_tests::objects::{Kind, api};
use kube::Client;
use kube::api::{DynamicObject, ListParams};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::scenario::Subject;

/// Kinds of ours, whose status is the operator's.
const OURS: [Kind; 3] = [Kind::Agent, Kind::ChannelConnection, Kind::LLMProvider];
/// Children. Their status is written by Kubernetes.
const CHILDREN: [Kind; 6] = [
    Kind::NetworkPolicy,
    Kind::ResourceQuota,
    Kind::LimitRange,
    Kind::Secret,
    Kind::RoleBinding,
    Kind::Deployment,
];

/// Objects by kind and name.
pub(crate) type State = BTreeMap<String, Value>;

pub(crate) async fn observe(client: &Client, postgres: &Mutex<Postgres>, subject: &Subject) -> Result<State> {
    let namespace = subject.namespace();
    let mut state = State::new();
    for (kind, name) in [(Kind::Tenant, &subject.slug), (Kind::Namespace, &namespace)] {
        if let Some(object) = api(client, kind, None).get_opt(name).await? {
            state.insert(format!("{kind:?}"), masked(kind, &object, &subject.slug));
        }
    }
    for kind in OURS.into_iter().chain(CHILDREN) {
        for object in api(client, kind, Some(&namespace)).list(&ListParams::default()).await?.items {
            let name = object.metadata.name.clone().unwrap_or_default();
            state.insert(format!("{kind:?}/{name}"), masked(kind, &object, &subject.slug));
        }
    }
    if let Some(account) =
        api(client, Kind::ServiceAccount, Some(&namespace)).get_opt("konstruct-runtime").await?
    {
        state.insert("ServiceAccount".to_owned(), masked(Kind::ServiceAccount, &account, &subject.slug));
    }
    for (name, mut body) in postgres.lock().await.published(&subject.slug).await? {
        mask(&mut body, &subject.slug);
        state.insert(format!("published {}", name.replace(&subject.slug, "SLUG")), body);
    }
    Ok(state)
}

/// Whether each status is about the newest generation of its object.
pub(crate) fn is_truthful(state: &State) -> bool {
    state.values().all(|object| object["truthful"] != Value::Bool(false))
}

fn masked(kind: Kind, object: &DynamicObject, slug: &str) -> Value {
    let metadata = &object.metadata;
    let annotations: BTreeMap<&String, &str> = metadata
        .annotations
        .iter()
        .flatten()
        .filter(|(name, _)| !name.starts_with("kubectl.kubernetes.io") && *name != "rotated")
        .map(
            |(name, value)| {
                if name.starts_with("konstruct.dev/") { (name, "…") } else { (name, value.as_str()) }
            },
        )
        .collect();
    let mut value = serde_json::json!({
        "labels": metadata.labels,
        "annotations": annotations,
        "finalizers": metadata.finalizers,
        "leaving": metadata.deletion_timestamp.is_some(),
        "spec": object.data.get("spec"),
        "keys": object.data["data"].as_object().map(|data| data.keys().collect::<Vec<_>>()),
        "subjects": object.data.get("subjects"),
        "role": object.data.get("roleRef"),
    });
    if matches!(kind, Kind::Tenant | Kind::Agent | Kind::ChannelConnection | Kind::LLMProvider) {
        value["status"] = object.data["status"].clone();
        value["truthful"] = truthful(object).into();
    }
    mask(&mut value, slug);
    // Conditions are a map by type: whose share was written first is chance.
    if let Some(conditions) = value.pointer_mut("/status/conditions").and_then(Value::as_array_mut) {
        conditions.sort_by_key(|condition| condition["type"].to_string());
    }
    value
}

/// `observedGeneration` of the status and of each condition that is ours is the object's own.
fn truthful(object: &DynamicObject) -> bool {
    let status = &object.data["status"];
    let is_current = |value: &Value| value["observedGeneration"].as_i64() == object.metadata.generation;
    is_current(status)
        && status["conditions"].as_array().is_some_and(|conditions| conditions.iter().any(is_current))
}

/// Names of the run, times, generations and hashes.
fn mask(value: &mut Value, slug: &str) {
    match value {
        Value::String(text) => {
            let upper = slug.trim_start_matches("fault-").to_uppercase();
            let masked = text.replace(slug, "SLUG").replace(&upper, "TEAM");
            *text = masked.split(' ').map(without_run).collect::<Vec<_>>().join(" ");
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, slug)),
        Value::Object(fields) => {
            // A pause is told from the one before by its number.
            if fields.contains_key("notice") {
                fields.remove("id");
            }
            for name in [
                "lastTransitionTime",
                "observedGeneration",
                "revision",
                "webhookPath",
                "public_id",
                "konstruct.dev/secret-hash",
                "args",
            ] {
                fields.remove(name);
            }
            fields.values_mut().for_each(|field| mask(field, slug));
        }
        _ => {}
    }
}

/// A revision is the hash of something that has the slug in it; an identifier is made anew for each object.
fn without_run(word: &str) -> &str {
    let bare = word.trim_end_matches([';', '.', ',']);
    let is_hash = bare.len() == 16 && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash {
        "REVISION"
    } else if uuid::Uuid::try_parse(bare).is_ok() {
        "UID"
    } else {
        word
    }
}

/// What differs, in words.
pub(crate) fn differences(expected: &State, found: &State) -> Vec<String> {
    let mut differences = Vec::new();
    for name in expected.keys().chain(found.keys()).collect::<std::collections::BTreeSet<_>>() {
        match (expected.get(name), found.get(name)) {
            (Some(_), None) => differences.push(format!("{name} is missing")),
            (None, Some(_)) => differences.push(format!("{name} is too many")),
            (Some(expected), Some(found)) if expected != found => {
                differences.push(format!("{name}: expected {expected}, found {found}"));
            }
            _ => {}
        }
    }
    differences
}
