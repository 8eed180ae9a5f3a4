//! Agents that answer, and what an Agent says when its model does not.

use std::time::Duration;

use anyhow::{Result, ensure};
use konstruct_kind_tests::objects::{Kind, await_status};
use konstruct_kind_tests::tenant::PATIENCE;
use konstruct_kind_tests::wait::{Look, until};
use konstruct_kind_tests::webchat::Conversation;
use konstruct_kind_tests::{Cluster, TestTenant, kubectl, slack};

const ANSWER: Duration = Duration::from_secs(30);
const ASK_AGAIN: Duration = Duration::from_secs(2);

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

/// A wrong key shows when it is used; the person gets an honest answer and the resources say what is wrong.
#[tokio::test]
async fn a_wrong_key_is_said_to_the_person_and_on_the_resources() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::new(&cluster, "wrongkey");
    kubectl::apply(&tenant.tenant_yaml()).await?;
    tenant.namespace_made().await?;
    kubectl::apply(&tenant.provider_yaml("own", "model-key", "not-the-key")).await?;
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
    kubectl::apply(&tenant.provider_yaml("own", "model-key", "e2e-model-key")).await?;
    until(2 * PATIENCE, "an answer of the model with the new key", || async {
        // Who asks more than once a second is refused after a while, and told so once.
        tokio::time::sleep(ASK_AGAIN).await;
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
