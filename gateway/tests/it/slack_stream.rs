//! Answers that grow in a thread, and end as one message with the whole text, whatever happens meanwhile.

use std::time::Duration;

use konstruct_domain::ids::ReplyId;
use konstruct_queue::Signal;
use konstruct_store::Claim;
use konstruct_testkit::slack::{App, Fault, Message, Phase};
use tokio::time::{sleep, timeout};

use crate::world::{PATIENCE, SlackConnection, Tenant, World, eventually, turn};

const BEGINNING: &str = "This is how an answer begins that is long enough to be shown while it ";

struct Scene {
    world: World,
    tenant: Tenant,
    connection: SlackConnection,
    root: String,
    claim: Claim,
}

impl Scene {
    /// Somebody has asked, and a runtime has begun to answer.
    async fn start() -> Self {
        let world = World::start().await;
        let tenant = world.tenant("acme").await;
        let connection = world.connect_slack(&tenant, "T1").await;
        let [mention, _] = connection.app.mention("C1", "U1", "tell me");
        world.deliver(&connection, &mention).await;
        let claim = world.claim(&tenant).await;
        eventually("the runtime gets to know that somebody looks", async || {
            world.bus.is_watched(tenant.id, claim.conversation).await
        })
        .await;
        Self { world, tenant, connection, root: App::ts_of(&mention).to_owned(), claim }
    }

    async fn write(&self, reply: ReplyId, text: &str) {
        self.world.bus.publish_partial(self.tenant.id, self.claim.conversation, reply, text).await;
    }

