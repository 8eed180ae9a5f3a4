use konstruct_testkit::TestDatabase;
use konstruct_testkit::llm::LlmDouble;
use konstruct_testkit::outage::Servers;

use crate::world::{Setup, World, eventually};

async fn until_report(world: &World, ready: bool, line: &str) {
    eventually(line, async || {
        let report = world.readiness.report();
        (world.readiness.is_ready() == ready && report.contains(line)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn answers_go_on_without_postgres_or_redis_and_readiness_says_what_is_missing() {
    let servers = Servers::start().await;
    let database = TestDatabase::create_on(servers.database_url()).await;
    let world = Setup { database, redis: servers.redis_url().into(), identity: None, allow_scripted: true }
        .start()
        .await;
    let double = LlmDouble::anthropic().await;
    let tenant = world.with_chain(&[&double]).await;
    until_report(&world, true, "ok configuration").await;
    assert_eq!(world.ask_ada(&tenant).await.0, 200);

    servers.stop_redis().await;
    until_report(&world, false, "waiting redis").await;
    assert_eq!(world.ask_ada(&tenant).await.0, 200);
    servers.start_redis().await;
    until_report(&world, true, "ok redis").await;

    servers.stop_postgres().await;
    until_report(&world, false, "waiting postgres").await;
    assert_eq!(world.ask_ada(&tenant).await.0, 200, "what is loaded stays in force");
    let mut unknown = crate::world::hello();
    unknown["model"] = serde_json::json!("agent/younger");
    let (status, body) = world.ask(&tenant, &unknown).await;
    assert_eq!((status, &body["error"]["code"]), (503, &serde_json::json!("configuration_unavailable")));
    servers.start_postgres().await;
    until_report(&world, true, "ok postgres").await;
    assert_eq!(world.ask(&tenant, &unknown).await.0, 404);
}

#[tokio::test]
async fn what_changed_while_redis_was_away_is_read_when_it_is_back() {
    let servers = Servers::start().await;
    let database = TestDatabase::create_on(servers.database_url()).await;
    let world = Setup { database, redis: servers.redis_url().into(), identity: None, allow_scripted: true }
        .start()
        .await;
    let (old, new) = (LlmDouble::openai().await, LlmDouble::openai().await);
    let tenant = world.with_chain(&[&old]).await;
    assert_eq!(world.ask_ada(&tenant).await.0, 200);
    servers.stop_redis().await;
    until_report(&world, false, "waiting redis").await;
    let key = world.key_version(konstruct_testkit::llm::API_KEY);
    let moved = crate::world::provider("p0", crate::world::openai(&new, &key));
    let revision = world.publish_provider(tenant.id(), &moved, konstruct_testkit::llm::API_KEY).await;
    servers.start_redis().await;
    world.until_loaded(tenant.id(), "p0", &revision).await;
    assert_eq!(world.ask_ada(&tenant).await.0, 200);
    assert_eq!((old.requests().len(), new.requests().len()), (1, 1));
}
