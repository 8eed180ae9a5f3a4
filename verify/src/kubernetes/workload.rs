//! What runs in the namespace: the operator's Deployment, and pods with nothing of the node in them.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use konstruct_controllers::framework::names::RUNTIME;
use konstruct_controllers::settings::TOKEN_AUDIENCE;
use kube::ResourceExt;
use kube::api::ListParams;

use super::Scene;
use crate::error::Obstacle;
use crate::family::{Family, Findings};

pub(super) async fn claims(family: &mut Family<Scene<'_>>) {
    family.claim("k8s-runtime", "its runtime's Deployment is restricted", deployment).await;
    family.claim("k8s-pods", "every pod that runs is restricted", pods).await;
}

async fn deployment(scene: &mut Scene<'_>) -> Result<Findings, Obstacle> {
    let found: Deployment = scene.inside().get(RUNTIME).await.map_err(Obstacle::of(
        "cannot read the runtime's Deployment: allow get, and wait until the Tenant is Ready",
    ))?;
    let pod = found.spec.and_then(|spec| spec.template.spec).unwrap_or_default();
    Ok(unrestricted(&pod))
}

async fn pods(scene: &mut Scene<'_>) -> Result<Findings, Obstacle> {
    let found = scene.inside::<Pod>().list(&ListParams::default()).await;
    let found = found.map_err(Obstacle::of("cannot list pods: allow it"))?;
    let of_pod = |pod: Pod| {
        let name = pod.name_any();
        let findings = unrestricted(&pod.spec.unwrap_or_default());
        findings.into_iter().map(move |finding| format!("{name}: {finding}"))
    };
    Ok(found.items.into_iter().flat_map(of_pod).collect())
}

/// What a pod has that a tenant's must not have.
fn unrestricted(pod: &PodSpec) -> Findings {
    let mut findings: Findings = [
        (pod.host_network == Some(true), "uses the node's network"),
        (pod.host_pid == Some(true), "sees the node's processes"),
        (pod.host_ipc == Some(true), "shares the node's memory"),
        (pod.automount_service_account_token != Some(false), "mounts a token of the Kubernetes API"),
        (pod.enable_service_links != Some(false), "is told the addresses of services"),
        (
            pod.security_context.as_ref().and_then(|context| context.run_as_non_root) != Some(true),
            "may run as root",
        ),
    ]
    .into_iter()
    .filter(|(open, _)| *open)
    .map(|(_, what)| what.to_owned())
    .collect();
    findings.extend(volumes(pod));
    let containers = pod.containers.iter().chain(pod.init_containers.iter().flatten());
    findings.extend(containers.flat_map(container));
    findings
}

fn volumes(pod: &PodSpec) -> Findings {
    let mut findings = Vec::new();
    for volume in pod.volumes.iter().flatten() {
        if volume.host_path.is_some() {
            findings.push(format!("mounts a path of the node as {}", volume.name));
        }
        let sources = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
        for token in sources.filter_map(|source| source.service_account_token.as_ref()) {
            if token.audience.as_deref() != Some(TOKEN_AUDIENCE) {
                findings.push(format!(
                    "mounts a token for {}",
                    token.audience.as_deref().unwrap_or("the Kubernetes API")
                ));
            }
        }
    }
    findings
}

fn container(container: &Container) -> Findings {
    let context = container.security_context.clone().unwrap_or_default();
    let capabilities = context.capabilities.unwrap_or_default();
    let drops_all = capabilities.drop.iter().flatten().any(|name| name == "ALL");
    [
        (context.privileged == Some(true), "is privileged"),
        (context.allow_privilege_escalation != Some(false), "may gain privileges"),
        (context.read_only_root_filesystem != Some(true), "may write its own files"),
        (!drops_all, "keeps capabilities"),
        (capabilities.add.iter().flatten().next().is_some(), "adds capabilities"),
        (container.ports.iter().flatten().any(|port| port.host_port.is_some()), "takes a port of the node"),
    ]
    .into_iter()
    .filter(|(open, _)| *open)
    .map(|(_, what)| format!("container {} {what}", container.name))
    .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(change: impl FnOnce(&mut serde_json::Value)) -> Findings {
        let mut pod = json!({
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "securityContext": {"runAsNonRoot": true},
            "volumes": [{"name": "token", "projected": {"sources": [
                {"serviceAccountToken": {"path": "token", "audience": TOKEN_AUDIENCE}}]}}],
            "containers": [{"name": "c", "securityContext": {
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}}}],
        });
        change(&mut pod);
        unrestricted(&serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn a_restricted_pod_has_nothing_to_find_and_each_change_is_found() {
        assert_eq!(pod(|_| {}), Vec::<String>::new());
        let changes: [fn(&mut serde_json::Value); 8] = [
            |pod| pod["hostNetwork"] = json!(true),
            |pod| pod["automountServiceAccountToken"] = json!(null),
            |pod| pod["securityContext"] = json!({}),
            |pod| {
                pod["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]["audience"] = json!(null);
            },
            |pod| pod["volumes"][0] = json!({"name": "root", "hostPath": {"path": "/"}}),
            |pod| pod["containers"][0]["securityContext"]["privileged"] = json!(true),
            |pod| pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = json!(null),
            |pod| pod["containers"][0]["ports"] = json!([{"containerPort": 1, "hostPort": 1}]),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            assert_eq!(pod(change).len(), 1, "change {number}");
        }
    }
}
