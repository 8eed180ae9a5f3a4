//! Plans and what a tenant may have of them. Needs no pods.

use anyhow::{Result, ensure};
use konstruct_kind_tests::objects::{Kind, await_object, await_status, condition, text};
use konstruct_kind_tests::tenant::PATIENCE;
use konstruct_kind_tests::{Cluster, TestTenant, kubectl};
use kube::api::DynamicObject;
use serde_json::Value;

fn plan_yaml(name: &str, agents: u16, cpu: &str) -> String {
    format!(
        "apiVersion: konstruct.dev/v1alpha1\nkind: Plan\nmetadata: {{name: {name}}}\n\
         spec: {{limits: {{agents: {agents}}}, quota: {{cpu: {cpu:?}}}}}\n"
    )
}

/// A tenant on a plan of its own that allows two agents.
async fn on_a_plan<'a>(cluster: &'a Cluster, what: &str) -> Result<TestTenant<'a>> {
    let mut tenant = TestTenant::new(cluster, what);
    tenant.plan = Some(tenant.slug.clone());
    kubectl::apply(&plan_yaml(&tenant.slug, 2, "2")).await?;
    kubectl::apply(&tenant.tenant_yaml()).await?;
    tenant.namespace_made().await?;
    Ok(tenant)
}

async fn hard(tenant: &TestTenant<'_>, what: &str, wanted: &str) -> Result<()> {
    let has = |quota: Option<&DynamicObject>| {
        quota.is_some_and(|quota| quota.data["spec"]["hard"][what].as_str() == Some(wanted))
    };
    await_object(
        &tenant.api(Kind::ResourceQuota),
        "konstruct-tenant",
        &format!("{what}={wanted}"),
        has,
        PATIENCE,
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_changed_plan_changes_the_tenants_on_it_and_flags_the_surplus() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = on_a_plan(&cluster, "plan").await?;
    hard(&tenant, "count/agents.konstruct.dev", "2").await?;
    for (age, name) in ["first", "second"].iter().enumerate() {
        if age > 0 {
            // Ages count in whole seconds.
            tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        }
        kubectl::apply(&tenant.agent_with(name, "nowhere", "Answer.")).await?;
        let agents = tenant.api(Kind::Agent);
        await_status(&agents, name, "Ready", "False", PATIENCE).await?;
    }

    kubectl::apply(&plan_yaml(&tenant.slug, 1, "3")).await?;
    hard(&tenant, "limits.cpu", "3").await?;
    let tenants = cluster.cluster_api(Kind::Tenant);
    let within = await_status(&tenants, &tenant.slug, "WithinPlan", "False", PATIENCE).await?;
    ensure!(text(&within, "message").contains("not running: second"), "{within:#}");
    let refused = |name: &'static str, reason: &'static str| {
        let agents = tenant.api(Kind::Agent);
        async move {
            let has = |agent: Option<&DynamicObject>| {
                agent.and_then(|agent| condition(agent, "Ready")).is_some_and(|c| text(c, "reason") == reason)
            };
            await_object(&agents, name, reason, has, PATIENCE).await
        }
    };
    refused("second", "PlanExceeded").await?;
    refused("first", "MissingProvider").await?;

    // Room again: whoever was too many is looked at anew, and nothing was deleted meanwhile.
    kubectl::run(&["delete", "agent", "first", "--namespace", &tenant.namespace(), "--timeout=60s"]).await?;
    refused("second", "MissingProvider").await?;
    await_status(&tenants, &tenant.slug, "WithinPlan", "True", PATIENCE).await?;
    Ok(())
}

#[tokio::test]
async fn an_agent_too_many_is_refused_at_once() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = on_a_plan(&cluster, "full").await?;
    let quotas = tenant.api(Kind::ResourceQuota);
    let counted = |quota: Option<&DynamicObject>| {
        quota.is_some_and(|quota| !quota.data["status"]["used"]["count/agents.konstruct.dev"].is_null())
    };
    await_object(&quotas, "konstruct-tenant", "counted by Kubernetes", counted, PATIENCE).await?;
    for name in ["one", "two"] {
        kubectl::apply(&tenant.agent_with(name, "nowhere", "Answer.")).await?;
    }
    let third =
        kubectl::output(&["apply", "-f", "-"], Some(&tenant.agent_with("three", "nowhere", "Answer.")))
            .await?;
    let errors = String::from_utf8_lossy(&third.stderr).into_owned();
    ensure!(!third.status.success(), "a third agent was accepted");
    ensure!(errors.contains("count/agents.konstruct.dev"), "the refusal does not name the limit: {errors}");
    Ok(())
}

#[tokio::test]
async fn asking_for_more_than_the_plan_is_said_and_needs_a_right() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = on_a_plan(&cluster, "greedy").await?;
    let slug = &tenant.slug;
    let patch = r#"{"spec": {"limits": {"agents": 3}}}"#;
    kubectl::run(&["patch", "tenant", slug, "--type=merge", "-p", patch]).await?;
    let tenants = cluster.cluster_api(Kind::Tenant);
    let ready = await_status(&tenants, slug, "Ready", "False", PATIENCE).await?;
    ensure!(text(&ready, "reason") == "AbovePlan", "{ready:#}");
    ensure!(text(&ready, "message").contains("spec.limits.agents"), "{ready:#}");

    // Who may edit tenants may not therefore exceed a plan.
    kubectl::apply(&format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: {slug}}}\n\
         rules: [{{apiGroups: [konstruct.dev], resources: [tenants], verbs: [get, patch, update]}}]\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {slug}}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {slug}}}\n\
         subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: {slug}}}]\n"
    ))
    .await?;
    let as_user = format!("--as={slug}");
    let exceed = r#"{"spec": {"exceedPlan": true}}"#;
    let refused =
        kubectl::output(&["patch", "tenant", slug, "--type=merge", "-p", exceed, &as_user], None).await?;
    let errors = String::from_utf8_lossy(&refused.stderr).into_owned();
    for object in [["clusterrolebinding", slug], ["clusterrole", slug]] {
        kubectl::run(&[&["delete"], &object[..]].concat()).await?;
    }
    ensure!(!refused.status.success() && errors.contains("exceed"), "{errors}");

    kubectl::run(&["patch", "tenant", slug, "--type=merge", "-p", exceed]).await?;
    hard(&tenant, "count/agents.konstruct.dev", "3").await
}

#[tokio::test]
async fn a_plan_that_does_not_exist_is_named() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let mut tenant = TestTenant::new(&cluster, "noplan");
    tenant.plan = Some(tenant.slug.clone());
    kubectl::apply(&tenant.tenant_yaml()).await?;
    let tenants = cluster.cluster_api(Kind::Tenant);
    let ready: Value = await_status(&tenants, &tenant.slug, "Ready", "False", PATIENCE).await?;
    ensure!(text(&ready, "reason") == "MissingPlan", "{ready:#}");
    kubectl::apply(&plan_yaml(&tenant.slug, 2, "2")).await?;
    tenant.namespace_made().await
}
