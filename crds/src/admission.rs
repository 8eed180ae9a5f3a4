//! What the API server would say about a manifest, said without one.
//!
//! `konstruct dev` and the unit tests use this; in a cluster the API server does the same from the same schema.
//! First the structure (unknown fields, types, bounds), then, when that is sound, the CEL rules.

mod structure;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use kube::core::cel::Validator;
use serde_json::Value;

use crate::API_VERSION;

/// One thing that is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The field, such as `spec.models[0].provider`.
    pub field: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// The schemas by kind, as the API server holds them.
static SCHEMAS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    crate::all()
        .into_iter()
        .filter_map(|crd| {
            let schema = crd.spec.versions.into_iter().next()?.schema?.open_api_v3_schema?;
            Some((crd.spec.names.kind, serde_json::to_value(schema).ok()?))
        })
        .collect()
});

/// The OpenAPI schema of a kind.
pub fn schema(kind: &str) -> Option<&'static Value> {
    SCHEMAS.get(kind)
}

/// Everything that is wrong with `object`, seen as a change of `previous` or, without it, as a new object.
pub fn review(object: &Value, previous: Option<&Value>) -> Vec<Refusal> {
    let schema = match schema_of(object) {
        Ok(schema) => schema,
        Err(refusal) => return vec![refusal],
    };
    let object = without_nulls(object);
    let refusals = structure::check(schema, &object);
    if !refusals.is_empty() {
        return refusals;
    }
    let previous = previous.map(without_nulls);
    match Validator::new().validate(schema, &object, previous.as_ref()) {
        Ok(()) => Vec::new(),
        Err(errors) => errors
            .into_vec()
            .into_iter()
            .map(|error| Refusal { field: error.field_path, message: error.message })
            .collect(),
    }
}

fn schema_of(object: &Value) -> Result<&'static Value, Refusal> {
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or("");
    if text("apiVersion") != API_VERSION {
        let message = format!("write {API_VERSION}");
        return Err(Refusal { field: "apiVersion".to_owned(), message });
    }
    schema(text("kind")).ok_or_else(|| {
        let kinds: Vec<&str> = SCHEMAS.keys().map(String::as_str).collect();
        let message = format!("{API_VERSION} has the kinds {}", kinds.join(", "));
        Refusal { field: "kind".to_owned(), message }
    })
}

/// The API server drops a null where the schema does not allow one, which is everywhere in ours.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), without_nulls(value)))
            .collect(),
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}
