use futures::StreamExt;
use konstruct_testkit::TestDatabase;
use konstruct_testkit::llm::{Fault, LlmDouble};
use konstruct_testkit::outage::Servers;
use serde_json::json;

use crate::world::{Setup, World, eventually, hello};

#[tokio::test]
async fn hanging_up_ends_the_call_at_the_provider_and_bills_what_came() {
    let world = World::start().await;
    for double in [LlmDouble::anthropic().await, LlmDouble::openai().await] {
        let tenant = world.with_chain(&[&double]).await;
        double.fail_always(Fault::Endless);
        let mut body = hello();
        body["stream"] = json!(true);
        let mut pieces = world.post(&tenant, &body).send().await.unwrap().bytes_stream();
        for _ in 0..5 {
            pieces.next().await.unwrap().unwrap();
        }
        assert_eq!(double.open_streams(), 1);
        drop(pieces);
        let (_, outcome, tokens_in, tokens_out) = world.until_calls(&tenant, 1).await.remove(0);
        assert_eq!(outcome, "aborted");
        assert!(tokens_in > 0 && tokens_out > 1, "{tokens_in} {tokens_out}");
        eventually("the provider to be left alone", async || (double.open_streams() == 0).then_some(()))
            .await;

        // Also when nothing is streamed to the caller.
        let asked = world.post(&tenant, &hello()).timeout(std::time::Duration::from_millis(300)).send().await;
        assert!(asked.unwrap_err().is_timeout());
        assert_eq!(world.until_calls(&tenant, 2).await[1].1, "aborted");
        eventually("the provider to be left alone", async || (double.open_streams() == 0).then_some(()))
            .await;
    }
}

#[tokio::test]
async fn records_wait_for_the_database_and_none_is_lost_or_doubled() {
    let servers = Servers::start().await;
    let database = TestDatabase::create_on(servers.database_url()).await;
    let world = Setup { database, redis: servers.redis_url().into(), identity: None, allow_scripted: true }
        .start()
        .await;
    let double = LlmDouble::openai().await;
    let tenant = world.with_chain(&[&double]).await;
    assert_eq!(world.ask_ada(&tenant).await.0, 200);
    servers.stop_postgres().await;
    for _ in 0..5 {
        assert_eq!(world.ask_ada(&tenant).await.0, 200, "an answer does not wait for its record");
    }
    servers.start_postgres().await;
    assert_eq!(world.until_calls(&tenant, 6).await.len(), 6);
    assert_eq!(world.ask_ada(&tenant).await.0, 200);
    assert_eq!(world.until_calls(&tenant, 7).await.len(), 7);
}

#[tokio::test]
async fn shutting_down_finishes_answers_and_their_records() {
    let world = World::start().await;
    let double = LlmDouble::openai().await;
    double.say(&"word ".repeat(200));
    let tenant = world.with_chain(&[&double]).await;
    for _ in 0..20 {
        assert_eq!(world.ask_ada(&tenant).await.0, 200);
    }
    let database = world.stop().await;
    let mut admin = database.admin().await;
    let count: i64 = sqlx::query_scalar("select count(*) from konstruct.model_call where tenant_id = $1")
        .bind(tenant.id().as_uuid())
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert_eq!(count, 20);
}
