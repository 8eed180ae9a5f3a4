//! What an object says whose references lead nowhere, and that it notices when they do not any more. Needs no pods.

use anyhow::{Result, ensure};
use konstruct_kind_tests::objects::{Kind, await_object, await_status, condition, text};
use konstruct_kind_tests::tenant::PATIENCE;
use konstruct_kind_tests::{Cluster, TestTenant, kubectl};
use kube::api::DynamicObject;

#[tokio::test]
async fn a_provider_that_does_not_exist_is_named() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::new(&cluster, "noprovider");
    kubectl::apply(&tenant.tenant_yaml()).await?;
    tenant.namespace_made().await?;
    kubectl::apply(&tenant.agent_with("lost", "nowhere", "Answer.")).await?;
    let agents = tenant.api(Kind::Agent);
    let refs = await_status(&agents, "lost", "ResolvedRefs", "False", PATIENCE).await?;
    ensure!(text(&refs, "message").contains("nowhere"), "the message does not name the provider: {refs:#}");
    await_status(&agents, "lost", "Ready", "False", PATIENCE).await?;
    await_status(&agents, "lost", "Stalled", "True", PATIENCE).await?;

    // The reference resolves as soon as there is something to resolve to.
    kubectl::apply(&tenant.provider_yaml("nowhere", "model-key", "e2e-model-key")).await?;
    await_status(&agents, "lost", "ResolvedRefs", "True", PATIENCE).await?;
    Ok(())
}

#[tokio::test]
async fn a_missing_secret_and_then_a_missing_key_are_named() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::new(&cluster, "nosecret");
    kubectl::apply(&tenant.tenant_yaml()).await?;
    tenant.namespace_made().await?;
    let namespace = tenant.namespace();
    let yaml = tenant.provider_yaml("own", "absent", "e2e-model-key");
    let (_secret, only_provider) = yaml.split_once("---\n").unwrap_or_default();
    kubectl::apply(only_provider).await?;
    kubectl::apply(&tenant.agent_with("grace", "own", "Answer.")).await?;
    let providers = tenant.api(Kind::LLMProvider);
    let ready = await_status(&providers, "own", "Ready", "False", PATIENCE).await?;
    ensure!(text(&ready, "message").contains("absent"), "the message does not name the Secret: {ready:#}");

    kubectl::apply(&format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: absent, namespace: {namespace}}}\nstringData: {{other: x}}\n"))
        .await?;
    let names_the_key = |object: Option<&DynamicObject>| {
        let ready = object.and_then(|object| condition(object, "Ready"));
        ready.is_some_and(|ready| text(ready, "message").contains("apiKey"))
    };
    await_object(&providers, "own", "naming the key apiKey", names_the_key, PATIENCE).await?;

    kubectl::apply(&yaml).await?;
    await_status(&tenant.api(Kind::Agent), "grace", "ResolvedRefs", "True", 2 * PATIENCE).await?;
    Ok(())
}
