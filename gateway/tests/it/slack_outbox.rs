//! Replies reach their thread, once each.

use std::time::{Duration, Instant};

use konstruct_domain::Kind;
use konstruct_domain::snapshot::{ChannelSnapshot, SecretField};
use konstruct_queue::Signal;
use konstruct_store::OutboxItem;
use konstruct_testkit::slack::{App, Fault, Message};
use reqwest::StatusCode;

use crate::whatsapp;
use crate::world::{SlackConnection, Tenant, World, eventually, turn};

struct Scene {
    world: World,
    tenant: Tenant,
    connection: SlackConnection,
}

impl Scene {
    async fn start() -> Self {
        let world = World::start().await;
        let tenant = world.tenant("acme").await;
        let connection = world.connect_slack(&tenant, "T1").await;
        Self { world, tenant, connection }
    }

    /// Mentions the employee and returns the root of the thread.
    async fn ask(&self, text: &str) -> String {
        let [mention, _] = self.connection.app.mention("C1", "U1", text);
        self.world.deliver(&self.connection, &mention).await;
        App::ts_of(&mention).to_owned()
    }

    /// A reply that another gateway has claimed and whose fate it did not live to record.
    async fn claimed_by_a_dying_gateway(&self) -> OutboxItem {
        for _ in 0..20 {
            self.ask("hello").await;
            let claim = self.world.claim(&self.tenant).await;
            self.tenant.runtime.complete(&claim, &turn("hi")).await.unwrap();
            // The sweep of the gateway under test may have been quicker.
            if let Some(item) = self.world.gateway_store.claim_outbox(self.tenant.id, "dying").await.unwrap()
            {
                return item;
            }
        }
        panic!("the gateway under test was always quicker");
    }

    /// How many messages in Slack are this reply.
    fn visible(&self, item: &OutboxItem) -> usize {
        let id = item.reply.to_string();
        let is_it = |message: &Message| {
            message
                .metadata
                .as_ref()
                .is_some_and(|metadata| metadata["event_payload"]["reply_id"] == id.as_str())
        };
        self.world.slack.messages().iter().filter(|message| is_it(message)).count()
    }

    async fn sent(&self) {
        eventually("every reply is sent", async || {
            let rows = self.world.outbox().await;
            !rows.is_empty() && rows.iter().all(|row| row.state == "sent")
        })
        .await;
    }

    /// As if nobody had to wait for the next try.
    async fn make_due(&self) {
        sqlx::query("update konstruct.outbox set due_at = now(), lease_until = null where state = 'pending'")
            .execute(&mut self.world.admin().await)
            .await
            .unwrap();
        self.world.bus.publish(Signal::Outbox(self.tenant.id)).await;
    }
}

#[tokio::test]
async fn a_reply_appears_in_the_thread_with_its_id() {
    let scene = Scene::start().await;
    let root = scene.ask("hello").await;
    scene.world.answer(&scene.tenant, "**Hi** <!channel>, @here too").await;
    scene.sent().await;
    let messages = scene.world.slack.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!((messages[0].channel.as_str(), messages[0].thread_ts.as_deref()), ("C1", Some(root.as_str())));
    assert_eq!(messages[0].shown(), "**Hi** @\u{2060}channel, @\u{2060}here too");
    let row = &scene.world.outbox().await[0];
    assert_eq!((row.attempt, row.platform_message_id.as_deref()), (1, Some(messages[0].ts.as_str())));
}

#[tokio::test]
async fn a_reply_longer_than_slack_takes_comes_in_parts_and_in_order() {
    let scene = Scene::start().await;
    scene.ask("tell me everything").await;
    let paragraphs: Vec<_> =
        (0..60).map(|number| format!("{number} {}", "word ".repeat(80).trim())).collect();
    scene.world.answer(&scene.tenant, &paragraphs.join("\n\n")).await;
    scene.sent().await;
    let texts: Vec<_> =
        scene.world.slack.messages().iter().map(|message| message.shown().to_owned()).collect();
    assert_eq!(texts.len(), 3);
    assert_eq!(texts.join("\n\n"), paragraphs.join("\n\n"));
}

#[tokio::test]
async fn a_wish_to_wait_is_honoured() {
    let scene = Scene::start().await;
    scene.ask("hello").await;
    scene.world.slack.inject("chat.postMessage", [Fault::RateLimited { seconds: 2 }]);
    let started = Instant::now();
    scene.world.answer(&scene.tenant, "hi").await;
    scene.sent().await;
    assert!(started.elapsed() >= Duration::from_secs(2), "sent after {:?}", started.elapsed());
    assert_eq!(scene.world.slack.messages().len(), 1);
    assert_eq!(scene.world.outbox().await[0].attempt, 1, "a wait uses up no try");
}

