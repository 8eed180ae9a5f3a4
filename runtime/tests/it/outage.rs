//! PostgreSQL and Redis stopped and started again, on servers of the test's own.

use konstruct_testkit::TestDatabase;
use konstruct_testkit::outage::Servers;

use crate::world::{FIRST_CONTACT, World, eventually, timing};

async fn world(servers: &Servers) -> World {
    let database = TestDatabase::create_on(servers.database_url()).await;
    World::on(database, servers.redis_url().to_owned().into()).await
}

#[tokio::test]
async fn without_redis_messages_are_found_and_the_window_is_rebuilt() {
    let servers = Servers::start().await;
    let world = world(&servers).await;
    let running = world.start(timing());
    world.say("one", "First").await;
    world.replies(1).await;

    servers.stop_redis().await;
    eventually("readiness that says so", async || {
        running.readiness.report().contains("waiting redis: Redis does not answer").then_some(())
    })
    .await;
    world.say("one", "Second").await;
    assert_eq!(world.replies(2).await[1], "You said: Second");
    let before = format!("assistant: {FIRST_CONTACT}You said: First");
    assert_eq!(world.ai_gateway.last_conversation(), ["user: First", &before, "user: Second"]);

    // It comes back without any key.
    servers.start_redis().await;
    eventually("readiness", async || running.readiness.is_ready().then_some(())).await;
    world.say("one", "Third").await;
    world.replies(3).await;
    let conversation = world.ai_gateway.last_conversation();
    assert_eq!(
        conversation[conversation.len() - 3..],
        ["user: Second", "assistant: You said: Second", "user: Third"]
    );
}

#[tokio::test]
async fn an_answer_outlives_an_outage_of_postgresql() {
    let servers = Servers::start().await;
    let world = world(&servers).await;
    let running = world.start(timing());
    world.say("one", "First").await;
    world.replies(1).await;

    world.ai_gateway.close_gate();
    world.say("one", "Second").await;
    world.ai_gateway.wait_for_calls(2).await;
    servers.stop_postgres().await;
    world.ai_gateway.open_gate();
    eventually("readiness that says so", async || {
        running.readiness.report().contains("waiting postgres: PostgreSQL does not answer").then_some(())
    })
    .await;
    servers.start_postgres().await;
    assert_eq!(world.replies(2).await[1], "You said: Second");
    assert_eq!(world.ai_gateway.calls().len(), 2, "the model was not asked again");
    world.say("one", "Third").await;
    world.replies(3).await;
    eventually("readiness", async || running.readiness.is_ready().then_some(())).await;
    assert_eq!(world.turns().await, ["answered/1", "answered/1", "answered/1"]);
}
