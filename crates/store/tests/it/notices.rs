//! What a conversation is told before anybody works on it.

use std::time::Duration;

use konstruct_store::{Error, Notice};

use crate::messages::answer;
use crate::world::{World, message, web_chat};

const LEASE: Duration = Duration::from_secs(30);
/// In the year 2100.
const FAR: i64 = 4_102_444_800;

const LIMIT: Notice<'_> = Notice { matter: "limit", period: "1", text: "Slow down.", hold_until: None };

#[tokio::test]
async fn the_same_is_told_once_also_after_it_was_sent() {
    let world = World::new().await;
    let (tenant, gateway) = (world.acme.id, &world.gateway);
    let tell = async |notice| gateway.notify(tenant, &web_chat(), &message("c1", 1), notice).await.unwrap();
    assert!(tell(LIMIT).await);
    assert!(!tell(LIMIT).await, "it waits to be sent");
    let item = gateway.claim_outbox(tenant, "gateway").await.unwrap().unwrap();
    assert_eq!(item.text, "Slow down.");
    gateway.outbox_sent(tenant, &item, None).await.unwrap();
    assert!(!tell(LIMIT).await, "it was sent");
    assert!(tell(Notice { period: "2", ..LIMIT }).await);
}

#[tokio::test]
async fn what_comes_in_during_a_turn_outside_the_hours_waits_after_it_too() {
    let world = World::new().await;
    let (tenant, gateway, runtime) = (world.acme.id, &world.gateway, &world.acme.runtime);
    gateway.accept(tenant, &web_chat(), &message("c1", 1)).await.unwrap();
    let claim = runtime.claim("worker", LEASE).await.unwrap().unwrap();
    let closed = Notice { matter: "hours", text: "Closed.", hold_until: Some(FAR), ..LIMIT };
    assert!(gateway.notify(tenant, &web_chat(), &message("c1", 2), closed).await.unwrap());
    gateway.accept(tenant, &web_chat(), &message("c1", 2)).await.unwrap();
    runtime.complete(&claim, &answer("An answer.")).await.unwrap();
    assert_eq!(runtime.claim("worker", LEASE).await.unwrap(), None);
    let lines = gateway.chat_lines(tenant, claim.conversation, 0).await.unwrap();
    let said: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(said, ["Closed.", "message 1", "An answer."]);
}

#[tokio::test]
async fn nothing_is_told_behind_the_back_of_an_erasure() {
    let world = World::new().await;
    let mut erasing = world.database.admin().await;
    sqlx::query("select pg_advisory_lock(konstruct.erasure($1))")
        .bind(world.acme.id.as_uuid())
        .execute(&mut erasing)
        .await
        .unwrap();
    let refused = world.gateway.notify(world.acme.id, &web_chat(), &message("c1", 1), LIMIT).await;
    assert!(matches!(refused, Err(Error::TenantLeaving)), "{refused:?}");
    assert!(world.gateway.notify(world.globex.id, &web_chat(), &message("c1", 1), LIMIT).await.unwrap());
}
