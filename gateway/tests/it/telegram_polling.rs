//! Telegram without a webhook: the gateway asks for updates.

use konstruct_domain::Kind;
use konstruct_domain::snapshot::TelegramMode;
use konstruct_testkit::telegram::Bot;

use crate::telegram::connect;
use crate::world::{World, eventually};

#[tokio::test]
async fn updates_are_asked_for_committed_once_and_answered() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    world.telegram.message("ada_bot", 11, "before anybody asked");
    connect(&world, &tenant, "ada_bot", TelegramMode::Polling).await;
    world.telegram.message("ada_bot", 12, "and after");
    eventually("both are committed", async || world.inbox().await.len() == 2).await;
    world.answer(&tenant, "hi").await;
    world.answer(&tenant, "hi").await;
    let sent = world.telegram.wait_for_sent(2).await;
    let mut chats: Vec<_> = sent.iter().map(|sent| sent.chat_id).collect();
    chats.sort_unstable();
    assert_eq!(chats, [11, 12]);
    assert!(world.telegram.webhook("ada_bot").is_none());
    eventually("Telegram is told what is committed", async || world.telegram.calls("getUpdates") > 3).await;
    assert_eq!(world.inbox().await, [], "both are answered, and neither came again");
}

#[tokio::test]
async fn one_gateway_asks_at_a_time() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let lasts = std::time::Duration::from_mins(1);
    let name = "telegram-ada-bot".parse().unwrap();
    assert!(world.gateway_store.lease_poll(tenant.id, &name, "another", lasts).await.unwrap());
    connect(&world, &tenant, "ada_bot", TelegramMode::Polling).await;
    world.telegram.message("ada_bot", 11, "hello");
    assert!(!world.gateway_store.lease_poll(tenant.id, &name, "a third", lasts).await.unwrap());
    assert_eq!(world.telegram.calls("getUpdates"), 0);
    world.execute("update konstruct.poll_lease set lease_until = now()").await;
    eventually("the lease is taken over", async || world.inbox().await.len() == 1).await;
}

#[tokio::test]
async fn a_token_of_another_bot_is_reported() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    // The double has the same token for two names; the first one answers.
    world.telegram.add_bot(Bot { username: "max_bot".to_owned(), token: Bot::new("ada_bot").token });
    let line = connect(&world, &tenant, "ada_bot", TelegramMode::Polling).await;
    eventually("the mismatch is reported", async || {
        let name = line.snapshot.name.as_str();
        let standing = world.operator.standing(tenant.id, Kind::ChannelConnection, name).await.unwrap();
        standing
            .observations
            .iter()
            .any(|o| !o.ok && o.message.contains("max_bot") && o.message.contains("botUsername"))
    })
    .await;
}
