//! The short-lived pod in the tenant's namespace: restricted, as small as can be, and gone whatever happens.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use konstruct_controllers::Settings;
use konstruct_controllers::framework::names::runtime_labels;
use kube::api::{DeleteParams, LogParams, PostParams};
use kube::runtime::conditions::is_deleted;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::time::timeout;

use super::attempt::Outcomes;
use crate::error::Obstacle;
use crate::subject::Subject;

const NAME: &str = "konstruct-verify";
/// The pod ends by itself after this time, if nobody is left to remove it.
const DEADLINE_SECONDS: i64 = 60;
const PATIENCE: Duration = Duration::from_secs(90);

/// What a pod with the runtime's labels reaches.
pub(super) async fn observe(
    client: &Client,
    subject: &Subject,
    settings: &Settings,
    needs: &[String],
    forbids: &[String],
) -> Result<Outcomes, Obstacle> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &subject.namespace());
    // One that an interrupted run has left.
    remove(&pods).await?;
    let seen = tokio::select! {
        seen = run(&pods, pod(subject, settings, needs, forbids)?) => seen,
        _ = tokio::signal::ctrl_c() => Err(Obstacle::Missing("interrupted".to_owned())),
    };
    remove(&pods).await?;
    seen
}

async fn run(pods: &Api<Pod>, pod: Pod) -> Result<Outcomes, Obstacle> {
    let created = pods.create(&PostParams::default(), &pod).await;
    created.map_err(Obstacle::of(
        "the probing pod was refused: allow create of pods, and leave room for one more in the Tenant's quota",
    ))?;
    let ended = await_condition(pods.clone(), NAME, |pod: Option<&Pod>| {
        let phase = pod.and_then(|pod| pod.status.as_ref()?.phase.as_deref());
        matches!(phase, Some("Succeeded" | "Failed"))
    });
    match timeout(PATIENCE, ended).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            return Err(Obstacle::Missing(format!("the probing pod cannot be watched: {error}")));
        }
        Err(_) => return Err(Obstacle::Missing(unended(pods).await)),
    }
    let log = pods.logs(NAME, &LogParams::default()).await;
    let log = log.map_err(Obstacle::of("the probing pod's log cannot be read: allow get of pods/log"))?;
    serde_json::from_str(log.trim()).map_err(|_| {
        Obstacle::Missing(format!("the probing pod said {:?} instead of what it saw", log.trim()))
    })
}

async fn unended(pods: &Api<Pod>) -> String {
    let waiting = pods.get(NAME).await.ok().and_then(|pod| {
        let status = pod.status?;
        let container = status.container_statuses?.into_iter().next()?.state?.waiting?;
        Some(format!("{}: {}", container.reason?, container.message.unwrap_or_default()))
    });
    let why = waiting.unwrap_or_else(|| "no node took it".to_owned());
    format!("the probing pod did not run within {} s ({why}): does the cluster run pods?", PATIENCE.as_secs())
}

async fn remove(pods: &Api<Pod>) -> Result<(), Obstacle> {
    let params = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    let left = match pods.delete(NAME, &params).await {
        Ok(left) => left,
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
        Err(error) => {
            return Err(Obstacle::of("the probing pod cannot be removed: allow delete of pods")(error));
        }
    };
    if let Some(uid) = left.left().and_then(|pod| pod.uid()) {
        let gone = timeout(PATIENCE, await_condition(pods.clone(), NAME, is_deleted(&uid))).await;
        gone.map_err(|_| Obstacle::Missing(format!("pod {NAME} does not go away: delete it by hand")))?
            .map_err(|error| Obstacle::Missing(format!("the probing pod cannot be watched: {error}")))?;
    }
    Ok(())
}

fn pod(
    subject: &Subject,
    settings: &Settings,
    needs: &[String],
    forbids: &[String],
) -> Result<Pod, Obstacle> {
    let mut args = vec!["probe".to_owned()];
    args.extend(needs.iter().map(|address| format!("--needs={address}")));
    args.extend(forbids.iter().map(|address| format!("--forbids={address}")));
    let pod = json!({
        "metadata": {"name": NAME, "namespace": subject.namespace(), "labels": runtime_labels()},
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": DEADLINE_SECONDS,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{
                "name": "probe",
                "image": settings.runtime.image,
                "imagePullPolicy": settings.runtime.image_pull_policy,
                "args": args,
                "resources": {
                    "requests": {"cpu": "1m", "memory": "8Mi"},
                    "limits": {"cpu": "100m", "memory": "32Mi"},
                },
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]},
                },
            }],
        },
    });
    serde_json::from_value(pod).map_err(|error| Obstacle::Missing(error.to_string()))
}
