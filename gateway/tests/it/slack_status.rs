//! What is shown at a thread while an employee thinks.

use std::time::Duration;

use konstruct_testkit::slack::{App, Fault};
use tokio::time::sleep;

use crate::world::{SlackConnection, Tenant, World, eventually};

async fn scene() -> (World, Tenant, SlackConnection) {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let connection = world.connect_slack(&tenant, "T1").await;
    (world, tenant, connection)
}

async fn ask(world: &World, connection: &SlackConnection) -> String {
    let [mention, _] = connection.app.mention("C1", "U1", "hello");
    world.deliver(connection, &mention).await;
    App::ts_of(&mention).to_owned()
}

#[tokio::test]
async fn a_thread_shows_that_somebody_thinks_until_the_reply_is_there() {
    let (world, tenant, connection) = scene().await;
    let root = ask(&world, &connection).await;
    eventually("the status shows", async || world.slack.status("T1", "C1", &root).is_some()).await;
    world.answer(&tenant, "hi").await;
    world.slack.wait_for_messages(1).await;
    assert_eq!(world.slack.status("T1", "C1", &root), None);
    sleep(Duration::from_millis(300)).await;
    assert_eq!(world.slack.status("T1", "C1", &root), None, "nor does it come back");
}

#[tokio::test]
async fn a_reply_that_is_given_up_takes_the_status_away() {
    let (world, tenant, connection) = scene().await;
    let root = ask(&world, &connection).await;
    eventually("the status shows", async || world.slack.status("T1", "C1", &root).is_some()).await;
    world.slack.inject("chat.postMessage", [Fault::Error("restricted_action")]);
    world.answer(&tenant, "hi").await;
    eventually("the status goes", async || world.slack.status("T1", "C1", &root).is_none()).await;
    eventually("the reply is given up", async || world.outbox().await[0].state == "dead").await;
}

#[tokio::test]
async fn an_app_that_may_not_show_it_is_asked_once_and_answers_all_the_same() {
    let (world, tenant, connection) = scene().await;
    world.slack.inject("assistant.threads.setStatus", vec![Fault::Error("missing_scope"); 9]);
    for count in 1..=3 {
        ask(&world, &connection).await;
        world.answer(&tenant, "hi").await;
        world.slack.wait_for_messages(count).await;
    }
    assert_eq!(world.slack.calls("assistant.threads.setStatus"), 1);
}

#[tokio::test]
async fn a_burst_in_one_thread_shows_one_status() {
    let (world, _tenant, connection) = scene().await;
    let root = ask(&world, &connection).await;
    for text in ["and", "one", "more"] {
        world.deliver(&connection, &connection.app.follow_up("C1", &root, "U1", text)).await;
    }
    ask(&world, &connection).await;
    eventually("both threads show it", async || world.slack.calls("assistant.threads.setStatus") == 2).await;
    assert_eq!(world.inbox().await.len(), 5, "each message counts all the same");
}

#[tokio::test]
async fn a_status_that_cannot_be_shown_now_harms_nobody() {
    for fault in [
        Fault::Status(500),
        Fault::RateLimited { seconds: 30 },
        Fault::Error("invalid_thread_ts"),
        Fault::Hang,
    ] {
        let (world, tenant, connection) = scene().await;
        world.slack.inject("assistant.threads.setStatus", [fault]);
        ask(&world, &connection).await;
        eventually("it is tried", async || world.slack.calls("assistant.threads.setStatus") == 1).await;
        world.answer(&tenant, "hi").await;
        world.slack.wait_for_messages(1).await;
    }
}

#[tokio::test]
async fn a_platform_in_trouble_is_left_alone_for_a_while() {
    let (world, tenant, connection) = scene().await;
    world.slack.inject("assistant.threads.setStatus", [Fault::Status(500)]);
    for count in 1..=3 {
        ask(&world, &connection).await;
        world.answer(&tenant, "hi").await;
        world.slack.wait_for_messages(count).await;
    }
    assert_eq!(world.slack.calls("assistant.threads.setStatus"), 1);
}
