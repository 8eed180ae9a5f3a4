//! The CustomResourceDefinitions as they are installed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt as _;

use crate::{Agent, ChannelConnection, ConditionStatus, ConditionType, LLMProvider, Plan, Reason, Tenant};

/// When the state of an object that nobody has looked at began.
const UNSEEN_SINCE: &str = "1970-01-01T00:00:00Z";

/// A definition that could not be printed.
#[derive(Debug, thiserror::Error)]
#[error("could not print the definition {name} as YAML")]
pub struct UnprintableDefinition {
    name: String,
    source: serde_yaml::Error,
}

/// All definitions, in the order in which a reader wants to see them.
pub fn all() -> Vec<CustomResourceDefinition> {
    [Plan::crd(), Tenant::crd(), Agent::crd(), ChannelConnection::crd(), LLMProvider::crd()]
        .map(finish)
        .into()
}

/// One definition as YAML.
pub fn to_yaml(crd: &CustomResourceDefinition) -> Result<String, UnprintableDefinition> {
    serde_yaml::to_string(crd)
        // Readers of YAML 1.1 take it for a date where it has no quotes.
        .map(|text| text.replace(UNSEEN_SINCE, &format!("'{UNSEEN_SINCE}'")))
        .map_err(|source| UnprintableDefinition { name: crd.spec.names.plural.clone(), source })
}

/// All definitions as one YAML stream.
pub fn yaml() -> Result<String, UnprintableDefinition> {
    let documents: Vec<String> = all().iter().map(to_yaml).collect::<Result<_, _>>()?;
    Ok(documents.join("---\n"))
}

/// The file under `crds/generated/` that holds the definition.
pub fn file_name(crd: &CustomResourceDefinition) -> String {
    format!("{}.yaml", crd.spec.names.plural)
}

/// What all kinds have in common beyond what the derive macro writes.
fn finish(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let has_status = version.subresources.is_some();
        let columns = version.additional_printer_columns.get_or_insert_default();
        if has_status {
            columns.extend(status_columns());
        }
        columns.push(column("Age", "date", ".metadata.creationTimestamp".to_owned(), None));
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            deny_null(schema);
            if has_status {
                begin_unready(schema);
            }
        }
    }
    crd
}

/// The API server shows this status for as long as nobody has written one. kstatus, and with it Flux, Helm and Argo CD,
/// takes an object without conditions for ready.
fn begin_unready(schema: &mut JSONSchemaProps) {
    let unseen = serde_json::json!({"conditions": [{
        "type": ConditionType::Ready.as_str(),
        "status": ConditionStatus::Unknown.as_str(),
        "reason": Reason::Pending.as_str(),
        "message": "the operator has not looked at the object yet",
        "observedGeneration": 0,
        "lastTransitionTime": UNSEEN_SINCE,
    }]});
    let status = schema.properties.as_mut().and_then(|properties| properties.get_mut("status"));
    if let Some(status) = status {
        status.default = Some(JSON(unseen));
    }
}

/// The columns after a kind's own, the same for all kinds with a status.
fn status_columns() -> [CustomResourceColumnDefinition; 4] {
    let ready = |field| format!(r#".status.conditions[?(@.type=="Ready")].{field}"#);
    [
        column("Ready", "string", ready("status"), None),
        column("Reason", "string", ready("reason"), None),
        column("Message", "string", ready("message"), Some(1)),
        column("Revision", "string", ".status.revision".to_owned(), Some(1)),
    ]
}

/// A column with a priority above zero is shown by `kubectl get -o wide`.
fn column(
    name: &str,
    type_: &str,
    json_path: String,
    priority: Option<i32>,
) -> CustomResourceColumnDefinition {
    CustomResourceColumnDefinition {
        name: name.to_owned(),
        type_: type_.to_owned(),
        json_path,
        priority,
        ..Default::default()
    }
}

/// An optional field of ours is absent or has a value; it is never null. With `nullable` in the schema, `has()`
/// would hold for `slack: null`, and a union could be met by nothing.
fn deny_null(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        deny_null(property);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        deny_null(items);
    }
}
