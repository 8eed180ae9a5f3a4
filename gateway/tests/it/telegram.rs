//! Telegram by webhook: set by the gateway, proven by its secret token.

use futures::future::join_all;
use konstruct_domain::snapshot::{
    ChannelSnapshot, ConnectionSnapshot, Manners, SecretField, TelegramMode, TelegramSnapshot,
};
use konstruct_testkit::fault::CallFault;
use konstruct_testkit::telegram::Bot;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::world::{PUBLIC_URL, Tenant, World, eventually};

const GROUP: i64 = -100_200;

pub(crate) struct Line {
    pub(crate) snapshot: ConnectionSnapshot,
    pub(crate) path: String,
}

pub(crate) async fn connect(world: &World, tenant: &Tenant, username: &str, mode: TelegramMode) -> Line {
    let bot = Bot::new(username);
    world.telegram.add_bot(bot.clone());
    let name = format!("telegram-{}", username.replace('_', "-"));
    let snapshot = ConnectionSnapshot {
        name: name.parse().unwrap(),
        agent: "ada".parse().unwrap(),
        public_id: world.operator.keyring().public_id(tenant.id, &name).unwrap(),
        channel: ChannelSnapshot::Telegram(TelegramSnapshot {
            bot_username: username.to_owned(),
            bot_token: world.version(SecretField::TelegramBotToken, &bot.token),
            mode,
        }),
        pause: None,
        manners: Manners::default(),
    };
    world.publish(tenant, &snapshot, &[(SecretField::TelegramBotToken, bot.token.into())]).await;
    Line { path: format!("/telegram/{}/events", snapshot.public_id), snapshot }
}

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) tenant: Tenant,
    pub(crate) line: Line,
    secret: String,
}

impl Scene {
    pub(crate) async fn start() -> Self {
        let world = World::start().await;
        let tenant = world.tenant("acme").await;
        let line = connect(&world, &tenant, "ada_bot", TelegramMode::Webhook).await;
        eventually("the webhook is set", async || world.telegram.webhook("ada_bot").is_some()).await;
        let webhook = world.telegram.webhook("ada_bot").unwrap();
        assert_eq!(webhook.url, format!("{PUBLIC_URL}{}", line.path));
        Self { world, tenant, line, secret: webhook.secret_token.unwrap() }
    }

    pub(crate) async fn deliver(&self, update: &Value) -> StatusCode {
        self.deliver_bytes(update.to_string().as_bytes()).await
    }

    async fn deliver_bytes(&self, body: &[u8]) -> StatusCode {
        let headers = [("x-telegram-bot-api-secret-token", self.secret.as_str())];
        self.world.post_signed(&self.line.path, &headers, body).await
    }

    async fn ask(&self, text: &str) {
        assert_eq!(self.deliver(&self.world.telegram.message("ada_bot", 11, text)).await, StatusCode::OK);
    }

    async fn outbox_is(&self, state: &str) {
        eventually(&format!("the reply is {state}"), async || {
            let rows = self.world.outbox().await;
            !rows.is_empty() && rows.iter().all(|row| row.state == state)
        })
        .await;
    }
}

#[tokio::test]
async fn a_private_message_is_answered_in_telegrams_markup_after_a_sign_of_typing() {
    let scene = Scene::start().await;
    scene.ask("hello 😀").await;
    eventually("a sign of typing is shown", async || scene.world.telegram.calls("sendChatAction") >= 1).await;
    scene.world.answer(&scene.tenant, "**1 < 2** & more").await;
    scene.outbox_is("sent").await;
    let sent = scene.world.telegram.sent();
    assert_eq!((sent.len(), sent[0].text.as_str(), sent[0].chat_id), (1, "1 < 2 & more", 11));
    assert_eq!(sent[0].answers, None);
}

#[tokio::test]
async fn in_a_group_who_mentions_it_is_answered_and_nobody_else() {
    let scene = Scene::start().await;
    let telegram = &scene.world.telegram;
    scene.deliver(&telegram.group_message("ada_bot", GROUP, 11, "hello all")).await;
    assert_eq!(scene.world.inbox().await, []);
    let mut mention = telegram.group_message("ada_bot", GROUP, 11, "@Ada_Bot hello");
    mention["message"]["message_thread_id"] = json!(42);
    mention["message"]["is_topic_message"] = json!(true);
    scene.deliver(&mention).await;
    scene.world.answer(&scene.tenant, "hi").await;
    let sent = telegram.wait_for_sent(1).await;
    assert_eq!((sent[0].chat_id, sent[0].message_thread_id), (GROUP, Some(42)));
    assert_eq!(sent[0].answers, mention["message"]["message_id"].as_i64());
}

