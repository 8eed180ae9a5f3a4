//! Definitions and RBAC, as a user installs them.

use std::path::Path;

use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::{GroupVersionKind, TypeMeta};
use kube::discovery::{Scope, pinned_kind};
use kube::{Api, Client, ResourceExt};
use serde::Deserialize;

use crate::world::until;

/// What the operator's rights are made of.
const KINDS: [&str; 6] =
    ["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];

pub(crate) async fn install(client: &Client) {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/install.yaml");
    let text = std::fs::read_to_string(manifest).unwrap();
    for document in serde_yaml::Deserializer::from_str(&text) {
        let object = DynamicObject::deserialize(document).unwrap();
        if object.types.as_ref().is_some_and(|types| KINDS.contains(&types.kind.as_str())) {
            apply(client, object).await;
        }
    }
    for definition in konstruct_crds::all() {
        let name = definition.name_any();
        apply(client, serde_json::from_value(serde_json::to_value(definition).unwrap()).unwrap()).await;
        until(&format!("definition {name}"), async || {
            let api: Api<DynamicObject> = Api::all_with(
                client.clone(),
                &kube::api::ApiResource::erase::<
                    k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
                >(&()),
            );
            let object = api.get(&name).await.unwrap();
            let conditions = object.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let established = conditions.iter().any(|c| c["type"] == "Established" && c["status"] == "True");
            if established { Ok(()) } else { Err(conditions) }
        })
        .await;
    }
}

async fn apply(client: &Client, object: DynamicObject) {
    let types: &TypeMeta = object.types.as_ref().unwrap();
    let kind = GroupVersionKind::try_from(types).unwrap();
    let (resource, capabilities) = pinned_kind(client, &kind).await.unwrap();
    let api: Api<DynamicObject> = match (capabilities.scope, object.namespace()) {
        (Scope::Namespaced, Some(namespace)) => Api::namespaced_with(client.clone(), &namespace, &resource),
        _ => Api::all_with(client.clone(), &resource),
    };
    let params = PatchParams::apply("test").force();
    api.patch(&object.name_any(), &params, &Patch::Apply(&object)).await.unwrap();
}
