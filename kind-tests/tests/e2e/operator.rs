//! The operator itself: quiet when nothing changed, and not missed while it is away.

use std::time::Duration;

use anyhow::{Result, ensure};
use konstruct_kind_tests::objects::{Kind, await_status};
use konstruct_kind_tests::tenant::PATIENCE;
use konstruct_kind_tests::wait::window;
use konstruct_kind_tests::webchat::Conversation;
use konstruct_kind_tests::{Cluster, TestTenant, kubectl, platform, quiet};
use kube::api::ListParams;
use tokio::time::{Instant, sleep};

const ANSWER: Duration = Duration::from_secs(30);

/// Needs no pods. Restarted over unchanged objects, the operator looks at everything and writes nothing.
#[tokio::test]
async fn a_second_pass_over_unchanged_objects_writes_nothing() -> Result<()> {
    let cluster = Cluster::alone().await?;
    let _tenant = TestTenant::made(&cluster, "quiet").await?;
    let writes = quiet::second_pass(&cluster, Duration::from_secs(15)).await?;
    ensure!(writes.is_empty(), "the operator wrote in its second pass: {writes:#?}");
    Ok(())
}

/// `KONSTRUCT_OPERATOR_DOWN_SECONDS=600` for ten minutes. What is edited meanwhile waits for the operator, too.
#[tokio::test]
async fn employees_answer_as_before_while_the_operator_is_away() -> Result<()> {
    let cluster = Cluster::alone().await?;
    let away = window("KONSTRUCT_OPERATOR_DOWN_SECONDS", Duration::from_secs(20))?;
    let tenant = TestTenant::with_employee(&cluster, "orphan").await?;
    platform::stop_operator().await?;
    let answers = answers_without_operator(&cluster, &tenant, away).await;
    platform::start_operator().await?;
    let answers = answers?;
    ensure!(answers >= 2, "{answers} answers are too few to say anything");

    await_status(&tenant.api(Kind::Agent), "grace", "Ready", "True", PATIENCE).await?;
    let reply = ask(&cluster, &tenant).await?;
    ensure!(reply.contains("albatross"), "the edit was lost: {reply}");
    Ok(())
}

/// How many questions were answered, each with the configuration from before.
async fn answers_without_operator(
    cluster: &Cluster,
    tenant: &TestTenant<'_>,
    away: Duration,
) -> Result<usize> {
    let (began, mut answers) = (Instant::now(), 0);
    let pods = runtime_pods(tenant).await?;
    kubectl::apply(&tenant.agent_yaml("Always mention the albatross.")).await?;
    while began.elapsed() < away || answers < 2 {
        let reply = ask(cluster, tenant).await?;
        let as_before = reply.contains("Answer in one sentence.") && !reply.contains("albatross");
        ensure!(as_before, "after {:?} without an operator: {reply}", began.elapsed());
        answers += 1;
        sleep(Duration::from_secs(2)).await;
    }
    ensure!(runtime_pods(tenant).await? == pods, "a runtime was replaced while nobody asked for it");
    Ok(answers)
}

async fn ask(cluster: &Cluster, tenant: &TestTenant<'_>) -> Result<String> {
    let gateway = cluster.gateway().await?;
    let path = tenant.chat_path().await?;
    Conversation::start(&gateway, &path).await?.ask("What is your name?", ANSWER).await
}

async fn runtime_pods(tenant: &TestTenant<'_>) -> Result<Vec<Option<String>>> {
    let pods = tenant.api(Kind::Pod).list(&ListParams::default()).await?.items;
    Ok(pods.into_iter().map(|pod| pod.metadata.uid).collect())
}
