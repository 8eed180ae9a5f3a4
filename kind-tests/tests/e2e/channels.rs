//! Messages in, replies out.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use konstruct_kind_tests::datastores::Postgres;
use konstruct_kind_tests::objects::{Kind, await_status, text};
use konstruct_kind_tests::tenant::PATIENCE;
use konstruct_kind_tests::wait::{Look, until};
use konstruct_kind_tests::webchat::Conversation;
use konstruct_kind_tests::{Cluster, TestTenant, kubectl, slack};

const ANSWER: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_signed_event_is_answered_in_its_thread() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::with_employee(&cluster, "thread").await?;
    let (gateway, stand_in) = (cluster.gateway().await?, cluster.slack().await?);
    let mention = slack::Mention::new(&tenant.team, "Who are you?");
    slack::send(&gateway, &mention).await?;
    let reply = slack::reply(&stand_in, &mention.ts, ANSWER).await?;
    ensure!(reply.contains("Grace Hopper"), "{reply}");
    Ok(())
}

/// Slack's stand-in is not ours: its events, its signature, and two events for one mention.
#[tokio::test]
async fn one_mention_at_the_stand_in_gets_one_reply() -> Result<()> {
    let cluster = Cluster::alone().await?;
    let mut tenant = TestTenant::new(&cluster, "standin");
    tenant.team = slack::TEAM.to_owned();
    tenant.apply_all().await?;
    tenant.all_ready().await?;
    let stand_in = cluster.slack().await?;
    let thread = slack::mention_at_the_stand_in(&stand_in, "Who are you?").await?;
    let reply = slack::reply(&stand_in, &thread, ANSWER).await?;
    ensure!(reply.contains("Grace Hopper"), "{reply}");
    // The follow-up is answered after everything before it: a second reply to the first message would be there by then.
    let next = slack::mention_at_the_stand_in(&stand_in, "And again?").await?;
    slack::reply(&stand_in, &next, ANSWER).await?;
    let replies = slack::replies(&stand_in, &thread).await?;
    ensure!(replies.len() == 1, "{} replies to one mention: {replies:#?}", replies.len());
    Ok(())
}

#[tokio::test]
async fn the_same_event_many_times_at_once_gets_one_reply() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::with_employee(&cluster, "again").await?;
    let (gateway, stand_in) = (cluster.gateway().await?, cluster.slack().await?);
    let mention = slack::Mention::new(&tenant.team, "Who are you?");
    try_join_all((0..100).map(|_| slack::send(&gateway, &mention))).await?;
    slack::reply(&stand_in, &mention.ts, ANSWER).await?;
    let after = slack::Mention::new(&tenant.team, "And again?");
    slack::send(&gateway, &after).await?;
    slack::reply(&stand_in, &after.ts, ANSWER).await?;
    let replies = slack::replies(&stand_in, &mention.ts).await?;
    ensure!(replies.len() == 1, "{} replies: {replies:#?}", replies.len());
    Ok(())
}

#[tokio::test]
async fn a_wrong_signature_is_refused_and_stores_nothing() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::with_employee(&cluster, "forged").await?;
    let gateway = cluster.gateway().await?;
    let body = slack::Mention::new(&tenant.team, "Let me in").body();
    let status = slack::post(&gateway, "/slack/events", "not-the-secret", &body).await?;
    ensure!(status == 401, "a forged event was answered with {status}");
    let rows = Postgres::open().await?.rows_of(&tenant.uid().await?).await?;
    let stored = rows.iter().find(|(table, _)| table.contains("inbox") || table.contains("delivery"));
    ensure!(stored.is_none(), "a forged event was stored: {stored:?}");
    Ok(())
}

/// Two tenants through one endpoint: each message reaches its own tenant's employee.
#[tokio::test]
async fn two_workspaces_are_never_crossed() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let (one, two) = (TestTenant::new(&cluster, "one"), TestTenant::new(&cluster, "two"));
    for (tenant, word) in [(&one, "Only say alpha."), (&two, "Only say omega.")] {
        tenant.apply_all().await?;
        kubectl::apply(&tenant.agent_yaml(word)).await?;
    }
    for tenant in [&one, &two] {
        tenant.all_ready().await?;
    }
    let (gateway, stand_in) = (cluster.gateway().await?, cluster.slack().await?);
    let asked: Vec<_> = (0..20).map(|i| [(&one, "alpha"), (&two, "omega")][i % 2]).collect();
    try_join_all(asked.into_iter().map(async |(tenant, word)| {
        let mention = slack::Mention::new(&tenant.team, "Which word?");
        slack::send(&gateway, &mention).await?;
        let reply = slack::reply(&stand_in, &mention.ts, PATIENCE).await?;
        ensure!(
            reply.contains(&format!("Only say {word}.")),
            "{} was answered by another: {reply}",
            tenant.slug
        );
        Ok(())
    }))
    .await?;
    Ok(())
}

