//! What many tenants cost the operator: `kind-tests/run --scale TENANTS AGENTS`, on an API server without a node.
//!
//! All tenants are applied at once, then all agents; then the operator is restarted over all of it, and single changes
//! are timed. Requests are counted by the API server's audit log, CPU and memory are those of /proc. No pods are
//! made, so no runtime loads anything: a tenant has converged when it has its children, logins and snapshot, and an agent
//! when its snapshot is published and its status says so.

mod process;

use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;
use std::pin::pin;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use konstruct_kind_tests::objects::{Kind, api};
use konstruct_kind_tests::{Cluster, audit, kubectl, platform, quota};
use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use process::Process;

/// As many as the driver of the peers has.
const CREATORS: usize = 8;
const CHANGES: usize = 10;
/// As the driver of the peers.
const BETWEEN_CHANGES: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_mins(20);
/// Quiet for this long means that nothing more comes.
const QUIET: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<()> {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let [tenants, agents] = numbers[..] else { anyhow::bail!("write: scale TENANTS AGENTS") };
    let cluster = Cluster::with_definitions().await?;
    quota::await_counting(&cluster).await?;
    provider().await?;
    let server = Process::named("kube-apiserver")?;
    let mut report = BTreeMap::new();

    let mut operator = start()?;
    let own = Process::of(operator.id().context("the operator has ended")?);
    tokio::time::sleep(QUIET).await;
    report.insert("1 memory empty, MiB", own.memory()?.0);
    let (since, own_cpu, server_cpu) = (jiff::Timestamp::now(), own.cpu()?, server.cpu()?);
    let begun = Instant::now();
    create_tenants(&cluster, tenants).await?;
    converged(&cluster, Kind::Tenant, tenants, |tenant| {
        has(tenant, "DatabaseReady") && has(tenant, "CacheReady")
    })
    .await?;
    report.insert("2 tenants converged, s", begun.elapsed().as_secs_f64());
    create_agents(&cluster, tenants, agents).await?;
    converged(&cluster, Kind::Agent, tenants * agents, |agent| has(agent, "ResolvedRefs")).await?;
    report.insert("3 everything converged, s", begun.elapsed().as_secs_f64());
    settle(since).await?;
    report.insert("4 mutating requests", count(since)?);
    report.insert("5 operator CPU, s", own.cpu()? - own_cpu);
    report.insert("6 API server CPU, s", server.cpu()? - server_cpu);
    let (steady, peak) = own.memory()?;
    report.insert("7 memory peak, MiB", peak);
    report.insert("8 memory steady, MiB", steady);
    say(&format!("{:#?}", audit::mutations_by_kind(platform::OPERATOR, since)?))?;

    operator.kill().await?;
    let since = jiff::Timestamp::now();
    let mut operator = start()?;
    let own = Process::of(operator.id().context("the operator has ended")?);
    tokio::time::sleep(4 * QUIET).await;
    report.insert("A restart: mutating requests", count(since)?);
    report.insert("B restart: operator CPU, s", own.cpu()?);
    report.insert("C restart: memory peak, MiB", own.memory()?.1);

    let since = jiff::Timestamp::now();
    let mut latencies = changes(&cluster, tenants).await?;
    latencies.sort_by(f64::total_cmp);
    settle(since).await?;
    report
        .insert("D change to child, p50 ms", latencies.get(latencies.len() / 2).copied().unwrap_or(f64::NAN));
    report.insert("E change to child, highest ms", latencies.last().copied().unwrap_or(f64::NAN));
    report.insert("F mutating requests a change", count(since)? / f64::from(u32::try_from(CHANGES)?));
    operator.kill().await?;
    for (what, value) in &report {
        say(&format!("{what:34} {value:10.2}"))?;
    }
    Ok(())
}

fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("cannot write to standard output")
}

fn start() -> Result<Child> {
    let script =
        std::env::var("KONSTRUCT_OPERATOR").context("KONSTRUCT_OPERATOR is missing: use kind-tests/run")?;
    let kubeconfig =
        std::env::var("KONSTRUCT_OPERATOR_KUBECONFIG").context("KONSTRUCT_OPERATOR_KUBECONFIG is missing")?;
    Command::new(script)
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("starting the operator")
}

/// One provider that all agents share, so that an agent is what is measured.
async fn provider() -> Result<()> {
    kubectl::apply(
        "apiVersion: konstruct.dev/v1alpha1\nkind: LLMProvider\n\
         metadata: {name: scale, namespace: konstruct-system}\n\
         spec: {openai: {baseUrl: http://127.0.0.1:1/v1}, models: [m], allowedTenants: {all: true}}\n",
    )
    .await?;
    Ok(())
}

fn slug(number: usize) -> String {
    format!("scale-{number:04}")
}

