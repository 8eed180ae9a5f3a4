//! Answers for which messages are not enough: a file with the whole, once, and nothing lost where there can be no file.

use konstruct_testkit::fault::CallFault;
use konstruct_testkit::slack::{App, Fault};
use reqwest::StatusCode;

use crate::world::{SlackConnection, Tenant, World, eventually};
use crate::{telegram, whatsapp, whatsapp_outbox};

const NOTE: &str = "The whole answer is in the file.";

/// So many characters, in paragraphs that are all different.
fn answer(length: usize) -> String {
    let paragraphs = (0..length / 100).map(|number| format!("{number:04} {}", "word ".repeat(19).trim()));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

fn words<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    texts.into_iter().flat_map(str::split_whitespace).collect()
}

async fn sent(world: &World) {
    eventually("the reply is sent", async || {
        let rows = world.outbox().await;
        !rows.is_empty() && rows.iter().all(|row| row.state == "sent")
    })
    .await;
}

/// As if nobody had to wait for the next try.
async fn sent_at_last(world: &World, tenant: &Tenant) {
    eventually("the reply is sent", async || {
        world.make_due(tenant).await;
        world.outbox().await.iter().all(|row| row.state == "sent")
    })
    .await;
}

struct Slack {
    world: World,
    tenant: Tenant,
    connection: SlackConnection,
}

impl Slack {
    async fn start() -> Self {
        let world = World::start().await;
        let tenant = world.tenant("acme").await;
        let connection = world.connect_slack(&tenant, "T1").await;
        Self { world, tenant, connection }
    }

    async fn ask(&self) -> String {
        let [mention, _] = self.connection.app.mention("C1", "U1", "tell me everything");
        self.world.deliver(&self.connection, &mention).await;
        App::ts_of(&mention).to_owned()
    }

    /// What the thread shows as messages and as files.
    fn shown(&self) -> (Vec<String>, Vec<String>) {
        let messages = self.world.slack.messages();
        let (files, texts): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|message| !message.files.is_empty());
        let files = files.into_iter().flat_map(|message| message.files).map(|file| file.text);
        (texts.iter().map(|message| message.shown().to_owned()).collect(), files.collect())
    }

    fn shows_the_file_once(&self, whole: &str) {
        let (texts, files) = self.shown();
        assert_eq!(files, [whole]);
        assert_eq!(texts.len(), 1, "{texts:?}");
        assert!(texts[0].starts_with(&whole[..2_000]) && texts[0].len() < 3_100, "{}", texts[0]);
        assert!(texts[0].contains(NOTE));
    }

    fn shows_everything_as_messages(&self, whole: &str) {
        let (texts, files) = self.shown();
        assert!(files.is_empty() && !texts[0].contains(NOTE));
        assert_eq!(words(texts.iter().map(String::as_str)), words([whole]));
    }
}

#[tokio::test]
async fn slack_shows_the_beginning_and_below_it_a_file_with_the_whole() {
    let scene = Slack::start().await;
    let root = scene.ask().await;
    let whole = answer(120_000);
    scene.world.answer(&scene.tenant, &whole).await;
    sent(&scene.world).await;
    scene.shows_the_file_once(&whole);
    let messages = scene.world.slack.messages();
    assert!(messages.iter().all(|message| message.thread_ts.as_deref() == Some(root.as_str())));
    assert_eq!(messages[1].files[0].title, "The whole answer");
    let sent_as = scene.world.outbox().await[0].platform_message_id.clone();
    assert_eq!(sent_as.as_deref(), Some(messages[0].ts.as_str()));
}

#[tokio::test]
async fn slack_gets_messages_where_the_app_may_not_write_files_or_the_file_is_refused_late() {
    let scene = Slack::start().await;
    let whole = answer(31_000);
    scene.world.slack.withdraw_scope("T1", "files:write");
    scene.ask().await;
    scene.world.answer(&scene.tenant, &whole).await;
    sent(&scene.world).await;
    scene.shows_everything_as_messages(&whole);

    let scene = Slack::start().await;
    scene.world.slack.inject("files.completeUploadExternal", [Fault::Error("file_uploads_disabled")]);
    scene.ask().await;
    scene.world.answer(&scene.tenant, &whole).await;
    sent(&scene.world).await;
    scene.shows_everything_as_messages(&whole);
}