    /// Writes until a message shows it.
    async fn shows(&self, text: &str) -> Message {
        let shown = async {
            loop {
                self.write(self.claim.reply(), text).await;
                let messages = self.world.slack.messages();
                if let Some(message) = messages.iter().find(|message| message.shown() == text.trim_end()) {
                    return message.clone();
                }
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(PATIENCE, shown).await.expect("it is shown")
    }

    async fn answer(&self, text: &str) {
        self.tenant.runtime.complete(&self.claim, &turn(text)).await.unwrap();
        self.world.bus.publish(Signal::Outbox(self.tenant.id)).await;
    }

    /// Every reply is sent, and one message shows this one.
    async fn one_message(&self, text: &str) -> Message {
        eventually("every reply is sent", async || {
            self.world.make_due(&self.tenant).await;
            let rows = self.world.outbox().await;
            !rows.is_empty() && rows.iter().all(|row| row.state == "sent")
        })
        .await;
        let messages = self.world.slack.messages();
        let shown: Vec<_> = messages.iter().map(Message::shown).collect();
        assert_eq!(shown, [text]);
        let metadata = messages[0].metadata.as_ref().unwrap();
        assert_eq!(metadata["event_payload"]["reply_id"], self.claim.reply().to_string());
        assert_eq!(metadata["event_payload"]["part"], 0);
        assert_ne!(messages[0].streaming, Some(Phase::Running));
        let left = self.world.number("select count(*) from konstruct.reply_stream").await;
        assert_eq!(left, 0);
        messages[0].clone()
    }

    /// Records that a message is about to be begun, as a gateway does that is killed then.
    async fn begins(&self) {
        let begins = self.world.gateway_store.stream_begins(
            self.tenant.id,
            self.claim.conversation,
            self.claim.reply(),
        );
        assert!(begins.await.unwrap());
    }

    /// Begins a message at Slack.
    async fn begun(&self) -> String {
        let request = self.world.http.post(format!("{}/chat.startStream", self.world.slack.base_url()));
        let arguments = serde_json::json!({
            "channel": "C1", "thread_ts": self.root, "markdown_text": "Half of", "recipient_team_id": "T1",
            "recipient_user_id": "U1",
        });
        let answer = request.bearer_auth("xoxb-T1").json(&arguments).send().await.unwrap();
        answer.json::<serde_json::Value>().await.unwrap()["ts"].as_str().unwrap().to_owned()
    }

    async fn long_ago(&self) {
        self.world
            .execute("update konstruct.reply_stream set begun_at = now() - interval '20 seconds'")
            .await;
    }
}

#[tokio::test]
async fn an_answer_grows_and_ends_as_one_message() {
    let scene = Scene::start().await;
    let begun = scene.shows(BEGINNING).await;
    assert_eq!(
        (begun.streaming, begun.thread_ts.as_deref()),
        (Some(Phase::Running), Some(scene.root.as_str()))
    );
    let more = format!("{BEGINNING}grows, <!channel> and @here ");
    let shown = format!("{BEGINNING}grows, @\u{2060}channel and @\u{2060}here");
    scene.write(scene.claim.reply(), &more).await;
    eventually("more is shown", async || scene.world.slack.messages()[0].shown() == shown).await;
    scene.answer(&format!("{more}ends.")).await;
    let message = scene.one_message(&format!("{shown} ends.")).await;
    assert_eq!(message.ts, begun.ts);
    let called = ["chat.startStream", "chat.stopStream", "chat.update", "chat.postMessage"];
    assert_eq!(called.map(|method| scene.world.slack.calls(method)), [1, 1, 1, 0]);
    assert_eq!(scene.world.outbox().await[0].platform_message_id.as_deref(), Some(begun.ts.as_str()));

    // What is written late is nobody's.
    scene.write(scene.claim.reply(), &format!("{more}and goes on and ")).await;
    sleep(Duration::from_millis(1500)).await;
    scene.one_message(&format!("{shown} ends.")).await;
}

#[tokio::test]
async fn a_short_answer_comes_at_once() {
    let scene = Scene::start().await;
    scene.write(scene.claim.reply(), "Yes, of ").await;
    scene.answer("Yes, of course.").await;
    scene.one_message("Yes, of course.").await;
    assert_eq!(scene.world.slack.calls("chat.startStream"), 0);
}

#[tokio::test]
async fn where_there_are_no_streams_a_message_is_edited() {
    let scene = Scene::start().await;
    scene.world.slack.inject("chat.startStream", [Fault::Error("unknown_method")]);
    let begun = scene.shows(BEGINNING).await;
    assert_eq!(begun.streaming, None);
    let more = format!("{BEGINNING}is edited and ");
    scene.write(scene.claim.reply(), &more).await;
    eventually("more is shown", async || scene.world.slack.messages()[0].shown() == more.trim_end()).await;
    scene.answer(&format!("{more}ends.")).await;
    let message = scene.one_message(&format!("{more}ends.")).await;
    assert_eq!(message.ts, begun.ts);
    let called = ["chat.postMessage", "chat.stopStream", "chat.update"];
    assert_eq!(called.map(|method| scene.world.slack.calls(method)), [1, 0, 2]);
}

#[tokio::test]
async fn where_nothing_can_be_begun_the_answer_comes_in_the_plain_way() {
    for fault in [Fault::RateLimited { seconds: 30 }, Fault::Error("service_unavailable")] {
        let scene = Scene::start().await;
        scene.world.slack.inject("chat.startStream", vec![fault; 9]);
        scene.write(scene.claim.reply(), BEGINNING).await;
        eventually("it is tried", async || scene.world.slack.calls("chat.startStream") == 1).await;
        scene.answer("All of it.").await;
        scene.one_message("All of it.").await;
        assert_eq!(scene.world.slack.calls("chat.startStream"), 1, "once for a reply");
    }
}

#[tokio::test]
async fn a_stream_that_slack_or_a_person_ends_is_completed_all_the_same() {
    for phase in [Phase::Ended, Phase::StoppedByUser] {
        let scene = Scene::start().await;
        let begun = scene.shows(BEGINNING).await;
        scene.world.slack.end_streams(phase);
        scene.write(scene.claim.reply(), &format!("{BEGINNING}grows and ")).await;
        scene.answer("All of it.").await;
        assert_eq!(scene.one_message("All of it.").await.ts, begun.ts);
    }
}

#[tokio::test]
async fn a_message_that_somebody_deletes_is_posted_anew() {
    let scene = Scene::start().await;
    let begun = scene.shows(BEGINNING).await;
    scene.world.slack.delete(&begun.ts);
    scene.answer("All of it.").await;
    scene.one_message("All of it.").await;
}

#[tokio::test]
async fn the_end_is_tried_again_and_stays_one_message() {
    let scene = Scene::start().await;
    let begun = scene.shows(BEGINNING).await;
    scene.world.slack.inject("chat.stopStream", [Fault::Status(503), Fault::AcceptThenDrop]);
    scene.world.slack.inject("chat.update", [Fault::RateLimited { seconds: 1 }, Fault::AcceptThenDrop]);
    scene.answer("All of it.").await;
    assert_eq!(scene.one_message("All of it.").await.ts, begun.ts);
}

#[tokio::test]
async fn a_long_answer_goes_on_in_further_messages() {
    let scene = Scene::start().await;
    let begun = scene.shows(BEGINNING).await;
    let parts = ["a", "b", "c"].map(|letter| letter.repeat(9_000));
    scene.answer(&parts.join("\n\n")).await;
    let messages = scene.world.slack.wait_for_messages(3).await;
    eventually("it is sent", async || scene.world.outbox().await[0].state == "sent").await;
    assert_eq!(scene.world.slack.messages().iter().map(|m| m.shown().to_owned()).collect::<Vec<_>>(), parts);
    assert_eq!(messages[0].ts, begun.ts);
}

#[tokio::test]
async fn a_gateway_that_dies_before_it_begins_leaves_nothing_behind() {
    let scene = Scene::start().await;
    scene.begins().await;
    scene.long_ago().await;
    scene.answer("All of it.").await;
    scene.one_message("All of it.").await;
    assert_eq!(scene.world.slack.calls("chat.postMessage"), 1);
}

#[tokio::test]
async fn a_message_whose_begin_was_not_recorded_is_found_and_completed() {
    let scene = Scene::start().await;
    scene.begins().await;
    let ts = scene.begun().await;
    scene.world.execute("update konstruct.reply_stream set begun_at = now() - interval '13 seconds'").await;
    scene.answer("All of it.").await;
    assert_eq!(scene.one_message("All of it.").await.ts, ts);
}

#[tokio::test]
async fn when_the_answer_to_a_begin_is_lost_the_message_is_found() {
    let scene = Scene::start().await;
    scene.world.slack.inject("chat.startStream", [Fault::AcceptThenDrop]);
    scene.write(scene.claim.reply(), BEGINNING).await;
    eventually("it is begun", async || scene.world.slack.messages().len() == 1).await;
    scene.answer("All of it.").await;
    scene.one_message("All of it.").await;
}

#[tokio::test]
async fn a_turn_that_is_run_again_ends_what_the_first_try_has_shown() {
    let scene = Scene::start().await;
    let begun = scene.shows(BEGINNING).await;
    // The runtime dies, and a second message comes: the next turn answers both, with another reply.
    scene.tenant.runtime.retry_later(&scene.claim, Duration::ZERO).await.unwrap();
    let app = &scene.connection.app;
    scene.world.deliver(&scene.connection, &app.follow_up("C1", &scene.root, "U1", "and?")).await;
    let claim = scene.world.claim(&scene.tenant).await;
    assert_ne!(claim.reply(), scene.claim.reply());
    let scene = Scene { claim, ..scene };
    scene.write(scene.claim.reply(), &format!("{BEGINNING}is another ")).await;
    scene.answer("Both of it.").await;
    assert_eq!(scene.one_message("Both of it.").await.ts, begun.ts);
}

#[tokio::test]
async fn a_notice_does_not_end_what_is_being_written() {
    let scene = Scene::start().await;
    let begun = scene.shows(BEGINNING).await;
    let (tenant, conversation) = (scene.tenant.id, scene.claim.conversation);
    let notice = ReplyId::of_notice(conversation, "limit", "now");
    let taken = scene.world.gateway_store.take_stream(tenant, conversation, notice).await.unwrap();
    assert_eq!(taken, None);
    scene.answer("All of it.").await;
    assert_eq!(scene.one_message("All of it.").await.ts, begun.ts);
}

#[tokio::test]
async fn stop_reaches_the_runtime_and_the_session() {
    let scene = Scene::start().await;
    let mut events = scene.world.bus.subscribe(
        konstruct_queue::Topics::Tenant(scene.tenant.id),
        tokio_util::sync::CancellationToken::new(),
    );
    assert_eq!(events.recv().await, Some(konstruct_queue::Event::Connected));
    let stop = scene.connection.app.session_stopped("C1", &scene.root, "U1");
    assert_eq!(scene.world.deliver(&scene.connection, &stop).await, 200);
    let stopped = konstruct_queue::Event::Signal(Signal::Stop(scene.tenant.id, scene.claim.conversation));
    assert_eq!(timeout(PATIENCE, events.recv()).await.unwrap(), Some(stopped));
    eventually("the session works no more", async || {
        scene.world.slack.session("T1", "C1", &scene.root).as_deref() == Some("active")
    })
    .await;
    assert_eq!(scene.world.slack.status("T1", "C1", &scene.root), None);
}

#[tokio::test]
async fn an_answer_that_was_shown_and_became_too_long_ends_as_its_beginning_and_a_file() {
    let scene = Scene::start().await;
    scene.shows(BEGINNING).await;
    let whole = format!("{BEGINNING}grows. {}", "And it goes on. ".repeat(4_000));
    scene.answer(&whole).await;
    eventually("the reply is sent", async || {
        scene.world.make_due(&scene.tenant).await;
        scene.world.outbox().await.iter().all(|row| row.state == "sent")
    })
    .await;
    let messages = scene.world.slack.messages();
    assert_eq!(messages.len(), 2);
    assert!(messages[0].streaming == Some(Phase::Ended) && messages[0].shown().len() < 3_100);
    assert!(messages[0].shown().contains("The whole answer is in the file"));
    assert_eq!(messages[1].files[0].text, whole);
}