#[tokio::test]
async fn what_is_not_authentic_is_refused_and_not_stored() {
    let scene = Scene::start().await;
    let other = scene.world.tenant("globex").await;
    connect(&scene.world, &other, "max_bot", TelegramMode::Webhook).await;
    eventually("the webhook is set", async || scene.world.telegram.webhook("max_bot").is_some()).await;
    let foreign = scene.world.telegram.webhook("max_bot").unwrap().secret_token.unwrap();
    let body = scene.world.telegram.message("ada_bot", 11, "hi").to_string();
    for secret in ["", "x", &foreign, &scene.secret[1..], &scene.secret.to_uppercase()] {
        let headers = [("x-telegram-bot-api-secret-token", secret)];
        let status = scene.world.post_signed(&scene.line.path, &headers, body.as_bytes()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    let without = scene.world.post_signed(&scene.line.path, &[], body.as_bytes()).await;
    assert_eq!(without, StatusCode::UNAUTHORIZED);
    assert_eq!(scene.world.inbox().await, []);
}

#[tokio::test]
async fn odd_deliveries_are_never_answered_with_a_server_error() {
    let scene = Scene::start().await;
    for odd in [json!(null), json!({}), json!({"update_id": 1}), json!({"update_id": 1, "message": [1]})] {
        assert_eq!(scene.deliver(&odd).await, StatusCode::OK, "{odd}");
    }
    for malformed in ["", "{", &"[".repeat(100_000)] {
        assert_eq!(scene.deliver_bytes(malformed.as_bytes()).await, StatusCode::BAD_REQUEST);
    }
    let large = scene.world.telegram.message("ada_bot", 11, &"x".repeat(1_100_000));
    assert_eq!(scene.deliver(&large).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(scene.world.inbox().await, []);
}

#[tokio::test]
async fn the_same_update_many_times_at_once_is_one_message() {
    let scene = Scene::start().await;
    let update = scene.world.telegram.message("ada_bot", 11, "once, please");
    let statuses = join_all((0..40).map(|_| scene.deliver(&update))).await;
    assert!(statuses.iter().all(|status| *status == StatusCode::OK), "{statuses:?}");
    assert_eq!(scene.world.inbox().await.len(), 1);
}

#[tokio::test]
async fn a_wish_to_wait_is_honoured_and_long_replies_keep_their_order() {
    let scene = Scene::start().await;
    scene.world.telegram.limit_rate();
    scene.ask("tell me everything").await;
    scene.world.telegram.inject("sendMessage", [CallFault::RateLimited { seconds: 1 }]);
    let text = ["a", "b", "c"].map(|letter| letter.repeat(3_500)).join("\n\n");
    scene.world.answer(&scene.tenant, &text).await;
    scene.outbox_is("sent").await;
    let starts: Vec<_> = scene.world.telegram.sent().iter().map(|sent| sent.text[..1].to_owned()).collect();
    assert_eq!(starts, ["a", "b", "c"]);
    assert_eq!(scene.world.outbox().await[0].attempt, 1, "a wait uses up no try");
}

#[tokio::test]
async fn when_the_answer_is_lost_the_reply_is_flagged_and_not_sent_again() {
    let scene = Scene::start().await;
    scene.ask("hello").await;
    scene.world.telegram.inject("sendMessage", [CallFault::AcceptThenDrop]);
    scene.world.answer(&scene.tenant, "hi").await;
    scene.outbox_is("dead").await;
    assert_eq!(scene.world.telegram.sent().len(), 1);
    let reason = scene.world.outbox().await[0].last_error.clone().unwrap();
    assert!(reason.starts_with("in doubt"), "{reason}");
}

#[tokio::test]
async fn a_person_who_blocked_the_bot_is_a_dead_letter_and_a_refusal_is_tried_again() {
    let scene = Scene::start().await;
    scene.ask("hello").await;
    scene.world.telegram.inject("sendMessage", [CallFault::Error(409)]);
    scene.world.answer(&scene.tenant, "hi").await;
    scene.outbox_is("sent").await;
    scene.ask("bye").await;
    scene.world.telegram.inject("sendMessage", [CallFault::Error(403)]);
    scene.world.answer(&scene.tenant, "bye").await;
    eventually("the reply is given up", async || scene.world.outbox().await[1].state == "dead").await;
    assert_eq!(scene.world.telegram.sent().len(), 1);
}