#[tokio::test]
async fn slack_is_given_a_file_that_it_cannot_take_for_a_while_again_and_then_messages() {
    let scene = Slack::start().await;
    let whole = answer(31_000);
    scene.world.slack.inject("upload", [Fault::Status(500), Fault::Status(502)]);
    scene.ask().await;
    scene.world.answer(&scene.tenant, &whole).await;
    sent_at_last(&scene.world, &scene.tenant).await;
    scene.shows_the_file_once(&whole);

    let scene = Slack::start().await;
    scene.world.slack.inject("upload", vec![Fault::Status(500); 4]);
    scene.ask().await;
    scene.world.answer(&scene.tenant, &whole).await;
    sent_at_last(&scene.world, &scene.tenant).await;
    assert_eq!(scene.world.slack.calls("upload"), 4);
    scene.shows_everything_as_messages(&whole);
}

#[tokio::test]
async fn when_slacks_answer_is_lost_the_file_is_found_and_not_shown_again() {
    let scene = Slack::start().await;
    let whole = answer(40_000);
    scene.world.slack.inject("chat.postMessage", [Fault::AcceptThenDrop]);
    scene.world.slack.inject("files.completeUploadExternal", [Fault::AcceptThenDrop]);
    scene.ask().await;
    scene.world.answer(&scene.tenant, &whole).await;
    sent_at_last(&scene.world, &scene.tenant).await;
    scene.shows_the_file_once(&whole);
}

#[tokio::test]
async fn a_file_that_slack_takes_and_never_shows_is_sent_again_after_a_while() {
    let scene = Slack::start().await;
    let whole = answer(40_000);
    scene.world.slack.lose_next_share();
    scene.ask().await;
    scene.world.answer(&scene.tenant, &whole).await;
    eventually("the next try waits for the file", async || {
        scene.world.make_due(&scene.tenant).await;
        scene.world.outbox().await[0].attempt >= 3
    })
    .await;
    assert_eq!(scene.world.slack.calls("files.completeUploadExternal"), 1);
    scene.world.execute("update konstruct.outbox_part set tried_at = now() - interval '61 seconds'").await;
    sent_at_last(&scene.world, &scene.tenant).await;
    scene.shows_the_file_once(&whole);
}

#[tokio::test]
async fn a_crash_between_the_beginning_and_the_file_ends_with_both_once() {
    let scene = Slack::start().await;
    let whole = answer(40_000);
    // Nothing is said about the file before the process would have died.
    scene.world.slack.inject("files.completeUploadExternal", [Fault::Hang]);
    scene.ask().await;
    scene.world.answer(&scene.tenant, &whole).await;
    scene.world.slack.wait_for_messages(1).await;
    eventually("the file was begun", async || {
        scene.world.number("select count(*) from konstruct.outbox_part").await == 1
    })
    .await;
    eventually("the try is over", async || {
        scene.world.number("select count(*) from konstruct.outbox where lease_owner is null").await == 1
    })
    .await;
    scene.world.execute("update konstruct.outbox_part set tried_at = now() - interval '61 seconds'").await;
    sent_at_last(&scene.world, &scene.tenant).await;
    scene.shows_the_file_once(&whole);
}

#[tokio::test]
async fn whatsapp_shows_one_document_with_the_beginning_below_it() {
    let scene = whatsapp_outbox::Scene::start(false).await;
    let whole = answer(20_000);
    scene.world.whatsapp.inject("upload", [CallFault::AcceptThenDrop]);
    scene.ask("tell me everything").await;
    scene.world.answer(&scene.tenant, &whole).await;
    sent_at_last(&scene.world, &scene.tenant).await;
    let sent = scene.world.whatsapp.sent();
    assert_eq!(
        (sent.len(), sent[0].kind.as_str(), sent[0].document.as_deref()),
        (1, "document", Some(&*whole))
    );
    assert!(sent[0].text.starts_with(&whole[..500]) && sent[0].text.contains(NOTE));
    assert!(sent[0].callback_data.as_ref().is_some_and(|data| data.ends_with("/20000")));
}

