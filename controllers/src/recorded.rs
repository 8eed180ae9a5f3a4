//! Objects with the status that the code here gives them, as files: what Argo CD's health checks are tested with
//! (`manifests/gitops/argocd`). `KONSTRUCT_RECORD=1 cargo test --workspace recorded` writes them anew.

use std::path::PathBuf;

use kube::Resource;
use serde::Serialize;
use serde_json::{Value, json};

/// Fails if the file of that name is not this object with this status.
pub(crate) fn recorded<K, S>(name: &str, object: &K, status: &S)
where
    K: Resource<DynamicType = ()> + Serialize,
    S: Serialize,
{
    let mut whole = serde_json::to_value(object).unwrap();
    whole["status"] = serde_json::to_value(status).unwrap();
    for condition in whole["status"]["conditions"].as_array_mut().unwrap() {
        condition["lastTransitionTime"] = json!("2026-01-01T00:00:00Z");
    }
    same::<K>(name, &whole);
}

/// The same for an object that the operator has not seen yet.
pub(crate) fn recorded_new<K: Resource<DynamicType = ()> + Serialize>(name: &str, object: &K) {
    same::<K>(name, &serde_json::to_value(object).unwrap());
}

fn same<K: Resource<DynamicType = ()>>(name: &str, object: &Value) {
    let text = serde_yaml::to_string(object).unwrap();
    let path = folder(&K::kind(&())).join(format!("{name}.yaml"));
    if std::env::var_os("KONSTRUCT_RECORD").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        before,
        text,
        "{} is not what the operator reports any more: run `KONSTRUCT_RECORD=1 cargo test --workspace recorded`, look at \
         the difference, and run `charts/test`",
        path.display(),
    );
}

fn folder(kind: &str) -> PathBuf {
    let data = "../manifests/gitops/argocd/resource_customizations/konstruct.dev/_/testdata";
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(data).join(kind)
}
