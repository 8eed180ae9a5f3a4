//! Web chat, as its page uses it.

use std::time::Duration;

use futures::StreamExt;
use konstruct_domain::message::TEXT_MAX;
use konstruct_domain::snapshot::ConnectionSnapshot;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use crate::world::{PATIENCE, Tenant, World, eventually};

struct Chat {
    world: World,
    tenant: Tenant,
    url: String,
    conversation: String,
}

impl Chat {
    async fn start() -> Self {
        let world = World::start().await;
        let tenant = world.tenant("acme").await;
        let snapshot: ConnectionSnapshot = world.connect_webchat(&tenant).await;
        let url = format!("{}/chat/{}", world.url, snapshot.public_id);
        let mut chat = Self { world, tenant, url, conversation: String::new() };
        chat.conversation = chat.new_conversation().await;
        chat
    }

    async fn new_conversation(&self) -> String {
        let response = self.world.http.post(format!("{}/conversations", self.url)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        let answer: Value = response.json().await.unwrap();
        answer["conversation"].as_str().unwrap().to_owned()
    }

    async fn post(&self, body: impl Into<reqwest::Body>) -> Response {
        let url = format!("{}/conversations/{}/messages", self.url, self.conversation);
        self.world.http.post(url).header("content-type", "application/json").body(body).send().await.unwrap()
    }

    async fn say(&self, text: &str, id: Uuid) -> Response {
        self.post(json!({ "text": text, "id": id }).to_string()).await
    }

    /// The next `count` lines after the one with the number `after`.
    async fn lines(&self, after: Option<i64>, count: usize) -> Vec<(i64, String, String)> {
        let mut request =
            self.world.http.get(format!("{}/conversations/{}/events", self.url, self.conversation));
        if let Some(after) = after {
            request = request.header("last-event-id", after.to_string());
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut chunks = response.bytes_stream();
        let (mut text, mut lines) = (String::new(), Vec::new());
        while lines.len() < count {
            let chunk = timeout(PATIENCE, chunks.next()).await.expect("a line in time");
            text.push_str(std::str::from_utf8(&chunk.unwrap().unwrap()).unwrap());
            while let Some((event, rest)) = text.split_once("\n\n") {
                lines.extend(line(event));
                text = rest.to_owned();
            }
        }
        lines
    }
}

fn line(event: &str) -> Option<(i64, String, String)> {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
    let data: Value = serde_json::from_str(field("data: ")?).unwrap();
    assert_eq!(field("event: "), Some("message"));
    assert_eq!(field("id: "), Some(data["seq"].to_string().as_str()));
    let string = |name: &str| data[name].as_str().unwrap().to_owned();
    Some((data["seq"].as_i64().unwrap(), string("speaker"), string("text")))
}

fn owned(lines: &[(i64, &str, &str)]) -> Vec<(i64, String, String)> {
    lines.iter().map(|(seq, speaker, text)| (*seq, (*speaker).to_owned(), (*text).to_owned())).collect()
}

#[tokio::test]
async fn a_visitor_asks_and_is_answered() {
    let chat = Chat::start().await;
    let response = chat.say("hello", Uuid::new_v4()).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let (lines, ()) = tokio::join!(chat.lines(None, 2), chat.world.answer(&chat.tenant, "hi"));
    assert_eq!(lines, owned(&[(1, "person", "hello"), (2, "employee", "hi")]));
    eventually("the reply counts as sent", async || chat.world.outbox().await[0].state == "sent").await;
}

#[tokio::test]
async fn a_stream_goes_on_after_the_last_event_that_was_seen() {
    let chat = Chat::start().await;
    for (question, answer) in [("one", "1"), ("two", "2")] {
        chat.say(question, Uuid::new_v4()).await;
        chat.world.answer(&chat.tenant, answer).await;
    }
    assert_eq!(chat.lines(Some(0), 4).await.len(), 4);
    assert_eq!(chat.lines(Some(2), 2).await, owned(&[(3, "person", "two"), (4, "employee", "2")]));
    assert_eq!(chat.lines(Some(3), 1).await, owned(&[(4, "employee", "2")]));
}

#[tokio::test]
async fn the_same_message_again_is_the_same_message() {
    let chat = Chat::start().await;
    let id = Uuid::new_v4();
    for _ in 0..3 {
        assert_eq!(chat.say("hello", id).await.status(), StatusCode::ACCEPTED);
    }
    assert_eq!(chat.world.inbox().await.len(), 1);
}

#[tokio::test]
async fn one_visitor_sees_nothing_of_another() {
    let mut chat = Chat::start().await;
    chat.say("a secret", Uuid::new_v4()).await;
    chat.world.answer(&chat.tenant, "kept").await;
    assert_eq!(chat.lines(None, 2).await.len(), 2);
    chat.conversation = chat.new_conversation().await;
    let nothing = timeout(Duration::from_secs(2), chat.lines(None, 1)).await;
    assert!(nothing.is_err(), "{nothing:?}");
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_with_what_to_do() {
    let mut chat = Chat::start().await;
    let id = Uuid::new_v4();
    let over = chat.say(&"x".repeat(TEXT_MAX + 1), id).await;
    let cases = [
        (over, StatusCode::PAYLOAD_TOO_LARGE, "message_too_long"),
        (chat.post("x".repeat(1_100_000)).await, StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
        (chat.say(" \n ", id).await, StatusCode::UNPROCESSABLE_ENTITY, "invalid_message"),
        (chat.post("{").await, StatusCode::BAD_REQUEST, "malformed"),
        (chat.post(r#"{"text":"hi"}"#).await, StatusCode::BAD_REQUEST, "malformed"),
    ];
    for (response, status, code) in cases {
        assert_eq!(response.status(), status, "{code}");
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["error"]["code"], code);
        assert!(answer["error"]["message"].as_str().unwrap().contains(':'), "{answer}");
    }
    for made_up in ["x", "00000000000000000000000000000000", "..%2f.."] {
        made_up.clone_into(&mut chat.conversation);
        assert_eq!(chat.say("hi", id).await.status(), StatusCode::NOT_FOUND, "{made_up}");
    }
    assert_eq!(chat.world.inbox().await, []);
}

#[tokio::test]
async fn the_longest_message_is_taken() {
    let chat = Chat::start().await;
    let longest = "ü".repeat(TEXT_MAX);
    assert_eq!(chat.say(&longest, Uuid::new_v4()).await.status(), StatusCode::ACCEPTED);
    assert_eq!(chat.world.inbox().await[0].body, longest);
}

#[tokio::test]
async fn the_page_is_safe_and_complete() {
    let chat = Chat::start().await;
    let page = chat.world.http.get(&chat.url).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let html = page.text().await.unwrap();
    assert!(html.contains("Ask &lt;Ada&gt; &amp; co") && html.contains("Hello, I&#39;m &quot;Ada&quot;."));
    assert!(!html.contains("{{") && !html.contains("<script>"));
    assert!(html.contains("You are chatting with an AI"));
    for asset in ["chat.js", "markdown.js", "chat.css"] {
        let response =
            chat.world.http.get(format!("{}/chat/assets/{asset}", chat.world.url)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{asset}");
    }
    let missing = chat.world.http.get(format!("{}/chat/unknown", chat.world.url)).send().await.unwrap();
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    assert!(missing.text().await.unwrap().contains("There is no chat at this address"));
}
