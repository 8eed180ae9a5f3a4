//! WhatsApp, out: replies reach the person, once each, or say why not.

use std::time::Duration;

use konstruct_domain::Kind;
use konstruct_domain::observation::Observation;
use konstruct_testkit::fault::CallFault;
use reqwest::StatusCode;

use crate::whatsapp::{Line, PERSON, PHONE, connect, deliver};
use crate::world::{Tenant, World, eventually};

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) tenant: Tenant,
    pub(crate) line: Line,
}

impl Scene {
    pub(crate) async fn start(template: bool) -> Self {
        let world = World::start().await;
        let tenant = world.tenant("acme").await;
        let line = connect(&world, &tenant, "PN1", Some("secret"), template).await;
        Self { world, tenant, line }
    }

    pub(crate) async fn ask(&self, text: &str) {
        self.world.whatsapp.person_wrote(PERSON, 0);
        let body = self.line.app.message(PERSON, PHONE, text);
        assert_eq!(deliver(&self.world, &self.line, &body).await, StatusCode::OK);
    }

    /// Asks in a new scene, and waits until the calls to come are those of the reply.
    pub(crate) async fn asked(text: &str) -> Self {
        let scene = Self::start(false).await;
        scene.ask(text).await;
        eventually("the sign of typing is over", async || scene.world.whatsapp.typing().len() == 1).await;
        scene
    }

    pub(crate) async fn outbox_is(&self, state: &str) {
        eventually(&format!("the reply is {state}"), async || {
            let rows = self.world.outbox().await;
            !rows.is_empty() && rows.iter().all(|row| row.state == state)
        })
        .await;
    }

    async fn failed(&self) -> Vec<Observation> {
        let name = self.line.snapshot.name.as_str();
        let standing =
            self.world.operator.standing(self.tenant.id, Kind::ChannelConnection, name).await.unwrap();
        standing.observations.into_iter().filter(|observation| !observation.ok).collect()
    }
}

#[tokio::test]
async fn a_reply_reaches_the_person_in_whatsapps_markup_after_a_sign_of_typing() {
    let scene = Scene::start(false).await;
    scene.ask("hello").await;
    eventually("a sign of typing is shown", async || scene.world.whatsapp.typing().len() == 1).await;
    scene.world.answer(&scene.tenant, "**Hi** [docs](https://a.example)").await;
    scene.outbox_is("sent").await;
    let sent = scene.world.whatsapp.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(
        (sent[0].text.as_str(), sent[0].recipient.as_str()),
        ("*Hi* docs (https://a.example)", PERSON)
    );
    assert!(sent[0].callback_data.as_ref().is_some_and(|data| data.ends_with("/0")));
    let row = &scene.world.outbox().await[0];
    assert_eq!((row.attempt, row.platform_message_id.as_deref()), (1, Some(sent[0].id.as_str())));
}

#[tokio::test]
async fn a_long_reply_comes_in_parts_and_in_order_and_goes_on_after_a_refusal() {
    let scene = Scene::start(false).await;
    scene.ask("tell me everything").await;
    let text = ["a", "b", "c"].map(|letter| letter.repeat(3_500)).join("\n\n");
    scene.world.answer(&scene.tenant, &text).await;
    scene.world.whatsapp.wait_for_sent(1).await;
    scene.outbox_is("sent").await;
    let starts: Vec<_> =
        scene.world.whatsapp.sent().iter().map(|message| message.text[..1].to_owned()).collect();
    assert_eq!(starts, ["a", "b", "c"]);
}

#[tokio::test]
async fn when_the_answer_is_lost_the_reply_waits_for_the_report_and_is_not_sent_again() {
    let scene = Scene::asked("hello").await;
    scene.world.whatsapp.inject("messages", [CallFault::AcceptThenDrop]);
    scene.world.answer(&scene.tenant, "hi").await;
    let sent = scene.world.whatsapp.wait_for_sent(1).await;
    for _ in 0..3 {
        scene.world.make_due(&scene.tenant).await;
    }
    eventually("the next try waits", async || scene.world.outbox().await[0].attempt >= 2).await;
    let report = scene.line.app.status(&scene.world.whatsapp.report(&sent[0], "sent"));
    assert_eq!(deliver(&scene.world, &scene.line, &report).await, StatusCode::OK);
    eventually("the report resolves it", async || {
        scene.world.make_due(&scene.tenant).await;
        scene.world.outbox().await[0].state == "sent"
    })
    .await;
    assert_eq!(scene.world.whatsapp.sent().len(), 1);
    let row = &scene.world.outbox().await[0];
    assert_eq!(row.platform_message_id.as_deref(), Some(sent[0].id.as_str()));
}

