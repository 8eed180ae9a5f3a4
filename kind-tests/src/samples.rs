//! The manifests in manifests/samples.

use anyhow::{Context, Result};

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
    Ok(slugs)
}

/// Deletes the samples, tenants last to wait for.
pub async fn delete(_cluster: &Cluster) -> Result<()> {
    let folder = platform::repository().join("manifests/samples");
    let folder = folder.to_str().context("the repository's path is not UTF-8")?;
    kubectl::run(&["delete", "--ignore-not-found", "--recursive", "-f", folder, "--timeout=120s"]).await?;
    Ok(())
}
