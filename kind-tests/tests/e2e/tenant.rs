//! A Tenant and what it becomes. Needs no pods.

use anyhow::{Context, Result, ensure};
use konstruct_kind_tests::datastores::{Postgres, Redis};
use konstruct_kind_tests::objects::{Kind, await_gone, await_status, text};
use konstruct_kind_tests::tenant::PATIENCE;
use konstruct_kind_tests::{Cluster, TestTenant, kubectl, platform};
use kube::api::ListParams;

#[tokio::test]
async fn a_tenant_gets_an_isolated_namespace_with_everything_in_it() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::made(&cluster, "whole").await?;

    let namespace = cluster.cluster_api(Kind::Namespace).get(&tenant.namespace()).await?;
    let labels = namespace.metadata.labels.clone().unwrap_or_default();
    ensure!(
        labels.get("pod-security.kubernetes.io/enforce").map(String::as_str) == Some("restricted"),
        "{labels:?}"
    );
    ensure!(
        labels.contains_key("pod-security.kubernetes.io/enforce-version"),
        "the level is not pinned: {labels:?}"
    );
    ensure!(labels.get("konstruct.dev/tenant") == Some(&tenant.slug), "{labels:?}");

    for kind in [Kind::ResourceQuota, Kind::LimitRange] {
        ensure!(!tenant.api(kind).list(&ListParams::default()).await?.items.is_empty(), "no {kind:?}");
    }
    let policies = tenant.api(Kind::NetworkPolicy).list(&ListParams::default()).await?.items;
    let denies_everything = policies.iter().any(|policy| {
        let spec = &policy.data["spec"];
        spec["podSelector"].as_object().is_some_and(serde_json::Map::is_empty)
            && spec["ingress"].as_array().is_none_or(Vec::is_empty)
            && spec["egress"].as_array().is_none_or(Vec::is_empty)
            && spec["policyTypes"].as_array().is_some_and(|types| types.len() == 2)
    });
    ensure!(denies_everything, "no policy denies everything by default");

    let account = tenant.api(Kind::ServiceAccount).get("konstruct-runtime").await?;
    ensure!(
        account.data["automountServiceAccountToken"] == false,
        "the runtime's token is mounted by default"
    );
    let deployment = tenant.api(Kind::Deployment).get("konstruct-runtime").await?;
    let pod = &deployment.data["spec"]["template"]["spec"];
    ensure!(pod["automountServiceAccountToken"] == false, "the runtime's pod gets a token of the API server");
    let audiences: Vec<&str> = pod["volumes"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|volume| volume["projected"]["sources"].as_array().into_iter().flatten())
        .filter_map(|source| source["serviceAccountToken"]["audience"].as_str())
        .collect();
    ensure!(audiences == ["konstruct-ai-gateway"], "audiences: {audiences:?}");

    let role = tenant.database_role();
    ensure!(Postgres::open().await?.has_role(&role).await?, "no PostgreSQL role {role}");
    ensure!(
        Redis::open().await?.has_user(&tenant.namespace()).await?,
        "no Redis user {}",
        tenant.namespace()
    );
    Ok(())
}

/// A namespace of the tenant's name that somebody else made is not taken over.
#[tokio::test]
async fn a_namespace_that_exists_is_refused_and_untouched() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::new(&cluster, "taken");
    let namespace = tenant.namespace();
    // With the label that our own namespaces carry: a label is no proof of ownership.
    let theirs = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}, labels: {{konstruct.dev/tenant: {}, \
         app.kubernetes.io/managed-by: konstruct}}}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: theirs, \
         namespace: {namespace}}}\n",
        tenant.slug
    );
    // The provisioner's name is borrowed: nobody else may make such a namespace, but one may be older than the guard.
    let (theirs_namespace, theirs_config) = theirs.split_once("---\n").unwrap_or_default();
    let as_operator = format!("--as={}", platform::PROVISIONER);
    kubectl::with_input(&["create", &as_operator, "-f", "-"], theirs_namespace).await?;
    kubectl::apply(theirs_config).await?;
    let before = cluster.cluster_api(Kind::Namespace).get(&namespace).await?;

    kubectl::apply(&tenant.tenant_yaml()).await?;
    let tenants = cluster.cluster_api(Kind::Tenant);
    let refused = await_status(&tenants, &tenant.slug, "NamespaceReady", "False", PATIENCE).await?;
    ensure!(text(&refused, "reason") == "NamespaceConflict", "{refused:#}");
    ensure!(
        text(&refused, "message").contains(&namespace),
        "the message does not name the namespace: {refused:#}"
    );
    await_status(&tenants, &tenant.slug, "Ready", "False", PATIENCE).await?;

    kubectl::run(&["delete", "tenant", &tenant.slug, "--timeout=60s"]).await?;
    let after = cluster.cluster_api(Kind::Namespace).get(&namespace).await?;
    ensure!(before.metadata.resource_version == after.metadata.resource_version, "the namespace was touched");
    ensure!(
        tenant.api(Kind::NetworkPolicy).list(&ListParams::default()).await?.items.is_empty(),
        "policies were put there"
    );
    let service_accounts = tenant.api(Kind::ServiceAccount).list(&ListParams::default()).await?.items;
    let ours = service_accounts.iter().find(|a| a.metadata.name.as_deref() != Some("default"));
    ensure!(ours.is_none(), "a service account was put there");
    kubectl::run(&["delete", "namespace", &namespace, "--wait=false"]).await?;
    Ok(())
}

