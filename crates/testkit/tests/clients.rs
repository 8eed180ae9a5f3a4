//! The doubles, checked by the official or most used clients of their platforms: what those can do with the real ones
//! they can do here, and what the real ones refuse is refused here in a way that the clients understand.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first surprise")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use konstruct_testkit::slack::{App, Fault, Phase, SlackDouble, Workspace, seconds_now};
use konstruct_testkit::telegram::{Bot, SentText, TelegramDouble};
use konstruct_testkit::whatsapp::{Media, MetaApp, Number, WhatsAppDouble};
use serde_json::json;
use tokio::process::Command;
use tokio::time::sleep;

const PERSON: &str = "DE.1";
const PHONE: &str = "491701234567";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs a script of `tests/clients` with the clients that `scripts/setup` installs.
async fn check(script: &str, told: &serde_json::Value) {
    let installed =
        std::env::var_os("KONSTRUCT_CLIENTS").map_or_else(|| root().join(".cache/clients"), PathBuf::from);
    assert!(installed.exists(), "{} is missing: run scripts/setup", installed.display());
    let output = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script))
        .arg(told.to_string())
        .env("PYTHONPATH", installed)
        .env_remove("http_proxy")
        .env_remove("https_proxy")
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "ok", "{script}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pywa_uses_the_double_of_whatsapp_and_believes_its_deliveries() {
    let whatsapp = WhatsAppDouble::start().await;
    let number = Number::new("1001");
    whatsapp.add_number(number.clone());
    whatsapp.person_wrote(PHONE, 0);
    whatsapp.person_wrote(PERSON, 0);
    let media = whatsapp.add_media(Media::new("1001", "image/png", b"bytes"));
    let app = MetaApp::new(&number, "konstruct-app-secret");
    let vector = app.sign_bytes("{\"hello\":\"wörld 😀\"}".into());
    assert_eq!(vector.signature, "sha256=03d92ffec1744f42e9aa6f5256829cbd3c44f85c93619fdbe001a408ca2d0fa7");
    let message = app.sign(&app.message(PERSON, PHONE, "hé 😀"));
    let pressed = app.pressed(PERSON, PHONE, "offer:1.0", "Yes");
    let told = json!({
        "pressed": pressed.to_string(),
        "url": whatsapp.base_url(), "phone_id": "1001", "token": number.access_token, "media": media,
        "app_secret": app.app_secret, "person": PERSON, "phone": PHONE,
        "delivery": String::from_utf8(message.body).unwrap(), "signature": message.signature,
    });
    check("whatsapp.py", &told).await;
    let sent = whatsapp.sent();
    let shown: Vec<_> = sent.iter().map(|sent| (sent.recipient.as_str(), sent.text.as_str())).collect();
    assert_eq!(
        shown,
        [
            (PHONE, "by number"),
            (PERSON, "by id"),
            (PHONE, "below"),
            (PHONE, "choose"),
            (PHONE, "hello_from"),
            (PHONE, "hello_named")
        ]
    );
    assert_eq!(sent[2].document.as_deref(), Some("hé 😀"));
    assert_eq!(sent[0].callback_data.as_deref(), Some("track"));
    assert_eq!(whatsapp.typing(), ["wamid.1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn python_telegram_bot_uses_the_double_of_telegram() {
    let telegram = TelegramDouble::start().await;
    let bot = Bot::new("ada_bot");
    telegram.add_bot(bot.clone());
    telegram.message("ada_bot", 11, "hello 😀");
    let file = telegram.add_file(b"bytes");
    let below = SentText {
        bot: "ada_bot".to_owned(),
        chat_id: 11,
        message_thread_id: None,
        answers: None,
        message_id: 1,
        text: "choose".to_owned(),
        reply_markup: None,
        document: None,
    };
    let pressed = telegram.pressed(&below, 11, "yes");
    let told = json!({ "url": telegram.base_url(), "token": bot.token, "file": file, "pressed": pressed });
    check("telegram_bot.py", &told).await;
    let texts: Vec<_> = telegram.sent().into_iter().map(|sent| sent.text).collect();
    assert_eq!(texts, ["plain", "bold < 1", "choose", "below"]);
    let document = telegram.sent()[3].document.clone().unwrap();
    assert_eq!((document.name.as_str(), document.text.as_str()), ("a.txt", "hé 😀"));
    assert_eq!(telegram.sent()[2].reply_markup, None, "it was taken away");
    assert_eq!(telegram.answered(), [(11, "noted".to_owned())]);
    assert!(telegram.webhook("ada_bot").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_sdk_uses_the_double_of_slack_and_believes_its_deliveries() {
    let slack = SlackDouble::start().await;
    let (workspace, mut poor) = (Workspace::new("T1"), Workspace::new("T2"));
    poor.opens_connections = false;
    slack.add_workspace(workspace.clone());
    slack.add_workspace(poor.clone());
    slack.withdraw_scope("T2", "chat:write");
    slack.withdraw_scope("T2", "files:write");
    slack.inject("chat.meMessage", [Fault::RateLimited { seconds: 7 }]);
    let app = App::new(&workspace, "konstruct-slack-secret");
    let vector = app.sign_bytes("{\"hello\":\"wörld 😀\"}".into(), 1_763_740_800);
    assert_eq!(vector.signature, "v0=9ffbbed6ede3b4ce4147e17edb2ec61127f494848ab05a7e543dcd849fb83e46");
    let [mention, _] = app.mention("C1", "U1", "hé 😀");
    let requests = [app.sign(&mention), app.pressed("C1", "1.000100", "U1", "é +&= 😀")].map(|request| {
        let body = String::from_utf8(request.body).unwrap();
        json!({ "timestamp": request.timestamp, "signature": request.signature, "body": body })
    });
    let told = json!({
        "url": slack.base_url(), "token": workspace.bot_token, "poor": poor.bot_token,
        "signing_secret": app.signing_secret, "requests": requests, "now": seconds_now(),
        "app_token": workspace.app_token, "poor_app_token": poor.app_token,
    });
    tokio::join!(check("slack.py", &told), deliver_by_socket(&slack, &workspace.app_token, &mention));
    assert_eq!(slack.complaints(&workspace.app_token), [""; 0]);
    let messages = slack.messages();
    let shown: Vec<_> = messages.iter().map(|message| (message.text.as_str(), message.streaming)).collect();
    let ended = Some(Phase::Ended);
    assert_eq!(
        shown,
        [
            ("root, changed", None),
            ("**reply**", None),
            ("Hello world, changed", ended),
            ("in chunks", ended),
            ("", None)
        ]
    );
    assert_eq!(
        (messages[4].files[0].title.as_str(), messages[4].files[0].text.as_str()),
        ("Answer", "hé 😀")
    );
    assert_eq!(messages[2].metadata.as_ref().unwrap()["event_type"], "test");
    assert_eq!(slack.ephemerals()[0].text, "only for you");
    let root = &messages[0].ts;
    assert_eq!(slack.status("T1", "C1", root).as_deref(), Some("is thinking…"));
    assert_eq!(slack.session("T1", "C1", root).as_deref(), Some("processing"));
}

/// What the script expects to hear: the last of it is not acknowledged.
async fn deliver_by_socket(slack: &SlackDouble, app_token: &str, mention: &serde_json::Value) {
    let opened = async || {
        while slack.sockets(app_token) != 1 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    opened().await;
    let deliver = async |kind: &str, payload: &serde_json::Value| {
        slack.deliver_by_socket(app_token, kind, payload, &[Duration::ZERO; 2]).await
    };
    assert_eq!(deliver("events_api", mention).await, Some(1), "the first try is not acknowledged");
    slack.refresh_sockets(app_token, "warning", Duration::from_secs(1)).await;
    opened().await;
    assert!(deliver("interactive", &json!({ "type": "block_actions" })).await.is_some());
    let last = json!({ "command": "/end" });
    slack.deliver_by_socket(app_token, "slash_commands", &last, &[Duration::ZERO]).await;
}