async fn create_tenants(cluster: &Cluster, tenants: usize) -> Result<()> {
    let all = cluster.cluster_api(Kind::Tenant);
    let objects = (0..tenants).map(|number| {
        let slug = slug(number);
        json!({"apiVersion": "konstruct.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": slug},
            "spec": {"displayName": slug, "slug": slug, "deletionPolicy": "Delete"}})
    });
    create(&all, objects).await
}

async fn create_agents(cluster: &Cluster, tenants: usize, agents: usize) -> Result<()> {
    stream::iter((0..tenants).map(|number| {
        let namespaced = cluster.api(Kind::Agent, &format!("kt-{}", slug(number)));
        async move {
            for agent in 0..agents {
                let object = json!({"apiVersion": "konstruct.dev/v1alpha1", "kind": "Agent",
                    "metadata": {"name": format!("agent-{agent}")},
                    "spec": {"displayName": "Ada", "models": [{"provider": "scale", "model": "m"}]}});
                namespaced.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
            }
            anyhow::Ok(())
        }
    }))
    .buffer_unordered(CREATORS)
    .try_collect()
    .await
}

async fn create(api: &Api<DynamicObject>, objects: impl Iterator<Item = Value>) -> Result<()> {
    stream::iter(objects.map(|object| async move {
        api.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
        anyhow::Ok(())
    }))
    .buffer_unordered(CREATORS)
    .try_collect()
    .await
}

fn has(object: &DynamicObject, condition: &str) -> bool {
    let conditions = object.data["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|c| c["type"] == condition && c["status"] == "True"))
}

/// Watches, as the driver of the peers does: lists of a thousand objects would be work of the API server's too.
async fn converged(
    cluster: &Cluster,
    kind: Kind,
    wanted: usize,
    done: impl Fn(&DynamicObject) -> bool,
) -> Result<()> {
    let all = api(&cluster.client, kind, None);
    let mut seen = pin!(watcher(all, watcher::Config::default()).default_backoff().applied_objects());
    let mut reached = HashSet::new();
    let all_reached = async {
        while let Some(event) = seen.next().await {
            // A watch that breaks off begins again.
            let Ok(object) = event else { continue };
            if done(&object) {
                reached.insert(object.uid());
            }
            if reached.len() >= wanted {
                return Ok(());
            }
        }
        anyhow::bail!("the watch has ended")
    };
    tokio::time::timeout(PATIENCE, all_reached)
        .await
        .with_context(|| format!("of {wanted} {kind:?}s not all after {PATIENCE:?}"))?
}

/// Waits until the operator asks for no more changes.
async fn settle(since: jiff::Timestamp) -> Result<()> {
    let mut before = count(since)?;
    loop {
        tokio::time::sleep(QUIET).await;
        let now = count(since)?;
        if now.to_bits() == before.to_bits() {
            return Ok(());
        }
        before = now;
    }
}

fn count(since: jiff::Timestamp) -> Result<f64> {
    let total: usize = audit::mutations(platform::OPERATOR, since)?.values().sum();
    Ok(f64::from(u32::try_from(total)?))
}

/// Milliseconds from a changed quota of a Tenant to the changed ResourceQuota, one after the other.
async fn changes(cluster: &Cluster, tenants: usize) -> Result<Vec<f64>> {
    let mut latencies = Vec::new();
    for number in (0..tenants).cycle().take(CHANGES) {
        latencies.push(change(cluster, &slug(number), 20 + latencies.len()).await?);
        tokio::time::sleep(BETWEEN_CHANGES).await;
    }
    Ok(latencies)
}

async fn change(cluster: &Cluster, slug: &str, pods: usize) -> Result<f64> {
    let quotas = cluster.api(Kind::ResourceQuota, &format!("kt-{slug}"));
    let tenants = cluster.cluster_api(Kind::Tenant);
    let version = quotas.list_metadata(&ListParams::default()).await?.metadata.resource_version;
    let watch = quotas.watch(&WatchParams::default(), &version.context("a list without a version")?).await?;
    // Opens the connection that the change goes over: the watch keeps the one before to itself.
    tenants.get_metadata(slug).await?;
    let wanted = pods.to_string();
    let changed = watch.try_filter_map(|event| {
        let quota = match event {
            WatchEvent::Added(quota) | WatchEvent::Modified(quota) => Some(quota),
            _ => None,
        };
        let is_changed =
            quota.is_some_and(|quota| quota.data["spec"]["hard"]["pods"].as_str() == Some(&wanted));
        std::future::ready(Ok(is_changed.then_some(())))
    });
    let begun = Instant::now();
    let patch = Patch::Merge(json!({"spec": {"quota": {"pods": pods}}}));
    tenants.patch(slug, &PatchParams::default(), &patch).await?;
    let seen = tokio::time::timeout(Duration::from_mins(1), pin!(changed).try_next()).await;
    seen.context("a change was not followed in a minute")??.context("the watch has ended")?;
    Ok(begun.elapsed().as_secs_f64() * 1000.0)
}