#[tokio::test]
async fn when_the_answer_of_slack_is_lost_the_reply_is_still_visible_once() {
    let scene = Scene::start().await;
    scene.ask("hello").await;
    scene.world.slack.inject("chat.postMessage", [Fault::AcceptThenDrop]);
    scene.world.answer(&scene.tenant, "hi").await;
    scene.sent().await;
    assert_eq!(scene.world.slack.messages().len(), 1);
    assert_eq!(scene.world.slack.calls("chat.postMessage"), 1);
    assert_eq!(scene.world.slack.calls("conversations.replies"), 1);
    let sent_as = scene.world.outbox().await[0].platform_message_id.clone();
    assert_eq!(sent_as.as_deref(), Some(scene.world.slack.messages()[0].ts.as_str()));
}

#[tokio::test]
async fn a_server_error_is_tried_again() {
    let scene = Scene::start().await;
    scene.ask("hello").await;
    scene.world.slack.inject("chat.postMessage", [Fault::Status(503), Fault::Error("service_unavailable")]);
    scene.world.answer(&scene.tenant, "hi").await;
    eventually("two tries fail", async || {
        scene.make_due().await;
        scene.world.slack.calls("chat.postMessage") >= 3
    })
    .await;
    scene.sent().await;
    assert_eq!(scene.world.slack.messages().len(), 1);
}

