//! Suspended, resumed, archived, retained.

use std::time::Duration;

use anyhow::{Result, ensure};
use konstruct_kind_tests::datastores::{Postgres, Redis};
use konstruct_kind_tests::objects::{Kind, await_gone, await_object, await_status, condition, text};
use konstruct_kind_tests::tenant::PATIENCE;
use konstruct_kind_tests::wait::{Look, until};
use konstruct_kind_tests::{Cluster, TestTenant, kubectl, slack};
use kube::api::DynamicObject;

const ANSWER: Duration = Duration::from_secs(30);

async fn set_state(tenant: &TestTenant<'_>, state: &str) -> Result<()> {
    let patch = format!(r#"{{"spec": {{"state": "{state}"}}}}"#);
    kubectl::run(&["patch", "tenant", &tenant.slug, "--type=merge", "-p", &patch]).await?;
    Ok(())
}

async fn ready_because(cluster: &Cluster, tenant: &TestTenant<'_>, reason: &str) -> Result<()> {
    let has = |object: Option<&DynamicObject>| {
        let ready = object.and_then(|object| condition(object, "Ready"));
        ready.is_some_and(|ready| ready["status"] == "True" && text(ready, "reason") == reason)
    };
    await_object(&cluster.cluster_api(Kind::Tenant), &tenant.slug, reason, has, PATIENCE).await?;
    Ok(())
}

/// Senders are told once, nothing is lost, and the answer comes when the tenant is back.
#[tokio::test]
async fn a_suspended_tenant_tells_its_senders_and_answers_later() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::with_employee(&cluster, "pause").await?;
    let (gateway, stand_in) = (cluster.gateway().await?, cluster.slack().await?);
    set_state(&tenant, "Suspended").await?;
    ready_because(&cluster, &tenant, "TenantSuspended").await?;
    await_status(&tenant.api(Kind::ChannelConnection), "slack", "Ready", "True", PATIENCE).await?;

    let mention = slack::Mention::new(&tenant.team, "Who are you?");
    slack::send(&gateway, &mention).await?;
    let notice = slack::reply(&stand_in, &mention.ts, ANSWER).await?;
    ensure!(notice.contains("paused"), "{notice}");
    let other = slack::Mention::new(&tenant.team, "And in another thread?");
    slack::send(&gateway, &other).await?;
    slack::reply(&stand_in, &other.ts, ANSWER).await?;

    set_state(&tenant, "Active").await?;
    for thread in [&mention.ts, &other.ts] {
        let replies = until(PATIENCE, "the answer", || async {
            let replies = slack::replies(&stand_in, thread).await?;
            Ok(if replies.len() > 1 { Look::Done(replies) } else { Look::NotYet("only the notice") })
        })
        .await?;
        ensure!(replies.len() == 2 && replies[1].contains("Grace Hopper"), "{replies:#?}");
    }
    Ok(())
}

/// Needs no pods.
#[tokio::test]
async fn an_archived_tenant_takes_nothing_in_and_comes_back() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::made(&cluster, "archive").await?;
    set_state(&tenant, "Archived").await?;
    ready_because(&cluster, &tenant, "TenantArchived").await?;
    let deployment = tenant.api(Kind::Deployment).get("konstruct-runtime").await?;
    ensure!(deployment.data["spec"]["replicas"] == 0, "{:#}", deployment.data["spec"]["replicas"]);
    let connections = tenant.api(Kind::ChannelConnection);
    let has = |object: Option<&DynamicObject>| {
        let ready = object.and_then(|object| condition(object, "Ready"));
        ready.is_some_and(|ready| text(ready, "reason") == "TenantArchived")
    };
    await_object(&connections, "chat", "TenantArchived", has, PATIENCE).await?;

    set_state(&tenant, "Active").await?;
    let back =
        |object: Option<&DynamicObject>| object.is_some_and(|object| object.data["spec"]["replicas"] == 1);
    await_object(&tenant.api(Kind::Deployment), "konstruct-runtime", "started again", back, PATIENCE).await?;
    let compiled = |object: Option<&DynamicObject>| {
        let ready = object.and_then(|object| condition(object, "Ready"));
        ready.is_some_and(|ready| text(ready, "reason") != "TenantArchived")
    };
    await_object(&connections, "chat", "in force again", compiled, PATIENCE).await?;
    Ok(())
}

/// Deleting keeps what was said and nothing else. Needs no pods.
#[tokio::test]
async fn a_deleted_tenant_keeps_its_data_by_default() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::made(&cluster, "keep").await?;
    let (uid, namespace) = (tenant.uid().await?, tenant.namespace());
    let retain = r#"{"spec": {"deletionPolicy": "Retain"}}"#;
    kubectl::run(&["patch", "tenant", &tenant.slug, "--type=merge", "-p", retain]).await?;
    kubectl::run(&["delete", "tenant", &tenant.slug, "--wait=false"]).await?;
    await_gone(&cluster.cluster_api(Kind::Tenant), &tenant.slug, PATIENCE).await?;
    await_gone(&cluster.cluster_api(Kind::Namespace), &namespace, PATIENCE).await?;
    let (mut postgres, mut redis) = (Postgres::open().await?, Redis::open().await?);
    let rows = postgres.rows_of(&uid).await?;
    let tables: Vec<&str> = rows.iter().map(|(table, _)| table.as_str()).collect();
    ensure!(
        tables.iter().any(|table| table.ends_with("tenant")),
        "the directory has forgotten it: {tables:?}"
    );
    for gone in
        ["snapshot", "channel_secret", "provider_secret", "data_key", "channel_account", "tenant_role"]
    {
        ensure!(!tables.iter().any(|table| table.ends_with(gone)), "{gone} is left: {tables:?}");
    }
    ensure!(!postgres.has_role(&tenant.database_role()).await?, "the PostgreSQL role is left");
    ensure!(!redis.has_user(&namespace).await?, "the Redis user is left");

    // The slug is free again, for a tenant that has nothing of the old one.
    kubectl::apply(&tenant.tenant_yaml()).await?;
    await_status(&cluster.cluster_api(Kind::Tenant), &tenant.slug, "DatabaseReady", "True", PATIENCE).await?;
    ensure!(tenant.uid().await? != uid, "the old tenant is back");
    Ok(())
}
