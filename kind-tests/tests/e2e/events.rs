//! What people are told with `kubectl get` and `kubectl describe`. Needs no pods.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use konstruct_kind_tests::objects::{Kind, await_status};
use konstruct_kind_tests::tenant::PATIENCE;
use konstruct_kind_tests::wait::{Look, until};
use konstruct_kind_tests::{Cluster, TestTenant, kubectl, quiet};
use kube::api::ListParams;
use serde_json::Value;

const CALM: Duration = Duration::from_secs(3);

/// How often which event was told about an Agent, repetitions within a series counted: `Warning MissingProvider Ready`.
async fn told(tenant: &TestTenant<'_>, agent: &str) -> Result<BTreeMap<String, u64>> {
    let mut told = BTreeMap::new();
    for event in tenant.api(Kind::Event).list(&ListParams::default()).await?.items {
        let text = |path: &str| event.data.pointer(path).and_then(Value::as_str).unwrap_or_default();
        if text("/regarding/kind") == "Agent" && text("/regarding/name") == agent {
            let event_is = format!("{} {} {}", text("/type"), text("/reason"), text("/action"));
            let times = event.data.pointer("/series/count").and_then(Value::as_u64).unwrap_or(1);
            *told.entry(event_is).or_default() += times;
        }
    }
    Ok(told)
}

fn once(events: &[&str]) -> BTreeMap<String, u64> {
    events.iter().map(|event| ((*event).to_owned(), 1)).collect()
}

/// On the Agent, which the user edited, and neither again for each pass, nor after a restart of the operator, nor when
/// another object of the tenant changes.
#[tokio::test]
async fn a_transition_is_told_once_on_the_object_that_was_edited() -> Result<()> {
    let cluster = Cluster::alone().await?;
    let tenant = TestTenant::made(&cluster, "events").await?;
    kubectl::apply(&tenant.agent_with("lost", "nowhere", "Answer.")).await?;
    let agents = tenant.api(Kind::Agent);
    await_status(&agents, "lost", "Stalled", "True", PATIENCE).await?;
    let lost = ["Warning MissingProvider Ready", "Warning MissingProvider ResolvedRefs"];
    told_exactly(&tenant, &lost).await?;

    // Passes that change nothing: an edit elsewhere, an edit that leaves the fault as it is, and a new operator.
    kubectl::apply(&tenant.agent_with("other", "shared-echo", "Answer.")).await?;
    kubectl::apply(&tenant.agent_with("lost", "nowhere", "Answer well.")).await?;
    await_status(&agents, "lost", "Stalled", "True", PATIENCE).await?;
    quiet::second_pass(&cluster, CALM).await?;
    let after = told(&tenant, "lost").await?;
    ensure!(after == once(&lost), "told again although nothing changed: {after:#?}");

    // The next transition is news, and what was told before is not told again.
    kubectl::apply(&tenant.provider_yaml("nowhere", "model-key", "e2e-model-key")).await?;
    await_status(&agents, "lost", "ResolvedRefs", "True", PATIENCE).await?;
    let unknown =
        tenant.agent_with("lost", "nowhere", "Answer.").replace("model: echo", "model: nobody-has-it");
    kubectl::apply(&unknown).await?;
    await_status(&agents, "lost", "Stalled", "True", PATIENCE).await?;
    let next = ["Warning UnknownModel Ready", "Warning UnknownModel ResolvedRefs"];
    // Where pods run the agent may have been ready in between, and then that was news as well.
    let ready = ["Normal Succeeded Ready"];
    let (without, with) = (once(&[lost, next].concat()), once(&[&lost[..], &next, &ready].concat()));
    told_one_of(&tenant, &[without, with]).await
}

/// Events follow the status by a moment.
async fn told_exactly(tenant: &TestTenant<'_>, events: &[&str]) -> Result<()> {
    told_one_of(tenant, &[once(events)]).await
}

async fn told_one_of(tenant: &TestTenant<'_>, accepted: &[BTreeMap<String, u64>]) -> Result<()> {
    until(PATIENCE, "the events", || async {
        let seen = told(tenant, "lost").await?;
        Ok(if accepted.contains(&seen) { Look::Done(()) } else { Look::NotYet(seen) })
    })
    .await
}

#[tokio::test]
async fn kubectl_get_shows_at_a_glance_what_is_wrong() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let mut tenant = TestTenant::new(&cluster, "glance");
    let namespace = tenant.namespace();
    kubectl::apply(&tenant.tenant_yaml()).await?;
    tenant.namespace_made().await?;
    let provider = tenant.provider_yaml("own", "absent", "key");
    let (_secret, provider) = provider.split_once("---\n").unwrap_or_default();
    kubectl::apply(provider).await?;
    kubectl::apply(&tenant.agent_with("lost", "nowhere", "Answer.")).await?;
    let web = "spec: {agent: nobody, webChat: {}}";
    kubectl::apply(&format!(
        "apiVersion: konstruct.dev/v1alpha1\nkind: ChannelConnection\nmetadata: {{name: page, namespace: {namespace}}}\n{web}\n"
    ))
    .await?;
    for (kind, name, reason) in [
        ("agents", "lost", "MissingProvider"),
        ("llmproviders", "own", "MissingSecret"),
        ("channelconnections", "page", "MissingAgent"),
    ] {
        glance(&["get", kind, name, "--namespace", &namespace, "--no-headers"], &["False", reason]).await?;
        let wide = ["get", kind, name, "--namespace", &namespace, "-o", "wide", "--no-headers"];
        glance(&wide, &[": "]).await?;
    }
    tenant.plan = Some("nobody-offers-it".to_owned());
    kubectl::apply(&tenant.tenant_yaml()).await?;
    tenant.plan = None;
    glance(&["get", "tenant", &tenant.slug, "--no-headers"], &["False", "MissingPlan"]).await?;
    Ok(())
}

async fn glance(arguments: &[&str], words: &[&str]) -> Result<()> {
    until(PATIENCE, &format!("kubectl {} with {words:?}", arguments.join(" ")), || async {
        let shown = kubectl::run(arguments).await?;
        Ok(if words.iter().all(|word| shown.contains(word)) { Look::Done(()) } else { Look::NotYet(shown) })
    })
    .await
}
