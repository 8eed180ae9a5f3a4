//! Pods that the namespace must refuse, sent without being stored (MTB-PL1-BC-CPI-3 to -6, BC-HI-1, -3, -4, -5).

use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::Scene;
use crate::error::Obstacle;
use crate::family::{Family, Findings};

/// Makes a restricted pod ask for more.
type Change = fn(&mut Value);

/// What is asked for, and the change of a restricted pod that asks for it.
const CHANGES: [(&str, Change); 9] = [
    ("added capabilities", |pod| container(pod)["capabilities"]["add"] = json!(["SYS_ADMIN"])),
    ("root", |pod| container(pod)["runAsUser"] = json!(0)),
    ("a privileged container", |pod| {
        container(pod)["privileged"] = json!(true);
        container(pod)["allowPrivilegeEscalation"] = json!(true);
    }),
    ("privilege escalation", |pod| container(pod)["allowPrivilegeEscalation"] = json!(true)),
    ("a path of the node", |pod| {
        pod["spec"]["volumes"] = json!([{"name": "node", "hostPath": {"path": "/"}}]);
    }),
    ("the node's network", |pod| pod["spec"]["hostNetwork"] = json!(true)),
    ("a port of the node", |pod| {
        pod["spec"]["containers"][0]["ports"] = json!([{"containerPort": 8080, "hostPort": 8080}]);
    }),
    ("the node's processes", |pod| pod["spec"]["hostPID"] = json!(true)),
    ("the node's memory", |pod| pod["spec"]["hostIPC"] = json!(true)),
];

pub(super) async fn claims(family: &mut Family<Scene<'_>>) {
    family.claim("k8s-admission", "its namespace refuses pods that reach the node", refused).await;
}

async fn refused(scene: &mut Scene<'_>) -> Result<Findings, Obstacle> {
    // Without a pod that is accepted, refusals would prove nothing.
    if let Some(why) = refusal(scene, restricted()).await? {
        return Err(Obstacle::Missing(format!("a restricted pod is refused as well: {why}")));
    }
    let mut findings = Vec::new();
    for (what, change) in CHANGES {
        let mut pod = restricted();
        change(&mut pod);
        if refusal(scene, pod).await?.is_none() {
            findings.push(format!("a pod with {what} is accepted"));
        }
    }
    Ok(findings)
}

fn restricted() -> Value {
    json!({
        "metadata": {"name": "konstruct-verify-admission"},
        "spec": {
            "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "probe",
                "image": "konstruct-verify",
                "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"cpu": "1m", "memory": "1Mi"}},
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    })
}

fn container(pod: &mut Value) -> &mut Value {
    &mut pod["spec"]["containers"][0]["securityContext"]
}

/// Why pod security refuses the pod. Any other refusal leaves the question open.
async fn refusal(scene: &Scene<'_>, pod: Value) -> Result<Option<String>, Obstacle> {
    let pod: Pod = serde_json::from_value(pod).map_err(|error| Obstacle::Missing(error.to_string()))?;
    let params = PostParams { dry_run: true, ..PostParams::default() };
    match scene.inside::<Pod>().create(&params, &pod).await {
        Ok(_) => Ok(None),
        Err(kube::Error::Api(status)) if status.message.contains("violates PodSecurity") => {
            Ok(Some(status.message.clone()))
        }
        Err(error) => Err(Obstacle::of("cannot try pods out: allow create, it is a dry run")(error)),
    }
}
