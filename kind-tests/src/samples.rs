//! The manifests in manifests/samples.

use anyhow::{Context, Result};
use kube::api::ListParams;

use crate::cluster::Cluster;
use crate::objects::{Kind, await_status};
use crate::tenant::PATIENCE;
use crate::{kubectl, platform};

/// Applies the samples: the tenants first, the rest when there are namespaces for it. Returns the tenants' slugs.
pub async fn apply(cluster: &Cluster) -> Result<Vec<String>> {
    let folder = platform::repository().join("manifests/samples");
    let names = kubectl::apply_path_names(&folder.join("00-tenants.yaml")).await?;
    let mut slugs = Vec::new();
    for name in names.lines().filter_map(|line| line.strip_prefix("tenant.konstruct.dev/")) {
        let tenants = cluster.cluster_api(Kind::Tenant);
        await_status(&tenants, name, "NamespaceReady", "True", PATIENCE).await?;
        let tenant = tenants.get(name).await?;
        slugs.push(tenant.data["spec"]["slug"].as_str().context("a Tenant without a slug")?.to_owned());
    }
    kubectl::apply_path_names(&folder).await?;
    for slug in &slugs {
        give_bot_tokens(cluster, &format!("kt-{slug}")).await?;
    }
    Ok(slugs)
}

/// Replaces the made-up bot tokens by ones that the counterpart takes, as a user does with real ones.
async fn give_bot_tokens(cluster: &Cluster, namespace: &str) -> Result<()> {
    for connection in
        cluster.api(Kind::ChannelConnection, namespace).list(&ListParams::default()).await?.items
    {
        let slack = &connection.data["spec"]["slack"];
        let (team, secret) = (slack["teamId"].as_str(), &slack["botTokenRef"]);
        if let (Some(team), Some(name), Some(key)) = (team, secret["name"].as_str(), secret["key"].as_str()) {
            let patch = serde_json::json!({"stringData": {key: format!("xoxb-{team}")}}).to_string();
            kubectl::run(&[
                "patch",
                "secret",
                name,
                "--namespace",
                namespace,
                "--type=merge",
                "--patch",
                &patch,
            ])
            .await?;
        }
    }
    Ok(())
}

/// Deletes the samples, tenants last to wait for.
pub async fn delete(_cluster: &Cluster) -> Result<()> {
    let folder = platform::repository().join("manifests/samples");
    let folder = folder.to_str().context("the repository's path is not UTF-8")?;
    kubectl::run(&["delete", "--ignore-not-found", "--recursive", "-f", folder, "--timeout=120s"]).await?;
    Ok(())
}
