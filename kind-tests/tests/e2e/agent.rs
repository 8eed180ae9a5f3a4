//! Agents that answer, and what an Agent says when it cannot.

use std::time::Duration;

use anyhow::{Result, ensure};
use konstruct_kind_tests::objects::{Kind, await_status, text};
use konstruct_kind_tests::tenant::PATIENCE;
use konstruct_kind_tests::wait::{Look, until};
use konstruct_kind_tests::webchat::Conversation;
use konstruct_kind_tests::{Cluster, TestTenant, kubectl, slack};

const ANSWER: Duration = Duration::from_secs(30);

/// Asked for its name, the employee answers with its persona: name, role and instructions reached the model.
#[tokio::test]
async fn the_model_is_given_the_persona_and_the_transparency_clause() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::with_employee(&cluster, "persona").await?;
    let gateway = cluster.gateway().await?;
    let path = tenant.chat_path().await?;
    let reply = Conversation::start(&gateway, &path).await?.ask("What is your name?", ANSWER).await?;
    for wanted in
        ["Grace Hopper", "release engineer", "Calm and exact.", "Answer in one sentence.", "You are an AI"]
    {
        ensure!(reply.contains(wanted), "{wanted:?} did not reach the model, which answered: {reply}");
    }
    Ok(())
}

#[tokio::test]
async fn changed_instructions_are_in_the_next_replies() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::with_employee(&cluster, "edit").await?;
    kubectl::apply(&tenant.agent_yaml("Always mention the albatross.")).await?;
    await_status(&tenant.api(Kind::Agent), "grace", "Ready", "True", PATIENCE).await?;
    let gateway = cluster.gateway().await?;
    let mention = slack::Mention::new(&tenant.team, "What is new?");
    slack::send(&gateway, &mention).await?;
    let reply = slack::reply(&cluster.slack().await?, &mention.ts, ANSWER).await?;
    ensure!(reply.contains("albatross"), "Ready was True, yet the reply has the old instructions: {reply}");
    Ok(())
}

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
    kubectl::apply(&provider(&tenant.namespace(), "nowhere", "model-key", "e2e-model-key")).await?;
    await_status(&agents, "lost", "Ready", "True", PATIENCE).await?;
    Ok(())
}

#[tokio::test]
async fn a_missing_secret_and_then_a_missing_key_are_named() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::new(&cluster, "nosecret");
    kubectl::apply(&tenant.tenant_yaml()).await?;
    tenant.namespace_made().await?;
    let namespace = tenant.namespace();
    let yaml = provider(&namespace, "own", "absent", "unused");
    let (_secret, only_provider) = yaml.split_once("---\n").unwrap_or_default();
    kubectl::apply(only_provider).await?;
    kubectl::apply(&tenant.agent_with("grace", "own", "Answer.")).await?;
    let providers = tenant.api(Kind::LLMProvider);
    let ready = await_status(&providers, "own", "Ready", "False", PATIENCE).await?;
    ensure!(text(&ready, "message").contains("absent"), "the message does not name the Secret: {ready:#}");

    kubectl::apply(&format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: absent, namespace: {namespace}}}\nstringData: {{other: x}}\n"))
        .await?;
    let names_the_key = |object: Option<&kube::api::DynamicObject>| {
        let ready = object.and_then(|object| konstruct_kind_tests::objects::condition(object, "Ready"));
        ready.is_some_and(|ready| text(ready, "message").contains("apiKey"))
    };
    konstruct_kind_tests::objects::await_object(
        &providers,
        "own",
        "naming the key apiKey",
        names_the_key,
        PATIENCE,
    )
    .await?;

    kubectl::apply(&yaml).await?;
    kubectl::apply(&provider(&namespace, "own", "absent", "e2e-model-key")).await?;
    await_status(&tenant.api(Kind::Agent), "grace", "Ready", "True", PATIENCE).await?;
    Ok(())
}

/// A wrong key shows when it is used; the person gets an honest answer and the resources say what is wrong.
#[tokio::test]
async fn a_wrong_key_is_said_to_the_person_and_on_the_resources() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::new(&cluster, "wrongkey");
    kubectl::apply(&tenant.tenant_yaml()).await?;
    tenant.namespace_made().await?;
    let namespace = tenant.namespace();
    kubectl::apply(&provider(&namespace, "own", "model-key", "not-the-key")).await?;
    kubectl::apply(&tenant.agent_with("grace", "own", "Answer in one sentence.")).await?;
    kubectl::apply(&tenant.connections_yaml()).await?;
    await_status(&tenant.api(Kind::ChannelConnection), "slack", "Ready", "True", PATIENCE).await?;
    await_status(&tenant.api(Kind::Agent), "grace", "Loaded", "True", PATIENCE).await?;

    let (gateway, stand_in) = (cluster.gateway().await?, cluster.slack().await?);
    let mention = slack::Mention::new(&tenant.team, "Are you there?");
    slack::send(&gateway, &mention).await?;
    let reply = slack::reply(&stand_in, &mention.ts, PATIENCE).await?;
    ensure!(
        !reply.contains("not-the-key") && !reply.contains("Calm and exact."),
        "the reply says too much: {reply}"
    );
    await_status(&tenant.api(Kind::LLMProvider), "own", "CredentialsValid", "False", PATIENCE).await?;
    await_status(&tenant.api(Kind::Agent), "grace", "ModelAvailable", "False", PATIENCE).await?;

    // The right key, and it works again without touching Agent or LLMProvider. Secrets are read again every minute.
    kubectl::apply(&provider(&namespace, "own", "model-key", "e2e-model-key")).await?;
    until(2 * PATIENCE, "an answer of the model with the new key", || async {
        let mention = slack::Mention::new(&tenant.team, "And now?");
        slack::send(&gateway, &mention).await?;
        let reply = slack::reply(&stand_in, &mention.ts, PATIENCE).await?;
        Ok(if reply.contains("Calm and exact.") { Look::Done(()) } else { Look::NotYet(reply) })
    })
    .await?;
    await_status(&tenant.api(Kind::Agent), "grace", "ModelAvailable", "True", PATIENCE).await?;
    await_status(&tenant.api(Kind::LLMProvider), "own", "CredentialsValid", "True", PATIENCE).await?;
    Ok(())
}

/// A tenant's own provider, with the Secret that holds its key.
fn provider(namespace: &str, name: &str, secret: &str, key: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {secret}, namespace: {namespace}}}\nstringData: {{apiKey: {key}}}\n---\n\
         apiVersion: konstruct.dev/v1alpha1\nkind: LLMProvider\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n  \
         openai: {{baseUrl: \"http://model.konstruct-counterparts:8000/v1\", apiKeyRef: {{name: {secret}, key: apiKey}}}}\n  \
         models: [echo]\n"
    )
}
