//! What the product takes up.

use std::time::Duration;

use anyhow::{Context, Result};
use konstruct_kind_tests::datastores::Postgres;
use konstruct_kind_tests::objects::{Kind, await_status};
use konstruct_kind_tests::tenant::PATIENCE;
use konstruct_kind_tests::webchat::Conversation;
use konstruct_kind_tests::{Cluster, TestTenant, kubectl, platform, quiet};
use kube::api::ListParams;
use serde_json::Value;

use crate::figure::Figure;

const MIB: f64 = 1024.0 * 1024.0;

/// Resident memory of a runtime with ten agents that have answered and are idle, by the kubelet's own account.
pub(crate) async fn runtime_memory(cluster: &Cluster) -> Result<Figure> {
    let mut raw = Vec::new();
    for _ in 0..5 {
        let tenant = tenant_with_ten_agents(cluster).await?;
        idle(cluster, &tenant).await?;
        raw.push(resident_bytes(cluster, &tenant.namespace()).await? / MIB);
    }
    Ok(Figure::highest("runtime-memory", "MiB", 40.0, raw))
}

/// PostgreSQL sessions of an idle runtime's role, looked at five times, three seconds apart.
pub(crate) async fn idle_connections(cluster: &Cluster) -> Result<Figure> {
    let tenant = tenant_with_ten_agents(cluster).await?;
    idle(cluster, &tenant).await?;
    let mut postgres = Postgres::open().await?;
    let mut raw = Vec::new();
    for _ in 0..5 {
        let sessions = postgres.sessions(&tenant.database_role()).await?;
        raw.push(f64::from(i32::try_from(sessions)?));
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    Ok(Figure::highest("idle-connections", "", 0.0, raw))
}

/// Five restarts of the operator over a tenant with ten agents.
pub(crate) async fn second_pass_writes(cluster: &Cluster) -> Result<Figure> {
    let tenant = tenant_with_ten_agents(cluster).await?;
    idle(cluster, &tenant).await?;
    let mut raw = Vec::new();
    for _ in 0..5 {
        let writes: usize = quiet::second_pass(cluster, Duration::from_secs(15)).await?.values().sum();
        raw.push(f64::from(u32::try_from(writes)?));
    }
    Ok(Figure::highest("second-pass-writes", "", 0.0, raw))
}

/// The platform's image as the node has it.
pub(crate) async fn image_size(cluster: &Cluster) -> Result<Figure> {
    let image = std::env::var("KONSTRUCT_IMAGE").context("KONSTRUCT_IMAGE must name the platform's image")?;
    let nodes = cluster.cluster_api(Kind::Node).list(&ListParams::default()).await?.items;
    let images = nodes.iter().flat_map(|node| node.data["status"]["images"].as_array().into_iter().flatten());
    let ours =
        |entry: &&Value| entry["names"].as_array().into_iter().flatten().any(|name| name == image.as_str());
    let bytes = images.filter(ours).find_map(|entry| entry["sizeBytes"].as_f64());
    let bytes = bytes.with_context(|| {
        format!("no node lists the image {image} yet: the kubelet reports its images every few minutes")
    })?;
    Ok(Figure::highest("image-size", "MB", 60.0, vec![bytes / 1e6]))
}

/// The largest of the committed custom resource definitions.
pub(crate) fn largest_crd() -> Result<Figure> {
    let folder = platform::repository().join("crds/generated");
    let mut raw = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        raw.push(f64::from(u32::try_from(entry?.metadata()?.len())?) / 1e3);
    }
    Ok(Figure::highest("largest-crd", "kB", 100.0, raw))
}

async fn tenant_with_ten_agents(cluster: &Cluster) -> Result<TestTenant<'_>> {
    let tenant = TestTenant::with_employee(cluster, "ten").await?;
    let more: Vec<String> = (1..10)
        .map(|i| tenant.agent_with(&format!("colleague-{i}"), "shared-echo", "Answer in one sentence."))
        .collect();
    kubectl::apply(&more.join("---\n")).await?;
    for i in 1..10 {
        await_status(&tenant.api(Kind::Agent), &format!("colleague-{i}"), "Ready", "True", PATIENCE).await?;
    }
    Ok(tenant)
}

/// Lets the agent work a little and then rest, longer than the runtime keeps an unused connection.
async fn idle(cluster: &Cluster, tenant: &TestTenant<'_>) -> Result<()> {
    let gateway = cluster.gateway().await?;
    let mut conversation = Conversation::start(&gateway, &tenant.chat_path().await?).await?;
    for _ in 0..10 {
        conversation.ask("Hello", Duration::from_secs(30)).await?;
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    Ok(())
}

/// Resident set of the runtime: of its process where the node is this machine, else the container's working set by the
/// kubelet's account, which is somewhat more.
async fn resident_bytes(cluster: &Cluster, namespace: &str) -> Result<f64> {
    let pods = cluster.api(Kind::Pod, namespace).list(&ListParams::default()).await?.items;
    let pod = pods.into_iter().next().context("the tenant has no pod")?;
    let uid = pod.metadata.uid.context("a pod without a UID")?;
    if let Some(bytes) = process_bytes(&uid) {
        return Ok(bytes);
    }
    let node = pod.data["spec"]["nodeName"].as_str().context("the pod is on no node")?;
    let summary =
        kubectl::run(&["get", "--raw", &format!("/api/v1/nodes/{node}/proxy/stats/summary")]).await?;
    let summary: Value = serde_json::from_str(&summary)?;
    let ours =
        summary["pods"].as_array().into_iter().flatten().find(|entry| entry["podRef"]["uid"] == uid.as_str());
    let bytes = ours.and_then(|pod| pod["containers"][0]["memory"]["workingSetBytes"].as_f64());
    bytes.with_context(|| format!("the kubelet reports no memory of {namespace}"))
}

/// VmRSS of the executable `konstruct` in a pod's control group.
fn process_bytes(pod: &str) -> Option<f64> {
    let folders = std::fs::read_dir("/proc").ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let mut status = folders.filter_map(|folder| {
        let group = std::fs::read_to_string(folder.join("cgroup")).ok()?;
        let status = std::fs::read_to_string(folder.join("status")).ok()?;
        (group.contains(pod) && status.starts_with("Name:\tkonstruct\n")).then_some(status)
    });
    let line = status.next()?.lines().find_map(|line| line.strip_prefix("VmRSS:").map(str::to_owned))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024.0)
}
