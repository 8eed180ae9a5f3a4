//! Installs what the tests run on, as a user would: `kubectl apply --server-side` of YAML. Applying it again is free.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::Client;
use tokio::process::Command;

use crate::kubectl;
use crate::objects::{Kind, api, await_status};

/// Where the platform's own processes run.
pub const NAMESPACE: &str = "konstruct-system";
/// Where Slack's stand-in and the tests' model run.
pub const COUNTERPARTS: &str = "konstruct-counterparts";
/// Who makes tenants' namespaces, at the API server.
pub const PROVISIONER: &str = "system:serviceaccount:konstruct-system:konstruct-provisioner";
/// Who does the rest.
pub const OPERATOR: &str = "system:serviceaccount:konstruct-system:konstruct-operator";

/// Both identities of the operator.
pub const OPERATOR_DEPLOYMENTS: [&str; 2] = ["konstruct-provisioner", "konstruct-operator"];
pub const OPERATOR_PODS: &str =
    "--selector=app.kubernetes.io/name in (konstruct-provisioner,konstruct-operator)";

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// The image names in the YAML, and the variables that name others for a cluster with a registry of its own.
const IMAGES: [(&str, &str); 5] = [
    ("localhost/konstruct:dev", "KONSTRUCT_IMAGE"),
    ("localhost/konstruct-postgres:test", "KONSTRUCT_POSTGRES_IMAGE"),
    ("localhost/konstruct-redis:test", "KONSTRUCT_REDIS_IMAGE"),
    ("localhost/konstruct-slack:test", "KONSTRUCT_SLACK_IMAGE"),
    ("localhost/konstruct-counterparts:test", "KONSTRUCT_COUNTERPARTS_IMAGE"),
];

/// Makes our kinds known to the API server.
pub async fn define() -> Result<()> {
    kubectl::apply_path_names(&repository().join("crds/generated")).await?;
    kubectl::run(&[
        "wait",
        "--for=condition=Established",
        "--timeout=60s",
        "customresourcedefinition",
        "--all",
    ])
    .await?;
    Ok(())
}

/// Installs the platform over its definitions, and waits until it serves.
pub async fn install(client: &Client) -> Result<()> {
    // A finished Job cannot be changed, and its image may be another one now.
    let migrations = "--selector=app.kubernetes.io/name=konstruct-migrate";
    kubectl::run(&["delete", "job", "--namespace", NAMESPACE, migrations]).await?;
    apply_rendered(&repository().join("kind-tests/fixtures")).await?;
    for (namespace, name) in [
        ("konstruct-data", "postgres"),
        ("konstruct-data", "redis"),
        (COUNTERPARTS, "slack"),
        (COUNTERPARTS, "model"),
        (NAMESPACE, "konstruct-provisioner"),
        (NAMESPACE, "konstruct-operator"),
        (NAMESPACE, "konstruct-gateway"),
        (NAMESPACE, "konstruct-ai-gateway"),
    ] {
        rolled_out(namespace, name).await?;
    }
    let providers = api(client, Kind::LLMProvider, Some(NAMESPACE));
    await_status(&providers, "shared-echo", "Ready", "True", Duration::from_mins(1)).await?;
    Ok(())
}

/// Waits until a Deployment's newest pods serve and its older ones are gone.
pub async fn rolled_out(namespace: &str, deployment: &str) -> Result<()> {
    let name = format!("deployment/{deployment}");
    kubectl::run(&["rollout", "status", "--namespace", namespace, &name, "--timeout=180s"]).await?;
    Ok(())
}

/// Stops the operator until [`start_operator`], for a test that changes what it would repair. Such a test runs alone.
pub async fn stop_operator() -> Result<()> {
    if let Some(script) = std::env::var_os("KONSTRUCT_RESTART_OPERATOR") {
        let status = Command::new(script).arg("stop").status().await.context("stopping the operator")?;
        ensure!(status.success(), "stopping the operator's process: {status}");
        return Ok(());
    }
    scale_operator("0").await?;
    kubectl::run(&["wait", "--namespace", NAMESPACE, "--for=delete", "pod", OPERATOR_PODS, "--timeout=60s"])
        .await?;
    Ok(())
}

pub async fn start_operator() -> Result<()> {
    if let Some(script) = std::env::var_os("KONSTRUCT_RESTART_OPERATOR") {
        let status = Command::new(script).status().await.context("starting the operator")?;
        ensure!(status.success(), "starting the operator's process: {status}");
        return Ok(());
    }
    scale_operator("1").await?;
    for deployment in OPERATOR_DEPLOYMENTS {
        rolled_out(NAMESPACE, deployment).await?;
    }
    Ok(())
}

async fn scale_operator(replicas: &str) -> Result<()> {
    let replicas = format!("--replicas={replicas}");
    let [provisioner, operator] = OPERATOR_DEPLOYMENTS;
    kubectl::run(&["scale", "deployment", provisioner, operator, "--namespace", NAMESPACE, &replicas])
        .await?;
    Ok(())
}

/// Builds a kustomization and applies it with the images of this run.
async fn apply_rendered(folder: &Path) -> Result<()> {
    let folder = folder.to_str().context("the repository's path is not UTF-8")?;
    let mut yaml = kubectl::run(&["kustomize", folder]).await?;
    for (name, variable) in IMAGES {
        if let Ok(image) = std::env::var(variable) {
            yaml = yaml.replace(name, &image);
        }
    }
    kubectl::apply(&yaml).await?;
    Ok(())
}
