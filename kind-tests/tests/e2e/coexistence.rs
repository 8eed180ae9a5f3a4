//! The operator beside another manager that applies to the same objects, as a GitOps tool or an autoscaler does: each
//! keeps its fields, and neither writes because the other one did. Needs no pods.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use konstruct_kind_tests::objects::{Kind, await_object};
use konstruct_kind_tests::tenant::PATIENCE;
use konstruct_kind_tests::wait::window;
use konstruct_kind_tests::{Cluster, TestTenant, kubectl, quiet};
use kube::api::{ApiResource, DynamicObject, ListParams};
use tokio::time::{Instant, sleep};

const MANAGER: &str = "--field-manager=gitops";
const MARK: &str = "gitops.example.com/owner";
const CALM: Duration = Duration::from_secs(3);
/// Between two rounds of the other manager. A GitOps tool takes minutes.
const PAUSE: Duration = Duration::from_secs(1);

/// The kinds of the objects that the operator makes in a tenant's namespace; RoleBindings are guarded against others.
const OWNED: [Kind; 5] =
    [Kind::Deployment, Kind::ResourceQuota, Kind::LimitRange, Kind::NetworkPolicy, Kind::ServiceAccount];

/// What the other manager applies: a label and an annotation on every object of the operator, fields of the Deployment
/// that the operator does not set, its replicas with the same value, and the Tenant and the Agent themselves.
async fn foreign(tenant: &TestTenant<'_>) -> Result<String> {
    let marks = format!("labels: {{{MARK}: blue}}, annotations: {{{MARK}: blue}}");
    let (slug, namespace) = (&tenant.slug, tenant.namespace());
    let mut documents = vec![
        format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}, {marks}}}\n"),
        tenant.tenant_yaml().replace(&format!("{{name: {slug}}}"), &format!("{{name: {slug}, {marks}}}")),
        tenant.agent_yaml("Answer in one sentence."),
    ];
    for kind in OWNED {
        for object in tenant.api(kind).list(&ListParams::default()).await?.items {
            let name = object.metadata.name.context("an object without a name")?;
            let spec = match kind {
                Kind::Deployment => "spec: {replicas: 1, minReadySeconds: 1}\n",
                _ => "",
            };
            let ApiResource { api_version: version, kind, .. } = kind.resource();
            documents.push(format!(
                "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}, {marks}}}\n{spec}"
            ));
        }
    }
    Ok(documents.join("---\n"))
}

/// What is there, without what other controllers of the cluster write beside the two: a status, and with each of its
/// changes a resource version. The operator's own writes are counted from the audit log.
async fn wanted(cluster: &Cluster, tenant: &TestTenant<'_>) -> Result<Vec<DynamicObject>> {
    let mut objects = vec![
        cluster.cluster_api(Kind::Tenant).get(&tenant.slug).await?,
        cluster.cluster_api(Kind::Namespace).get(&tenant.namespace()).await?,
        tenant.api(Kind::Agent).get("grace").await?,
    ];
    for kind in OWNED {
        objects.extend(tenant.api(kind).list(&ListParams::default()).await?.items);
    }
    for object in &mut objects {
        object.metadata.resource_version = None;
        if let Some(managers) = &mut object.metadata.managed_fields {
            managers.retain(|manager| manager.subresource.as_deref() != Some("status"));
            // Who owns what counts; when they said so last, the API server notes now and then for an apply of nothing new.
            for manager in managers.iter_mut() {
                manager.time = None;
            }
            managers.sort_by(|one, other| one.manager.cmp(&other.manager));
        }
        // The Deployment controller counts its own roll-outs here.
        if let Some(annotations) = &mut object.metadata.annotations {
            annotations.remove("deployment.kubernetes.io/revision");
        }
        if let Some(content) = object.data.as_object_mut() {
            content.remove("status");
        }
    }
    Ok(objects)
}

/// `KONSTRUCT_COEXISTENCE_SECONDS=300` for five minutes.
#[tokio::test]
async fn another_manager_and_the_operator_leave_each_others_fields_alone() -> Result<()> {
    let cluster = Cluster::alone().await?;
    let watched = window("KONSTRUCT_COEXISTENCE_SECONDS", Duration::from_secs(20))?;
    quiet::others_gone(&cluster).await?;
    let tenant = TestTenant::made(&cluster, "gitops").await?;
    let theirs = foreign(&tenant).await?;
    // Forced, as Flux does it.
    let arguments = ["apply", "--server-side", "--force-conflicts", MANAGER, "-f", "-"];
    let apply = || kubectl::with_input(&arguments, &theirs);
    apply().await?;

    let since = quiet::settled(CALM).await?;
    let before = wanted(&cluster, &tenant).await?;
    let (began, mut rounds) = (Instant::now(), 0);
    while began.elapsed() < watched {
        apply().await?;
        rounds += 1;
        sleep(PAUSE).await;
    }
    let writes = quiet::writes(since)?;
    ensure!(writes.is_empty(), "in {watched:?} and {rounds} rounds the operator wrote: {writes:#?}");
    let after = wanted(&cluster, &tenant).await?;
    let changed: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
    ensure!(
        changed.is_empty() && before.len() == after.len(),
        "objects changed although both wanted what was there: {changed:#?}"
    );
    ensure!(rounds > 2 && before.len() > 10, "{rounds} rounds over {} objects prove nothing", before.len());
    for kind in OWNED {
        for object in tenant.api(kind).list(&ListParams::default()).await?.items {
            let label = object.metadata.labels.unwrap_or_default().get(MARK).cloned();
            ensure!(label.as_deref() == Some("blue"), "{:?} has lost its label", object.metadata.name);
        }
    }
    Ok(())
}

/// Whether a runtime runs is the Tenant's state, so its replicas are the operator's. Who asks for others is told so; who
/// forces them is overruled once, and there is no fight.
#[tokio::test]
async fn replicas_that_somebody_forces_are_put_right_with_one_write() -> Result<()> {
    let cluster = Cluster::alone().await?;
    quiet::others_gone(&cluster).await?;
    let tenant = TestTenant::made(&cluster, "scaler").await?;
    let namespace = tenant.namespace();
    let scaled = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: konstruct-runtime, namespace: {namespace}}}\n\
         spec: {{replicas: 3}}\n"
    );
    let scale = ["apply", "--server-side", "--field-manager=autoscaler", "-f", "-"];
    let refused = kubectl::output(&scale, Some(&scaled)).await?;
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(
        !refused.status.success() && words.contains("konstruct-"),
        "no conflict names the operator: {words}"
    );

    let since = quiet::settled(CALM).await?;
    kubectl::with_input(&[&scale[..], &["--force-conflicts"]].concat(), &scaled).await?;
    let one = |object: Option<&DynamicObject>| object.is_some_and(|o| o.data["spec"]["replicas"] == 1);
    let deployments = tenant.api(Kind::Deployment);
    await_object(&deployments, "konstruct-runtime", "one replica", one, PATIENCE).await?;
    quiet::settled(CALM).await?;
    let writes = quiet::writes(since)?;
    let deployment = format!("patch deployments/{namespace}/konstruct-runtime");
    ensure!(writes.get(&deployment) == Some(&1), "one write was enough: {writes:#?}");
    Ok(())
}
