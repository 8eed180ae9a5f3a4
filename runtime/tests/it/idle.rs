//! What an idle runtime costs.

use sqlx::Row;

use crate::world::{World, eventually, timing};

#[tokio::test]
async fn an_idle_runtime_holds_no_postgresql_connection() {
    let world = World::new().await;
    let running = world.start(timing());
    world.say("one", "Hello").await;
    world.replies(1).await;
    let mut admin = world.admin().await;
    let mut connections = async || -> i64 {
        sqlx::query("select count(*) from pg_stat_activity where usename = $1")
            .bind(world.slug.database_role())
            .fetch_one(&mut admin)
            .await
            .unwrap()
            .get(0)
    };
    assert!(connections().await > 0, "it has just worked");
    while connections().await > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    eventually("readiness that says so", async || {
        let report = running.readiness.report();
        (running.readiness.is_ready() && report.contains("ok postgres: idle")).then_some(())
    })
    .await;
    world.say("one", "Still there?").await;
    world.replies(2).await;
}
