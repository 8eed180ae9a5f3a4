//! PostgreSQL and Redis stop and start while the gateway runs.

use konstruct_testkit::TestDatabase;
use konstruct_testkit::outage::Servers;
use konstruct_testkit::slack::App;
use reqwest::StatusCode;

use crate::world::{World, eventually};

async fn world(servers: &Servers) -> World {
    World::start_on(TestDatabase::create_on(servers.database_url()).await, &servers.redis_url().into()).await
}

#[tokio::test]
async fn without_postgresql_slack_is_asked_to_come_again_and_nothing_is_lost() {
    let servers = Servers::start().await;
    let world = world(&servers).await;
    let tenant = world.tenant("acme").await;
    let connection = world.connect_slack(&tenant, "T1").await;
    let event = connection.app.direct_message("D1", "U1", "can you hear me?");

    servers.stop_postgres().await;
    let response = world.post(&connection.path, connection.app.sign(&event)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(!response.headers().contains_key("x-slack-no-retry"));
    eventually("readiness says what is down", async || {
        world.readiness.report().contains("waiting postgres:")
    })
    .await;
    assert!(world.readiness.report().contains("ok redis"));

    servers.start_postgres().await;
    eventually("it is ready again", async || world.readiness.is_ready()).await;
    assert_eq!(world.deliver(&connection, &event).await, StatusCode::OK);
    assert_eq!(world.deliver(&connection, &event).await, StatusCode::OK);
    assert_eq!(world.inbox().await.len(), 1);
    world.answer(&tenant, "loud and clear").await;
    assert_eq!(world.slack.wait_for_messages(1).await[0].shown(), "loud and clear");
}

#[tokio::test]
async fn without_redis_messages_are_taken_and_replies_are_sent() {
    let servers = Servers::start().await;
    let world = world(&servers).await;
    let tenant = world.tenant("acme").await;
    let connection = world.connect_slack(&tenant, "T1").await;

    servers.stop_redis().await;
    let [mention, _] = connection.app.mention("C1", "U1", "hello");
    assert_eq!(world.deliver(&connection, &mention).await, StatusCode::OK);
    world.answer(&tenant, "by sweep").await;
    let messages = world.slack.wait_for_messages(1).await;
    assert_eq!(messages[0].thread_ts.as_deref(), Some(App::ts_of(&mention)));
    eventually("readiness says what is down", async || world.readiness.report().contains("waiting redis:"))
        .await;

    servers.start_redis().await;
    eventually("it is ready again", async || world.readiness.is_ready()).await;
    // Signals work again: a new connection is loaded at once.
    let second = world.connect_slack(&tenant, "T2").await;
    assert_eq!(world.deliver(&second, &second.app.direct_message("D1", "U1", "hi")).await, StatusCode::OK);
    assert_eq!(world.inbox().await.len(), 1, "the first is answered and has left");
}
