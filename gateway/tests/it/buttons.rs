//! Questions with buttons in every channel that has them: asked, pressed, taken once, by who may.

use std::time::Duration;

use konstruct_channels::{Account, Adapters, Choice, Question, Secrets, SendError};
use konstruct_domain::message::ReplyTarget;
use konstruct_domain::snapshot::ConnectionSnapshot;
use konstruct_store::Offer;
use konstruct_testkit::telegram::SentText;
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::whatsapp::{PERSON, PHONE, deliver};
use crate::world::{Tenant, World, eventually};
use crate::{telegram, whatsapp_outbox};

const GROUP: i64 = -100_200;
const TITLES: [&str; 2] = ["Yes, do it", "No"];

async fn offer(
    world: &World,
    tenant: &Tenant,
    of: &ConnectionSnapshot,
    may: &[&str],
    lasts: Duration,
) -> Uuid {
    let subject = json!({});
    let offer =
        Offer { purpose: "test", subject: &subject, choices: &["yes", "no"], may_press: Some(may), lasts };
    world.gateway_store.offer(tenant.id, &of.name, offer).await.unwrap()
}

/// Asks through the channel's adapter.
async fn ask(
    world: &World,
    tenant: &Tenant,
    of: &ConnectionSnapshot,
    target: &ReplyTarget,
    titles: &[&str],
    id: Uuid,
) -> Result<String, SendError> {
    let mut secrets = Vec::new();
    for version in of.channel.secrets() {
        let kind = konstruct_domain::Kind::ChannelConnection;
        let value = world.gateway_store.reveal(tenant.id, kind, of.name.as_str(), version).await.unwrap();
        secrets.push((version.field, value));
    }
    let secrets: Secrets = secrets.into_iter().collect();
    let adapters = Adapters::new(&world.channels).unwrap();
    let account = Account { connection: of, secrets: &secrets };
    let contact = match target.get("contact") {
        Some(key) => world.gateway_store.contact(tenant.id, &of.name, key).await.unwrap(),
        None => None,
    };
    let values: Vec<_> = (0..titles.len()).map(|place| format!("{id}.{place}")).collect();
    let choices: Vec<_> = titles.iter().zip(&values).map(|(title, value)| Choice { title, value }).collect();
    let question = Question { text: "**Shall I** book it?", choices: &choices };
    adapters.get(of.channel.type_name()).unwrap().ask(&account, target, contact.as_ref(), &question).await
}

async fn taken(world: &World) -> i64 {
    world.number("select count(*) from konstruct.audit where action = 'offer.test'").await
}

fn data(sent: &SentText, place: usize) -> String {
    sent.reply_markup.as_ref().unwrap()["inline_keyboard"][place][0]["callback_data"]
        .as_str()
        .unwrap()
        .to_owned()
}

struct Telegram {
    scene: telegram::Scene,
    target: ReplyTarget,
}

impl Telegram {
    async fn start() -> Self {
        let scene = telegram::Scene::start().await;
        let chat = GROUP.to_string();
        scene.deliver(&scene.world.telegram.group_message("ada_bot", GROUP, 11, "@ada_bot book it")).await;
        Self { scene, target: ReplyTarget::new("telegram", [("chat", chat.as_str())]) }
    }

    async fn ask(&self, may: &[&str], lasts: Duration) -> SentText {
        let telegram::Scene { world, tenant, line, .. } = &self.scene;
        let id = offer(world, tenant, &line.snapshot, may, lasts).await;
        ask(world, tenant, &line.snapshot, &self.target, &TITLES, id).await.unwrap();
        world.telegram.sent().pop().unwrap()
    }

    async fn press(&self, below: &SentText, person: i64, data: &str) -> String {
        let told = self.scene.world.telegram.answered().len();
        let update = self.scene.world.telegram.pressed(below, person, data);
        assert_eq!(self.scene.deliver(&update).await, StatusCode::OK);
        eventually("the person is told", async || self.scene.world.telegram.answered().len() > told).await;
        let (to, text) = self.scene.world.telegram.answered().pop().unwrap();
        assert_eq!(to, person);
        text
    }

    fn keyboard(&self, of: &SentText) -> Option<Value> {
        let sent = self.scene.world.telegram.sent();
        sent.into_iter().find(|sent| sent.message_id == of.message_id).unwrap().reply_markup
    }
}

#[tokio::test]
async fn in_telegram_a_press_counts_once_for_who_may_and_the_keyboard_goes() {
    let scene = Telegram::start().await;
    let asked = scene.ask(&["11"], Duration::from_mins(5)).await;
    assert_eq!(asked.text, "Shall I book it?");
    assert_eq!(asked.reply_markup.as_ref().unwrap()["inline_keyboard"][0][0]["text"], TITLES[0]);
    for forged in [format!("offer:{}.0", Uuid::new_v4()), "offer:💥".to_owned(), data(&asked, 0) + "7"] {
        assert!(scene.press(&asked, 11, &forged).await.contains("not known"), "{forged}");
    }
    assert!(scene.press(&asked, 12, &data(&asked, 0)).await.contains("somebody else"));
    assert!(scene.keyboard(&asked).is_some(), "others take it from nobody");
    assert_eq!(taken(&scene.scene.world).await, 0);
    assert!(scene.press(&asked, 11, &data(&asked, 1)).await.contains("noted: no"));
    eventually("the keyboard is gone", async || scene.keyboard(&asked).is_none()).await;
    assert!(scene.press(&asked, 11, &data(&asked, 0)).await.contains("decided before"));
    assert_eq!(taken(&scene.scene.world).await, 1);
    assert_eq!(scene.scene.world.inbox().await.len(), 1, "a press is no message");
}

