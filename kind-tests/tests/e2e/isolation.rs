//! `konstruct verify isolation`: silent on what the operator makes, loud on each way to break it. Only what needs packets
//! needs pods.

use std::time::Duration;

use anyhow::{Result, ensure};
use konstruct_kind_tests::cluster::control_plane_only;
use konstruct_kind_tests::datastores::Postgres;
use konstruct_kind_tests::objects::{Kind, condition};
use konstruct_kind_tests::verify::{Verified, isolation};
use konstruct_kind_tests::wait::{Look, until};
use konstruct_kind_tests::{Cluster, TestTenant, kubectl, platform};

/// What needs no pod and no ai-gateway.
const FAMILIES: &str = "database,cache,kubernetes";

#[tokio::test]
async fn a_tenant_as_the_operator_makes_it_is_isolated() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::made(&cluster, "verified").await?;
    let _other = TestTenant::made(&cluster, "other").await?;
    let verified = isolation(&tenant.slug, FAMILIES).await?;
    ensure!(verified.exit_code == 0, "{}", open(&verified));
    let object = cluster.cluster_api(Kind::Tenant).get(&tenant.slug).await?;
    ensure!(condition(&object, "IsolationVerified").is_none(), "a partial run has written the condition");
    Ok(())
}

/// A full run, whose verdict is on the Tenant. Alone: it asks about every other tenant there is, also about one that leaves.
/// What the machine cannot run is said and not counted as passed.
#[tokio::test]
async fn a_full_run_writes_the_condition() -> Result<()> {
    let cluster = Cluster::alone().await?;
    let tenant = TestTenant::made(&cluster, "full").await?;
    let _other = TestTenant::made(&cluster, "other").await?;
    let verified = isolation(&tenant.slug, "").await?;
    let (exit_code, status, reason) = match (control_plane_only(), enforced(&verified)) {
        (true, _) => (2, "Unknown", "ProbesSkipped"),
        (false, true) => (0, "True", "ProbesPassed"),
        (false, false) => (1, "False", "IsolationBreached"),
    };
    ensure!(verified.exit_code == exit_code, "{}", open(&verified));
    if reason == "IsolationBreached" {
        let expected = ["net-tenants", "net-api"];
        ensure!(verified.with("breach") == expected, "{}", open(&verified));
    }
    let object = cluster.cluster_api(Kind::Tenant).get(&tenant.slug).await?;
    let written = condition(&object, "IsolationVerified").cloned().unwrap_or_default();
    ensure!(written["status"] == status && written["reason"] == reason, "{written:#}");
    Ok(())
}

/// On a cluster that ignores policies, exactly that is said.
fn enforced(verified: &Verified) -> bool {
    !verified.detail("net-api").contains("does not enforce NetworkPolicies")
}

/// A change by kubectl, and the probes that must notice it. Each brings something new.
fn mutations(namespace: &str) -> Vec<(String, &'static [&'static str])> {
    let account = format!("--serviceaccount={namespace}:konstruct-runtime");
    // Admission lets nobody else do it, unless the policies are gone.
    let operator = format!("--as={}", platform::PROVISIONER);
    vec![
        (format!("delete networkpolicy allow-redis -n {namespace}"), &["k8s-policies"]),
        (format!("delete networkpolicy default-deny -n {namespace}"), &["k8s-default-deny"]),
        (
            format!(
                "label namespace {namespace} pod-security.kubernetes.io/enforce=privileged --overwrite {operator}"
            ),
            &["k8s-labels", "k8s-admission"],
        ),
        (
            format!(
                "annotate namespace {namespace} konstruct.dev/tenant-uid=somebody --overwrite {operator}"
            ),
            &["k8s-namespace"],
        ),
        (format!("delete resourcequota konstruct-tenant -n {namespace}"), &["k8s-quota"]),
        (format!("delete limitrange konstruct-tenant -n {namespace}"), &["k8s-limits"]),
        (
            format!(
                "patch serviceaccount konstruct-runtime -n {namespace} -p {{\"automountServiceAccountToken\":true}}"
            ),
            &["k8s-account"],
        ),
        (
            format!(
                "patch deployment konstruct-runtime -n {namespace} -p {{\"spec\":{{\"template\":{{\"spec\":{{\"hostPID\":true}}}}}}}}"
            ),
            &["k8s-runtime"],
        ),
        (
            format!("create rolebinding e2e-mallory --clusterrole=view --user=mallory -n {namespace}"),
            &["k8s-bindings-inside"],
        ),
        (
            format!("create rolebinding {namespace} --clusterrole=view {account} -n konstruct-system"),
            &["k8s-others", "k8s-bindings-anywhere"],
        ),
        (
            format!("create clusterrolebinding {namespace} --clusterrole=cluster-admin {account}"),
            &["k8s-cluster", "k8s-own", "k8s-giving"],
        ),
    ]
}