#[tokio::test]
async fn a_long_reply_interrupted_in_the_middle_is_completed_and_not_repeated() {
    let scene = Scene::start().await;
    scene.ask("tell me everything").await;
    let text = ["a", "b", "c"].map(|letter| letter.repeat(9_000)).join("\n\n");
    scene.world.answer(&scene.tenant, &text).await;
    scene.world.slack.wait_for_messages(1).await;
    scene.world.slack.inject("chat.postMessage", [Fault::RateLimited { seconds: 1 }]);
    scene.sent().await;
    let starts: Vec<_> =
        scene.world.slack.messages().iter().map(|message| message.shown()[..1].to_owned()).collect();
    assert_eq!(starts, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_crash_after_sending_does_not_send_again() {
    let scene = Scene::start().await;
    let item = scene.claimed_by_a_dying_gateway().await;
    let (channel, thread_ts) = (item.target.get("channel").unwrap(), item.target.get("thread_ts").unwrap());
    let client = konstruct_channels::slack::Client::new(&scene.world.slack.base_url()).unwrap();
    let reply = konstruct_channels::slack::Reply {
        id: item.reply,
        channel,
        thread_ts,
        text: &item.text,
        in_doubt: item.in_doubt,
        first: None,
        shape: konstruct_channels::slack::Shape::Messages,
    };
    client.deliver(&"xoxb-T1".into(), &reply).await.unwrap();
    scene.make_due().await;
    scene.sent().await;
    assert_eq!(scene.visible(&item), 1);
}

#[tokio::test]
async fn a_crash_before_sending_sends_after_all() {
    let scene = Scene::start().await;
    let item = scene.claimed_by_a_dying_gateway().await;
    scene.make_due().await;
    scene.sent().await;
    assert_eq!(scene.visible(&item), 1);
}

#[tokio::test]
async fn what_slack_will_never_take_is_a_dead_letter_and_the_next_reply_is_sent() {
    let scene = Scene::start().await;
    let [mention, _] = scene.connection.app.mention("CFOREIGN", "U1", "hello");
    scene.world.deliver(&scene.connection, &mention).await;
    scene.world.answer(&scene.tenant, "hi").await;
    eventually("the reply is given up", async || scene.world.outbox().await[0].state == "dead").await;
    let reason = scene.world.outbox().await[0].last_error.clone().unwrap();
    assert!(reason.contains("channel_not_found"), "{reason}");
    scene.ask("and here?").await;
    scene.world.answer(&scene.tenant, "here it works").await;
    assert_eq!(scene.world.slack.wait_for_messages(1).await[0].shown(), "here it works");
}

#[tokio::test]
async fn tries_end_after_eight() {
    let scene = Scene::start().await;
    scene.ask("hello").await;
    scene.world.slack.inject("chat.postMessage", vec![Fault::Error("service_unavailable"); 20]);
    scene.world.answer(&scene.tenant, "hi").await;
    eventually("the reply is given up", async || {
        scene.make_due().await;
        scene.world.outbox().await[0].state == "dead"
    })
    .await;
    assert_eq!(scene.world.outbox().await[0].attempt, 8);
    assert_eq!(scene.world.slack.messages().len(), 0);
}

#[tokio::test]
async fn a_refused_token_shows_on_the_connection_until_a_good_one_is_stored() {
    let scene = Scene::start().await;
    let (world, tenant) = (&scene.world, &scene.tenant);
    let name = scene.connection.snapshot.name.as_str();
    let observed = async || {
        world.operator.standing(tenant.id, Kind::ChannelConnection, name).await.unwrap().observations
    };
    eventually("the token is checked when it is loaded", async || observed().await.iter().any(|o| o.ok))
        .await;

    world.slack.rotate_token("T1", "xoxb-new");
    scene.ask("hello").await;
    world.answer(tenant, "hi").await;
    eventually("the refusal is reported", async || observed().await.iter().any(|o| !o.ok)).await;
    let refusal = observed().await.into_iter().find(|o| !o.ok).unwrap();
    assert_eq!(refusal.reason, "CredentialsRejected");
    assert!(
        refusal.message.contains("invalid_auth") && refusal.message.contains("botTokenRef"),
        "{}",
        refusal.message
    );

    let mut snapshot = scene.connection.snapshot.clone();
    let ChannelSnapshot::Slack(slack) = &mut snapshot.channel else { panic!("a Slack connection") };
    slack.bot_token = world.version(SecretField::SlackBotToken, "xoxb-new");
    world.publish(tenant, &snapshot, &[(SecretField::SlackBotToken, "xoxb-new".into())]).await;
    eventually("the new token is accepted", async || observed().await.iter().all(|o| o.ok)).await;
    scene.make_due().await;
    scene.sent().await;
    assert_eq!(world.slack.messages().len(), 1);
}

#[tokio::test]
async fn a_token_of_another_workspace_is_reported() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let mut connection = world.connect_slack(&tenant, "T1").await;
    let ChannelSnapshot::Slack(slack) = &mut connection.snapshot.channel else {
        panic!("a Slack connection")
    };
    slack.team_id = "T2".to_owned();
    world.publish(&tenant, &connection.snapshot, &[(SecretField::SlackBotToken, "xoxb-T1".into())]).await;
    eventually("the mismatch is reported", async || {
        let name = connection.snapshot.name.as_str();
        let observed =
            world.operator.standing(tenant.id, Kind::ChannelConnection, name).await.unwrap().observations;
        observed.iter().any(|o| !o.ok && o.message.contains("T1") && o.message.contains("T2"))
    })
    .await;
}

/// What of a tenant may go over one connection at the same time.
const OVER_A_CONNECTION: usize = 4;

impl Scene {
    /// More replies than could be tried while a test has patience, and none of them is ever answered.
    async fn begin_to_hang(&self) {
        self.world.slack.hang("T1", "chat.postMessage");
        for number in 0..12 * OVER_A_CONNECTION {
            self.ask(&format!("question {number}")).await;
            self.world.answer(&self.tenant, "hangs").await;
        }
        eventually("as many hang as may", async || self.world.slack.most_hanging() == OVER_A_CONNECTION)
            .await;
    }
}

#[tokio::test]
async fn a_tenant_whose_platform_hangs_holds_up_nobody_else() {
    let scene = Scene::start().await;
    let other = scene.world.tenant("globex").await;
    let connection = scene.world.connect_slack(&other, "T2").await;
    scene.begin_to_hang().await;
    let [mention, _] = connection.app.mention("C1", "U1", "hello");
    scene.world.deliver(&connection, &mention).await;
    scene.world.answer(&other, "quick").await;
    assert_eq!(scene.world.slack.wait_for_messages(1).await[0].team_id, "T2");
    assert_eq!(scene.world.slack.most_hanging(), OVER_A_CONNECTION);
}

#[tokio::test]
async fn a_platform_that_hangs_holds_up_no_other_channel_of_the_tenant() {
    let scene = Scene::start().await;
    let line = whatsapp::connect(&scene.world, &scene.tenant, "PN1", Some("secret"), false).await;
    scene.begin_to_hang().await;
    scene.world.whatsapp.person_wrote(whatsapp::PERSON, 0);
    let message = line.app.message(whatsapp::PERSON, whatsapp::PHONE, "hello");
    assert_eq!(whatsapp::deliver(&scene.world, &line, &message).await, StatusCode::OK);
    scene.world.answer(&scene.tenant, "quick").await;
    assert_eq!(scene.world.whatsapp.wait_for_sent(1).await[0].text, "quick");
    assert_eq!(scene.world.slack.most_hanging(), OVER_A_CONNECTION, "lanes are left to others");
}

#[tokio::test]
async fn a_reply_whose_wake_up_was_lost_is_found_by_the_sweep() {
    let scene = Scene::start().await;
    scene.ask("hello").await;
    let claim = scene.world.claim(&scene.tenant).await;
    scene.tenant.runtime.complete(&claim, &turn("hi")).await.unwrap();
    scene.sent().await;
    assert_eq!(scene.world.slack.messages().len(), 1);
}
