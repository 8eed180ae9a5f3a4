//! How much the operator writes when it looks at everything again.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::api::ListParams;
use tokio::process::Command;

use crate::cluster::Cluster;
use crate::objects::Kind;
use crate::tenant::PATIENCE;
use crate::wait::{Look, until};
use crate::{audit, kubectl, platform};

/// The kinds whose watches show that a new operator leads and has begun.
const WATCHED: [(&str, &str); 5] = [
    (platform::PROVISIONER, "tenants"),
    (platform::OPERATOR, "tenants"),
    (platform::OPERATOR, "agents"),
    (platform::OPERATOR, "channelconnections"),
    (platform::OPERATOR, "llmproviders"),
];

/// Restarts the operator and counts, by the audit log, what the new one asks to change from its start until `window`
/// after it watches all kinds. Requests that change nothing count; the lease of leader election does not.
pub async fn second_pass(alone: &Cluster, window: Duration) -> Result<BTreeMap<String, usize>> {
    audit::log()?;
    others_gone(alone).await?;
    let since = restart().await?;
    until(Duration::from_mins(1), "the new operator watching all kinds", || async {
        let mut missing = Vec::new();
        for (user, kind) in WATCHED {
            let watches = |r: &audit::Request| {
                let of_kind = r.object_ref.as_ref().is_some_and(|object| object.resource == kind);
                of_kind && (r.verb == "list" || r.verb == "watch")
            };
            if !audit::requests(user, since)?.iter().any(watches) {
                missing.push((user, kind));
            }
        }
        Ok(if missing.is_empty() { Look::Done(()) } else { Look::NotYet(missing) })
    })
    .await?;
    // Nothing announces that nothing more will come.
    tokio::time::sleep(window).await;
    writes(since)
}

/// How often the operator, by either identity, asked for which change since a moment.
pub fn writes(since: jiff::Timestamp) -> Result<BTreeMap<String, usize>> {
    let mut writes = audit::mutations(platform::OPERATOR, since)?;
    for (what, times) in audit::mutations(platform::PROVISIONER, since)? {
        *writes.entry(what).or_default() += times;
    }
    Ok(writes)
}

/// Waits until the tenants that other tests have deleted are gone, which costs the operator writes.
pub async fn others_gone(alone: &Cluster) -> Result<()> {
    until(2 * PATIENCE, "the tenants of other tests gone", || async {
        let tenants = alone.cluster_api(Kind::Tenant).list(&ListParams::default()).await?.items;
        let leaving = tenants.iter().filter(|tenant| tenant.metadata.deletion_timestamp.is_some()).count();
        Ok(if leaving == 0 { Look::Done(()) } else { Look::NotYet(leaving) })
    })
    .await
}

/// Waits until the operator has asked for no change for a while; returns a moment after its last one.
pub async fn settled(calm: Duration) -> Result<jiff::Timestamp> {
    until(PATIENCE, "a calm operator", || async {
        let since = jiff::Timestamp::now();
        tokio::time::sleep(calm).await;
        let writes = writes(since)?;
        Ok(if writes.is_empty() { Look::Done(since) } else { Look::NotYet(writes) })
    })
    .await
}

/// Returns a moment before the new operator's first request. Nothing is going on that the old one would write about.
async fn restart() -> Result<jiff::Timestamp> {
    if let Some(script) = std::env::var_os("KONSTRUCT_RESTART_OPERATOR") {
        let status = Command::new(script).status().await.context("restarting the operator's process")?;
        ensure!(status.success(), "restarting the operator's process: {status}");
        return Ok(jiff::Timestamp::now());
    }
    let pods = platform::OPERATOR_PODS;
    // The new pods may begin while the old ones are still leaving.
    let since = jiff::Timestamp::now();
    kubectl::run(&["delete", "pod", "--namespace", platform::NAMESPACE, pods, "--timeout=60s"]).await?;
    for deployment in platform::OPERATOR_DEPLOYMENTS {
        platform::rolled_out(platform::NAMESPACE, deployment).await?;
    }
    Ok(since)
}
