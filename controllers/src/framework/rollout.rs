//! How far a Deployment has got. Pure.

use k8s_openapi::api::apps::v1::Deployment;

use super::cache::namespace_of;

/// As `kubectl rollout status` sees it: all pods are of the latest template and available.
pub fn is_rolled_out(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    deployment.status.as_ref().is_some_and(|status| {
        status.observed_generation >= deployment.metadata.generation
            && status.updated_replicas.unwrap_or(0) >= wanted
            && status.available_replicas.unwrap_or(0) >= wanted
            && status.replicas.unwrap_or(0) == wanted
    })
}

/// What the Deployment itself says is wrong, such as a quota that leaves no room or an image that is not there.
pub fn why_not(deployment: &Deployment) -> String {
    let conditions = deployment.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let failures: Vec<&str> = conditions
        .filter(|condition| {
            matches!(
                (condition.type_.as_str(), condition.status.as_str()),
                ("ReplicaFailure", "True") | ("Progressing", "False")
            )
        })
        .filter_map(|condition| condition.message.as_deref())
        .collect();
    let namespace = namespace_of(deployment);
    if failures.is_empty() {
        format!("waiting for the runtime's pod in namespace {namespace} to get ready")
    } else {
        format!("the runtime's pod in namespace {namespace} does not get ready: {}", failures.join("; "))
    }
}