/// A token that Slack refuses shows before anybody waits for a reply, and a good one is noticed.
#[tokio::test]
async fn a_wrong_bot_token_is_said_on_the_connection() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::new(&cluster, "token");
    kubectl::apply(&tenant.tenant_yaml()).await?;
    tenant.namespace_made().await?;
    let good = tenant.connections_yaml();
    let bad = good.replace(&format!("xoxb-{}", tenant.team), "xoxb-revoked");
    kubectl::apply(&[tenant.agent_yaml("Answer."), bad].join("\n---\n")).await?;
    let connections = tenant.api(Kind::ChannelConnection);
    let refused = await_status(&connections, "slack", "CredentialsValid", "False", PATIENCE).await?;
    ensure!(text(&refused, "reason") == "CredentialsRejected", "{refused:#}");
    ensure!(!text(&refused, "message").contains("xoxb-revoked"), "the message has the token: {refused:#}");
    await_status(&connections, "slack", "Ready", "False", PATIENCE).await?;
    kubectl::apply(&good).await?;
    await_status(&connections, "slack", "Ready", "True", 2 * PATIENCE).await?;
    Ok(())
}

/// The oldest connection to a workspace keeps it; the other one says whose it is not.
#[tokio::test]
async fn a_workspace_belongs_to_the_oldest_connection() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let first = TestTenant::with_employee(&cluster, "first").await?;
    let mut second = TestTenant::new(&cluster, "second");
    second.team.clone_from(&first.team);
    second.apply_all().await?;
    let claimed =
        await_status(&second.api(Kind::ChannelConnection), "slack", "Claimed", "False", PATIENCE).await?;
    ensure!(
        text(&claimed, "message").contains("spec.slack.teamId"),
        "the message does not name the field: {claimed:#}"
    );
    ensure!(
        !text(&claimed, "message").contains(&first.slug),
        "the message names another tenant: {claimed:#}"
    );
    await_status(&first.api(Kind::ChannelConnection), "slack", "Ready", "True", PATIENCE).await?;
    Ok(())
}

#[tokio::test]
async fn a_web_chat_holds_a_conversation() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::with_employee(&cluster, "chat").await?;
    let gateway = cluster.gateway().await?;
    let path = tenant.chat_path().await?;
    let page = reqwest::get(gateway.url(&path)).await?.error_for_status()?.text().await?;
    ensure!(page.contains("<!doctype html>") || page.contains("<!DOCTYPE html>"), "no page at {path}");
    let mut conversation = Conversation::start(&gateway, &path).await?;
    for question in ["Who are you?", "The second question", "The third question"] {
        let reply = conversation.ask(question, ANSWER).await?;
        ensure!(reply.contains(question), "asked {question:?}, answered: {reply}");
    }
    Ok(())
}

/// An idle runtime gives its database connections back.
#[tokio::test]
async fn an_idle_runtime_holds_no_database_connection() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::with_employee(&cluster, "idle").await?;
    let gateway = cluster.gateway().await?;
    Conversation::start(&gateway, &tenant.chat_path().await?).await?.ask("Hello", ANSWER).await?;
    let role = tenant.database_role();
    let mut postgres = Postgres::open().await?;
    let start = std::time::Instant::now();
    loop {
        match postgres.sessions(&role).await? {
            0 => return Ok(()),
            held if start.elapsed() > ANSWER => {
                anyhow::bail!("{held} connections after {ANSWER:?} without a message")
            }
            _ => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

/// The gateway says in its readiness probe what it waits for, and goes on where it was.
#[tokio::test]
async fn a_message_survives_the_runtime_being_stopped() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::with_employee(&cluster, "stopped").await?;
    let namespace = tenant.namespace();
    kubectl::run(&[
        "delete",
        "pod",
        "--namespace",
        &namespace,
        "--all",
        "--wait=false",
        "--grace-period=0",
        "--force",
    ])
    .await?;
    let (gateway, stand_in) = (cluster.gateway().await?, cluster.slack().await?);
    let mention = slack::Mention::new(&tenant.team, "Still there?");
    slack::send(&gateway, &mention).await?;
    until(PATIENCE, "a reply after the runtime's restart", || async {
        let replies = slack::replies(&stand_in, &mention.ts).await?;
        Ok(if replies.len() == 1 { Look::Done(()) } else { Look::NotYet(replies) })
    })
    .await
}