/// What somebody deletes or edits by hand comes back.
#[tokio::test]
async fn drift_is_repaired() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::made(&cluster, "drift").await?;
    let policies = tenant.api(Kind::NetworkPolicy);
    let name =
        policies.list(&ListParams::default()).await?.items.first().and_then(|p| p.metadata.name.clone());
    let name = name.context("no network policies")?;
    let before = policies.get(&name).await?;
    policies.delete(&name, &kube::api::DeleteParams::default()).await?;
    let uid = before.metadata.uid.clone();
    let back = konstruct_kind_tests::objects::await_object(
        &policies,
        &name,
        "back again",
        |object| object.is_some_and(|object| object.metadata.uid != uid),
        PATIENCE,
    )
    .await?;
    ensure!(back.data["spec"] == before.data["spec"], "{name} came back different");
    Ok(())
}

/// Also without ever having had a pod.
#[tokio::test]
async fn a_deleted_tenant_takes_its_logins_and_rows_along() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::made(&cluster, "brief").await?;
    let (uid, namespace) = (tenant.uid().await?, tenant.namespace());
    let (mut postgres, mut redis) = (Postgres::open().await?, Redis::open().await?);
    ensure!(!postgres.rows_of(&uid).await?.is_empty(), "the tenant has no rows to delete");
    kubectl::run(&["delete", "tenant", &tenant.slug, "--wait=false"]).await?;
    await_gone(&cluster.cluster_api(Kind::Tenant), &tenant.slug, PATIENCE).await?;
    await_gone(&cluster.cluster_api(Kind::Namespace), &namespace, PATIENCE).await?;
    let rows = postgres.rows_of(&uid).await?;
    ensure!(rows.is_empty(), "rows are left in PostgreSQL: {rows:?}");
    ensure!(!postgres.has_role(&tenant.database_role()).await?, "the PostgreSQL role is left");
    ensure!(!redis.has_user(&namespace).await?, "the Redis user is left");
    Ok(())
}

/// What an earlier version made and this one does not want goes, whichever identity it belongs to.
#[tokio::test]
async fn what_is_no_longer_wanted_is_removed() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::made(&cluster, "orphans").await?;
    let pod = "{selector: {matchLabels: {app: old}}, replicas: 0, template: {metadata: {labels: {app: old}}, spec: \
               {containers: [{name: old, image: none}]}}}";
    let viewer = "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}\n\
                  subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ann}]";
    let orphans = [
        (
            Kind::NetworkPolicy,
            "networking.k8s.io/v1",
            "spec: {podSelector: {}, policyTypes: [Ingress]}".to_owned(),
        ),
        (Kind::ResourceQuota, "v1", "spec: {hard: {services: 10}}".to_owned()),
        (Kind::LimitRange, "v1", "spec: {limits: [{type: Container, max: {cpu: 64}}]}".to_owned()),
        (Kind::ServiceAccount, "v1", "automountServiceAccountToken: false".to_owned()),
        (Kind::RoleBinding, "rbac.authorization.k8s.io/v1", viewer.to_owned()),
        (Kind::Deployment, "apps/v1", format!("spec: {pod}")),
    ];
    let (namespace, slug) = (tenant.namespace(), &tenant.slug);
    for (kind, version, rest) in &orphans {
        let labels = format!("{{app.kubernetes.io/managed-by: konstruct, konstruct.dev/tenant: {slug}}}");
        let metadata = format!("{{name: orphan, namespace: {namespace}, labels: {labels}}}");
        let yaml = format!("apiVersion: {version}\nkind: {kind:?}\nmetadata: {metadata}\n{rest}\n");
        kubectl::with_input(&["create", "-f", "-"], &yaml).await?;
    }
    for (kind, ..) in orphans {
        await_gone(&tenant.api(kind), "orphan", PATIENCE).await?;
    }
    Ok(())
}