#[tokio::test]
async fn whatsapp_gets_messages_where_the_file_is_refused() {
    let scene = whatsapp_outbox::Scene::start(false).await;
    let whole = answer(13_000);
    scene.world.whatsapp.inject("upload", [CallFault::Error(100)]);
    scene.ask("tell me everything").await;
    scene.world.answer(&scene.tenant, &whole).await;
    sent(&scene.world).await;
    let texts: Vec<_> = scene.world.whatsapp.sent().into_iter().map(|sent| sent.text).collect();
    assert_eq!(words(texts.iter().map(String::as_str)), words([&*whole]));
}

#[tokio::test]
async fn a_document_whose_fate_is_unknown_waits_for_whatsapps_report() {
    let scene = whatsapp_outbox::Scene::asked("tell me everything").await;
    scene.world.whatsapp.inject("messages", [CallFault::AcceptThenDrop]);
    scene.world.answer(&scene.tenant, &answer(20_000)).await;
    let sent = scene.world.whatsapp.wait_for_sent(1).await;
    eventually("the next try waits", async || {
        scene.world.make_due(&scene.tenant).await;
        scene.world.outbox().await[0].attempt >= 2
    })
    .await;
    let report = scene.line.app.status(&scene.world.whatsapp.report(&sent[0], "sent"));
    assert_eq!(whatsapp::deliver(&scene.world, &scene.line, &report).await, StatusCode::OK);
    sent_at_last(&scene.world, &scene.tenant).await;
    assert_eq!(scene.world.whatsapp.sent().len(), 1);
}

#[tokio::test]
async fn telegram_shows_one_document_and_messages_where_it_is_refused() {
    let scene = telegram::Scene::start().await;
    let whole = answer(20_000);
    scene.deliver(&scene.world.telegram.group_message("ada_bot", -7, 11, "@ada_bot everything")).await;
    scene.world.answer(&scene.tenant, &format!("**{whole}**")).await;
    sent(&scene.world).await;
    let sent_texts = scene.world.telegram.sent();
    assert_eq!(sent_texts.len(), 1);
    let document = sent_texts[0].document.clone().unwrap();
    assert_eq!((document.name.as_str(), document.text), ("answer.txt", format!("**{whole}**")));
    assert!(sent_texts[0].text.contains(&whole[..500]) && sent_texts[0].text.contains(NOTE));
    assert!(sent_texts[0].answers.is_some());

    scene.world.telegram.inject("sendDocument", [CallFault::Error(400)]);
    let second = scene.world.telegram.message("ada_bot", 12, "everything, please");
    scene.deliver(&second).await;
    scene.world.answer(&scene.tenant, &whole).await;
    sent(&scene.world).await;
    let texts: Vec<_> = scene.world.telegram.sent().into_iter().skip(1).map(|sent| sent.text).collect();
    assert_eq!(words(texts.iter().map(String::as_str)), words([&*whole]));
}

#[tokio::test]
async fn a_document_that_telegram_may_have_taken_is_not_sent_again() {
    let scene = telegram::Scene::start().await;
    scene.deliver(&scene.world.telegram.message("ada_bot", 11, "everything")).await;
    scene.world.telegram.inject("sendDocument", [CallFault::AcceptThenDrop]);
    scene.world.answer(&scene.tenant, &answer(20_000)).await;
    eventually("the reply is given up", async || scene.world.outbox().await[0].state == "dead").await;
    assert_eq!(scene.world.telegram.sent().len(), 1);
    let reason = scene.world.outbox().await[0].last_error.clone().unwrap();
    assert!(reason.starts_with("in doubt"), "{reason}");
}
