//! Quotas that count our kinds.

use std::time::Duration;

use anyhow::Result;
use kube::ResourceExt;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use crate::cluster::Cluster;
use crate::objects::Kind;
use crate::wait::{Look, until};

/// How often Kubernetes looks for kinds that it does not count yet, and some time for that.
const DISCOVERY: Duration = Duration::from_mins(1);
/// How soon a quota is counted when the kind is known.
const COUNTING: Duration = Duration::from_secs(2);

/// Waits until the controller manager of a fresh cluster has found our definitions. A quota of before is counted only at
/// its next full pass, minutes later.
pub async fn await_counting(cluster: &Cluster) -> Result<()> {
    let quotas = cluster.api(Kind::ResourceQuota, "default");
    until(DISCOVERY, "our kinds being counted", || async {
        let quota = json!({
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"generateName": "counting-"},
            "spec": {"hard": {"count/agents.konstruct.dev": "1000"}},
        });
        let name = quotas.create(&PostParams::default(), &serde_json::from_value(quota)?).await?.name_any();
        tokio::time::sleep(COUNTING).await;
        let counted =
            quotas.get(&name).await?.data["status"]["used"].get("count/agents.konstruct.dev").is_some();
        quotas.delete(&name, &DeleteParams::default()).await?;
        Ok(if counted { Look::Done(()) } else { Look::NotYet("not counted") })
    })
    .await
}