#[tokio::test]
async fn each_change_of_the_cluster_is_found() -> Result<()> {
    let cluster = Cluster::alone().await?;
    let tenant = TestTenant::made(&cluster, "mutated").await?;
    let namespace = tenant.namespace();
    let uid = tenant.uid().await?;
    // It would repair what is changed here before anybody looks.
    platform::stop_operator().await?;
    let found = break_and_verify(&tenant.slug, &namespace).await;
    for kind in ["rolebinding", "clusterrolebinding"] {
        kubectl::run(&["delete", kind, &namespace, "-n", platform::NAMESPACE, "--ignore-not-found"]).await?;
    }
    kubectl::run(&["delete", "rolebinding", "e2e-mallory", "-n", &namespace, "--ignore-not-found"]).await?;
    // A field that the operator never sets is left to whoever set it.
    let shared = "{\"spec\":{\"template\":{\"spec\":{\"hostPID\":null}}}}";
    kubectl::run(&["patch", "deployment", "konstruct-runtime", "-n", &namespace, "-p", shared]).await?;
    let mark = format!("konstruct.dev/tenant-uid={uid}");
    let operator = format!("--as={}", platform::PROVISIONER);
    kubectl::run(&["annotate", "namespace", &namespace, &mark, "--overwrite", &operator]).await?;
    platform::start_operator().await?;
    found?;
    // The rest is the operator's to repair.
    until(Duration::from_secs(90), "the tenant being isolated again", || async {
        let verified = isolation(&tenant.slug, "kubernetes").await?;
        Ok(if verified.exit_code == 0 { Look::Done(()) } else { Look::NotYet(open(&verified)) })
    })
    .await
}

async fn break_and_verify(tenant: &str, namespace: &str) -> Result<()> {
    let verified = isolation(tenant, "kubernetes").await?;
    ensure!(verified.exit_code == 0, "before any change: {}", open(&verified));
    let mut known: Vec<String> = Vec::new();
    for (change, expected) in mutations(namespace) {
        kubectl::run(&change.split(' ').collect::<Vec<_>>()).await?;
        let verified = isolation(tenant, "kubernetes").await?;
        let breached: Vec<String> = verified.with("breach").into_iter().map(str::to_owned).collect();
        for id in expected {
            let is_new = breached.iter().any(|found| found == id) && !known.iter().any(|found| found == id);
            ensure!(is_new, "{change}: {id} did not notice; {}", open(&verified));
        }
        ensure!(verified.exit_code == 1, "{change}: exit code {}", verified.exit_code);
        known = breached;
    }
    Ok(())
}

#[tokio::test]
async fn each_change_of_the_database_is_found() -> Result<()> {
    let cluster = Cluster::alone().await?;
    let tenant = TestTenant::made(&cluster, "opened").await?;
    let mut postgres = Postgres::open().await?;
    for (change, repair, expected) in [
        (
            "alter table konstruct.model_call disable row level security",
            "alter table konstruct.model_call enable row level security",
            "db-tables",
        ),
        (
            "grant select on konstruct.channel_secret to konstruct_runtime",
            "revoke select on konstruct.channel_secret from konstruct_runtime",
            "db-rights",
        ),
    ] {
        postgres.execute(change).await?;
        let verified = isolation(&tenant.slug, "database").await;
        postgres.execute(repair).await?;
        let verified = verified?;
        ensure!(verified.exit_code == 1, "{change}: exit code {}", verified.exit_code);
        ensure!(verified.with("breach").contains(&expected), "{change}: {}", open(&verified));
    }
    let verified = isolation(&tenant.slug, "database").await?;
    ensure!(verified.exit_code == 0, "{}", open(&verified));
    Ok(())
}

/// What did not pass, and why.
fn open(verified: &Verified) -> String {
    let ids = verified.with("breach").into_iter().chain(verified.with("skipped"));
    let lines = ids.map(|id| format!("{id}: {}", verified.detail(id)));
    format!("exit code {}\n{}", verified.exit_code, lines.collect::<Vec<_>>().join("\n"))
}