#[tokio::test]
async fn without_a_report_the_reply_is_flagged_and_not_sent_again_until_a_late_one_settles_it() {
    let scene = Scene::asked("hello").await;
    scene.world.whatsapp.inject("messages", [CallFault::AcceptThenDrop]);
    scene.world.answer(&scene.tenant, "hi").await;
    scene.world.whatsapp.wait_for_sent(1).await;
    eventually("the part is written down", async || {
        scene.world.number("select count(*) from konstruct.outbox_part").await == 1
    })
    .await;
    scene.world.execute("update konstruct.outbox_part set tried_at = now() - interval '11 minutes'").await;
    eventually("the reply is given up", async || {
        scene.world.make_due(&scene.tenant).await;
        scene.world.outbox().await[0].state == "dead"
    })
    .await;
    let reason = scene.world.outbox().await[0].last_error.clone().unwrap();
    assert!(reason.starts_with("in doubt"), "{reason}");
    assert_eq!(scene.world.whatsapp.sent().len(), 1);

    // Meta repeats its reports for days: one that comes late settles the matter.
    let sent = scene.world.whatsapp.sent();
    let report = scene.line.app.status(&scene.world.whatsapp.report(&sent[0], "sent"));
    assert_eq!(deliver(&scene.world, &scene.line, &report).await, StatusCode::OK);
    scene.outbox_is("sent").await;
    assert_eq!(scene.world.whatsapp.sent().len(), 1);
}

#[tokio::test]
async fn what_meta_refuses_for_now_is_sent_later_and_once() {
    let scene = Scene::asked("hello").await;
    let faults =
        [CallFault::RateLimited { seconds: 0 }, CallFault::Error(131_016), CallFault::Error(131_056)];
    scene.world.whatsapp.inject("messages", faults);
    scene.world.answer(&scene.tenant, "hi").await;
    eventually("the reply is sent", async || {
        scene.world.make_due(&scene.tenant).await;
        scene.world.outbox().await[0].state == "sent"
    })
    .await;
    assert_eq!(scene.world.whatsapp.sent().len(), 1);
}

#[tokio::test]
async fn what_meta_had_no_room_for_is_not_in_doubt() {
    let scene = Scene::asked("hello").await;
    scene.world.whatsapp.inject("messages", [CallFault::Status(503)]);
    scene.world.answer(&scene.tenant, "hi").await;
    scene.outbox_is("sent").await;
    assert_eq!(scene.world.whatsapp.sent().len(), 1);
}

#[tokio::test]
async fn many_replies_to_one_person_are_paced_and_keep_their_order() {
    let scene = Scene::start(false).await;
    // What comes faster than this is refused.
    scene.world.whatsapp.limit_rate(Duration::from_secs(6), 4);
    for number in 0..5 {
        scene.ask("and?").await;
        scene.world.answer(&scene.tenant, &number.to_string()).await;
    }
    scene.outbox_is("sent").await;
    let texts: Vec<_> = scene.world.whatsapp.sent().into_iter().map(|message| message.text).collect();
    assert_eq!(texts, ["0", "1", "2", "3", "4"]);
}

#[tokio::test]
async fn what_meta_will_never_take_is_a_dead_letter_with_its_words() {
    let scene = Scene::asked("hello").await;
    scene.world.whatsapp.inject("messages", [CallFault::Error(131_026)]);
    scene.world.answer(&scene.tenant, "hi").await;
    scene.outbox_is("dead").await;
    let reason = scene.world.outbox().await[0].last_error.clone().unwrap();
    assert!(reason.contains("131026"), "{reason}");
}

#[tokio::test]
async fn a_refused_token_and_a_restricted_account_show_on_the_connection() {
    let scene = Scene::asked("hello").await;
    scene.world.whatsapp.inject("messages", [CallFault::Error(190)]);
    scene.world.answer(&scene.tenant, "hi").await;
    eventually("the refusal is reported", async || {
        scene
            .failed()
            .await
            .iter()
            .any(|o| o.reason == "CredentialsRejected" && o.message.contains("accessTokenRef"))
    })
    .await;
    scene.world.whatsapp.inject("messages", [CallFault::Error(131_042)]);
    // Once: a further try would get through and take the report back.
    scene.world.make_due(&scene.tenant).await;
    eventually("the restriction is reported", async || {
        scene.failed().await.iter().any(|o| o.reason == "AccountRestricted" && o.message.contains("131042"))
    })
    .await;
    eventually("it is all right again", async || {
        scene.world.make_due(&scene.tenant).await;
        scene.failed().await.is_empty()
    })
    .await;
    assert_eq!(scene.world.whatsapp.sent().len(), 1);
}