#[tokio::test]
async fn in_telegram_a_late_press_changes_nothing_and_is_answered() {
    let scene = Telegram::start().await;
    let asked = scene.ask(&["11"], Duration::ZERO).await;
    assert!(scene.press(&asked, 11, &data(&asked, 0)).await.contains("expired"));
    eventually("the keyboard is gone", async || scene.keyboard(&asked).is_none()).await;
    assert_eq!(taken(&scene.scene.world).await, 0);
    // So late that Telegram takes no answer any more: in a private chat there is another way.
    let telegram = &scene.scene.world.telegram;
    scene.scene.deliver(&telegram.message("ada_bot", 11, "hello")).await;
    let private = SentText { chat_id: 11, ..asked.clone() };
    let update = telegram.pressed(&private, 11, &data(&asked, 0));
    telegram.forget_presses();
    scene.scene.deliver(&update).await;
    eventually("the person is told", async || {
        telegram.sent().iter().any(|sent| sent.chat_id == 11 && sent.text.contains("expired"))
    })
    .await;
}

#[tokio::test]
async fn in_whatsapp_a_reply_button_counts_once_and_the_person_is_told() {
    let scene = whatsapp_outbox::Scene::start(false).await;
    scene.ask("book it").await;
    let (world, line) = (&scene.world, &scene.line);
    let target = ReplyTarget::new("whatsapp", [("contact", PERSON)]);
    let id = offer(world, &scene.tenant, &line.snapshot, &[PERSON], Duration::from_mins(5)).await;
    ask(world, &scene.tenant, &line.snapshot, &target, &TITLES, id).await.unwrap();
    let asked = world.whatsapp.sent().pop().unwrap();
    assert_eq!(
        (asked.kind.as_str(), asked.text.as_str(), asked.recipient.as_str()),
        ("interactive", "*Shall I* book it?", PERSON)
    );
    let value =
        asked.whole["interactive"]["action"]["buttons"][0]["reply"]["id"].as_str().unwrap().to_owned();
    let press = async |value: &str, expected: &str| {
        let before = world.whatsapp.sent().len();
        let body = line.app.pressed(PERSON, PHONE, value, TITLES[0]);
        assert_eq!(deliver(world, line, &body).await, StatusCode::OK);
        let told = world.whatsapp.wait_for_sent(before + 1).await.pop().unwrap();
        assert!(told.text.contains(expected) && told.recipient == PERSON, "{told:?}");
    };
    press(&format!("offer:{}.0", Uuid::new_v4()), "not known").await;
    press(&value, "noted: yes").await;
    press(&value, "decided before").await;
    let expired = offer(world, &scene.tenant, &line.snapshot, &[PERSON], Duration::ZERO).await;
    press(&format!("offer:{expired}.1"), "expired").await;
    let others = offer(world, &scene.tenant, &line.snapshot, &["DE.9"], Duration::from_mins(5)).await;
    press(&format!("offer:{others}.1"), "somebody else").await;
    assert_eq!(taken(world).await, 1);
    let four = ["a", "b", "c", "d"];
    let refused = ask(world, &scene.tenant, &line.snapshot, &target, &four, id).await.unwrap_err();
    assert!(refused.to_string().contains("1 to 3 choices"), "{refused}");
}

#[tokio::test]
async fn in_slack_the_same_question_has_buttons_in_the_thread() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let connection = world.connect_slack(&tenant, "T1").await;
    let target = ReplyTarget::new("slack", [("channel", "C1"), ("thread_ts", "1.000100")]);
    let id = offer(&world, &tenant, &connection.snapshot, &["U1"], Duration::from_mins(5)).await;
    ask(&world, &tenant, &connection.snapshot, &target, &TITLES, id).await.unwrap();
    let asked = world.slack.messages().pop().unwrap();
    assert_eq!((asked.shown(), asked.thread_ts.as_deref()), ("**Shall I** book it?", Some("1.000100")));
    assert_eq!(asked.buttons[1], (TITLES[1].to_owned(), format!("{id}.1")));
    let press = connection.app.pressed("C1", "1.000100", "U1", &asked.buttons[1].1);
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("x-slack-request-timestamp", press.timestamp.as_str()),
        ("x-slack-signature", press.signature.as_str()),
    ];
    assert_eq!(world.post_signed("/slack/interactivity", &headers, &press.body).await, StatusCode::OK);
    assert_eq!(taken(&world).await, 1);
}
