//! A deleted tenant leaves nothing: not in the cluster, not in PostgreSQL, not in Redis.

use std::time::Duration;

use anyhow::{Result, ensure};
use konstruct_kind_tests::datastores::{Postgres, Redis};
use konstruct_kind_tests::objects::{Kind, await_gone};
use konstruct_kind_tests::tenant::PATIENCE;
use konstruct_kind_tests::webchat::Conversation;
use konstruct_kind_tests::{Cluster, TestTenant, kubectl, slack};

#[tokio::test]
async fn a_deleted_tenant_leaves_nothing_behind() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::with_employee(&cluster, "gone").await?;
    let (uid, namespace) = (tenant.uid().await?, tenant.namespace());
    let role = tenant.database_role();
    let gateway = cluster.gateway().await?;
    let chat = tenant.chat_path().await?;
    Conversation::start(&gateway, &chat).await?.ask("Remember me", Duration::from_secs(30)).await?;
    let mention = slack::Mention::new(&tenant.team, "Remember me");
    slack::send(&gateway, &mention).await?;
    slack::reply(&cluster.slack().await?, &mention.ts, Duration::from_secs(30)).await?;
    let (mut postgres, mut redis) = (Postgres::open().await?, Redis::open().await?);
    ensure!(!postgres.rows_of(&uid).await?.is_empty(), "the tenant has no rows to delete");

    kubectl::run(&["delete", "tenant", &tenant.slug, "--wait=false"]).await?;
    await_gone(&cluster.cluster_api(Kind::Tenant), &tenant.slug, PATIENCE).await?;
    await_gone(&cluster.cluster_api(Kind::Namespace), &namespace, PATIENCE).await?;

    let rows = postgres.rows_of(&uid).await?;
    ensure!(rows.is_empty(), "rows are left in PostgreSQL: {rows:?}");
    ensure!(!postgres.has_role(&role).await?, "the PostgreSQL role {role} is left");
    ensure!(!redis.has_user(&namespace).await?, "the Redis user {namespace} is left");
    let keys = redis.keys_with(&uid).await?;
    ensure!(keys.is_empty(), "keys are left in Redis: {keys:?}");
    let status = slack::post(
        &gateway,
        "/slack/events",
        slack::SIGNING_SECRET,
        &slack::Mention::new(&tenant.team, "Hello?").body(),
    )
    .await?;
    ensure!(status == 200, "an event of a workspace that nobody has any more was answered with {status}");
    let page = reqwest::get(gateway.url(&chat)).await?.status();
    ensure!(page.as_u16() == 404, "the chat page of a deleted tenant answers {page}");
    Ok(())
}

/// Each kind cleans up after itself while the tenant stays.
#[tokio::test]
async fn a_deleted_connection_frees_its_workspace() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::with_employee(&cluster, "free").await?;
    let namespace = tenant.namespace();
    kubectl::run(&["delete", "channelconnection", "slack", "--namespace", &namespace, "--timeout=60s"])
        .await?;
    let mut next = TestTenant::new(&cluster, "next");
    next.team.clone_from(&tenant.team);
    next.apply_all().await?;
    next.all_ready().await?;
    Ok(())
}
