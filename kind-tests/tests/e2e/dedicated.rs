//! An agent with a pod of its own.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use konstruct_kind_tests::objects::{Kind, await_status};
use konstruct_kind_tests::tenant::PATIENCE;
use konstruct_kind_tests::wait::{Look, until};
use konstruct_kind_tests::webchat::Conversation;
use konstruct_kind_tests::{Cluster, TestTenant, kubectl};
use kube::Api;
use kube::api::ListParams;

const ANSWER: Duration = Duration::from_secs(30);
const DEPLOYMENT: &str = "konstruct-agent-grace";

async fn isolate(tenant: &TestTenant<'_>, isolation: &str) -> Result<()> {
    let patch = format!(r#"{{"spec": {{"isolation": "{isolation}"}}}}"#);
    let namespace = tenant.namespace();
    kubectl::run(&["patch", "agents.konstruct.dev", "grace", "-n", &namespace, "--type=merge", "-p", &patch])
        .await?;
    Ok(())
}

/// The same conversation goes on in either pod, and nothing waits for somebody to write again.
#[tokio::test]
async fn an_agent_moves_to_a_pod_of_its_own_and_back() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::with_employee(&cluster, "own-pod").await?;
    let gateway = cluster.gateway().await?;
    let path = tenant.chat_path().await?;
    let mut conversation = Conversation::start(&gateway, &path).await?;
    conversation.ask("What is your name?", ANSWER).await?;

    isolate(&tenant, "Dedicated").await?;
    let deployments: Api<Deployment> = Api::namespaced(cluster.client.clone(), &tenant.namespace());
    until(PATIENCE, "a pod of its own", || async {
        let found = deployments.get_opt(DEPLOYMENT).await?;
        let available = found.and_then(|found| found.status?.available_replicas);
        Ok(if available == Some(1) { Look::Done(()) } else { Look::NotYet("no pod is available") })
    })
    .await?;
    await_status(&tenant.api(Kind::Agent), "grace", "Ready", "True", PATIENCE).await?;
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), &tenant.namespace());
    let own = pods.list(&ListParams::default().labels("konstruct.dev/agent=grace")).await?;
    ensure!(own.items.len() == 1, "{} pods", own.items.len());
    let args = own.items[0].spec.as_ref().and_then(|spec| spec.containers[0].args.clone());
    ensure!(args.context("no arguments")?.contains(&"--agent=grace".to_owned()));
    let reply = conversation.ask("And now?", ANSWER).await?;
    ensure!(reply.contains("Grace Hopper"), "{reply}");

    isolate(&tenant, "Shared").await?;
    let reply = conversation.ask("And back again?", ANSWER).await?;
    ensure!(reply.contains("Grace Hopper"), "{reply}");
    until(PATIENCE, "its pod to go", || async {
        let left = deployments.get_opt(DEPLOYMENT).await?;
        Ok(if left.is_none() { Look::Done(()) } else { Look::NotYet("its Deployment is still there") })
    })
    .await?;
    await_status(&tenant.api(Kind::Agent), "grace", "Ready", "True", PATIENCE).await?;
    Ok(())
}
