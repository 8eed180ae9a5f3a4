//! Web chat, as its page uses it.

use std::time::Duration;

use base64::Engine as _;
use futures::StreamExt;
use hmac::{Hmac, KeyInit, Mac};
use konstruct_domain::message::TEXT_MAX;
use konstruct_domain::snapshot::{ChannelSnapshot, ConnectionSnapshot, SecretField, WebChatSnapshot};
use konstruct_store::{Claim, FileState};
use reqwest::{Method, Response, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::time::timeout;
use uuid::Uuid;

use crate::world::{PATIENCE, Tenant, World, eventually};

struct Chat {
    world: World,
    tenant: Tenant,
    url: String,
    token: String,
}

/// Somebody with a session, in German.
pub(crate) struct Visitor {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Visitor {
    pub(crate) async fn new(world: &World, snapshot: &ConnectionSnapshot) -> Self {
        let url = format!("{}/chat/{}", world.url, snapshot.public_id);
        let session = session(&world.http, &url, json!({})).await;
        Self { http: world.http.clone(), url, token: text(&session, "token") }
    }

    pub(crate) async fn say(&self, text: &str) -> Response {
        let body = json!({ "text": text, "id": Uuid::new_v4() });
        let request = self.http.post(format!("{}/messages", self.url)).bearer_auth(&self.token);
        request.header("accept-language", "de-AT,de;q=0.9").json(&body).send().await.unwrap()
    }
}

async fn session(http: &reqwest::Client, url: &str, wish: Value) -> Value {
    let response = http.post(format!("{url}/sessions")).json(&wish).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.headers()["cache-control"], "no-store");
    response.json().await.unwrap()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap().to_owned()
}

async fn code(response: Response) -> (StatusCode, String) {
    let status = response.status();
    let answer: Value = response.json().await.unwrap();
    assert!(answer["error"]["message"].as_str().unwrap().len() > 10, "{answer}");
    (status, text(&answer["error"], "code"))
}

impl Chat {
    async fn start() -> Self {
        Self::with(WebChatSnapshot::default(), &[]).await
    }

    async fn with(channel: WebChatSnapshot, secrets: &[(SecretField, SecretString)]) -> Self {
        let world = World::start().await;
        let tenant = world.tenant("acme").await;
        let snapshot: ConnectionSnapshot = world.connect_webchat(&tenant).await;
        let ChannelSnapshot::WebChat(before) = &snapshot.channel else { panic!("a web chat") };
        let channel =
            WebChatSnapshot { title: before.title.clone(), greeting: before.greeting.clone(), ..channel };
        if channel != *before {
            let changed =
                ConnectionSnapshot { channel: ChannelSnapshot::WebChat(channel), ..snapshot.clone() };
            world.publish(&tenant, &changed, secrets).await;
        }
        let url = format!("{}/chat/{}", world.url, snapshot.public_id);
        let token = text(&session(&world.http, &url, json!({})).await, "token");
        Self { world, tenant, url, token }
    }

    async fn post(&self, body: impl Into<reqwest::Body>) -> Response {
        let request = self.world.http.post(format!("{}/messages", self.url)).bearer_auth(&self.token);
        request.header("content-type", "application/json").body(body).send().await.unwrap()
    }

    async fn say(&self, text: &str, id: Uuid) -> Response {
        self.post(json!({ "text": text, "id": id }).to_string()).await
    }

    async fn upload(&self, bytes: Vec<u8>) -> Response {
        let request = self.world.http.post(format!("{}/images", self.url)).bearer_auth(&self.token);
        request.header("content-type", "image/png").body(bytes).send().await.unwrap()
    }

    /// The next `count` lines after the one with the number `after`.
    async fn lines(&self, after: Option<i64>, count: usize) -> Vec<(i64, String, String)> {
        let mut request = self.world.http.get(format!("{}/events", self.url)).bearer_auth(&self.token);
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
    chat.token = text(&session(&chat.world.http, &chat.url, json!({})).await, "token");
    let nothing = timeout(Duration::from_secs(2), chat.lines(None, 1)).await;
    assert!(nothing.is_err(), "{nothing:?}");
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_with_what_to_do() {
    let chat = Chat::start().await;
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
    for file in ["widget.js", "assets/page.css"] {
        let response = chat.world.http.get(format!("{}/chat/{file}", chat.world.url)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{file}");
    }
    let missing = chat.world.http.get(format!("{}/chat/unknown", chat.world.url)).send().await.unwrap();
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    assert!(missing.text().await.unwrap().contains("There is no chat at this address"));
}

#[tokio::test]
async fn without_a_valid_token_nothing_is_said_and_nothing_is_shown() {
    let chat = Chat::start().await;
    let other = chat.world.tenant("globex").await;
    let elsewhere = Visitor::new(&chat.world, &chat.world.connect_webchat(&other).await).await;
    let mut forged = chat.token.clone();
    forged.pop();
    let expired = {
        // As the gateway makes them, an hour ago.
        let payload =
            base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(chat.token.split('.').next().unwrap());
        let mut claims: Value = serde_json::from_slice(&payload.unwrap()).unwrap();
        claims["expires"] = json!(1);
        let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims.to_string());
        let signature = chat.world.gateway_store.keyring().sign("webchat-visitor", &payload).unwrap();
        format!("{payload}.{signature}")
    };
    for token in ["", "x", forged.as_str(), elsewhere.token.as_str(), expired.as_str()] {
        for (method, path) in [(Method::POST, "messages"), (Method::GET, "events"), (Method::POST, "images")]
        {
            let url = format!("{}/{path}", chat.url);
            let request = chat.world.http.request(method, url).bearer_auth(token);
            let refused = request.json(&json!({"text": "hi", "id": Uuid::new_v4()})).send().await.unwrap();
            assert_eq!(
                code(refused).await,
                (StatusCode::UNAUTHORIZED, "session_invalid".to_owned()),
                "{token}"
            );
        }
    }
    let without = chat.world.http.get(format!("{}/events", chat.url)).send().await.unwrap();
    assert_eq!(without.status(), StatusCode::UNAUTHORIZED);
    assert!(chat.world.inbox().await.is_empty());
}

#[tokio::test]
async fn a_conversation_goes_on_in_a_new_session() {
    let mut chat = Chat::start().await;
    let opened = session(&chat.world.http, &chat.url, json!({})).await;
    chat.token = text(&opened, "token");
    chat.say("hello", Uuid::new_v4()).await;
    chat.world.answer(&chat.tenant, "hi").await;
    let again = session(&chat.world.http, &chat.url, json!({"conversation": opened["conversation"]})).await;
    chat.token = text(&again, "token");
    assert_eq!(again["conversation"], opened["conversation"]);
    assert_eq!(chat.lines(None, 2).await, owned(&[(1, "person", "hello"), (2, "employee", "hi")]));
    for bad in [json!({"conversation": "x"}), json!({"conversation": "0".repeat(32)})] {
        let refused = chat.world.http.post(format!("{}/sessions", chat.url)).json(&bad).send().await.unwrap();
        assert_eq!(code(refused).await, (StatusCode::NOT_FOUND, "unknown_conversation".to_owned()));
    }
}

#[tokio::test]
async fn only_sites_of_the_list_may_have_the_chat() {
    let allowed_origins = vec!["https://www.example.com".to_owned()];
    let chat = Chat::with(WebChatSnapshot { allowed_origins, ..WebChatSnapshot::default() }, &[]).await;
    let ask = async |method: Method, origin: &str| {
        let request =
            chat.world.http.request(method, format!("{}/sessions", chat.url)).header("origin", origin);
        request.send().await.unwrap()
    };
    let preflight = ask(Method::OPTIONS, "https://www.example.com").await;
    assert_eq!(preflight.status(), StatusCode::NO_CONTENT);
    assert_eq!(preflight.headers()["access-control-allow-origin"], "https://www.example.com");
    assert!(preflight.headers()["access-control-allow-headers"].to_str().unwrap().contains("authorization"));
    assert_eq!(preflight.headers()["vary"], "origin");
    for origin in ["https://www.example.com", chat.world.url.as_str()] {
        let opened = ask(Method::POST, origin).await;
        assert_eq!(opened.status(), StatusCode::CREATED, "{origin}");
        assert_eq!(opened.headers()["access-control-allow-origin"], origin);
    }
    for origin in ["https://evil.test", "null", "http://www.example.com", "https://www.example.com.evil.test"]
    {
        for method in [Method::OPTIONS, Method::POST] {
            let refused = ask(method, origin).await;
            assert!(!refused.headers().contains_key("access-control-allow-origin"), "{origin}");
            assert_eq!(
                code(refused).await,
                (StatusCode::FORBIDDEN, "origin_not_allowed".to_owned()),
                "{origin}"
            );
        }
    }
}

#[tokio::test]
async fn a_site_says_who_its_user_is_and_nobody_else_can() {
    const SECRET: &str = "a-secret-of-the-site";
    let world = World::start().await;
    let version = world.version(SecretField::WebChatIdentity, SECRET);
    drop(world);
    let channel = WebChatSnapshot { identity_secret: Some(version), ..WebChatSnapshot::default() };
    let mut chat = Chat::with(channel, &[(SecretField::WebChatIdentity, SECRET.into())]).await;
    let hash = |user: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(user.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    };
    let ann = json!({"id": "ann@example.com", "hash": hash("ann@example.com")});
    let opened = session(&chat.world.http, &chat.url, json!({"user": ann})).await;
    let anonymous = chat.token.clone();
    chat.token = text(&opened, "token");
    chat.say("hello", Uuid::new_v4()).await;
    assert_eq!(chat.world.inbox().await[0].author_id, "user:ann@example.com");
    chat.world.answer(&chat.tenant, "hi Ann").await;
    assert_eq!(chat.lines(None, 2).await.len(), 2);

    // Signed out, the same conversation's secret opens another one.
    let out = session(&chat.world.http, &chat.url, json!({"conversation": opened["conversation"]})).await;
    for token in [text(&out, "token"), anonymous] {
        chat.token = token;
        assert!(timeout(Duration::from_secs(1), chat.lines(None, 1)).await.is_err(), "Ann's lines are hers");
    }
    for user in [
        json!({"id": "bob@example.com", "hash": hash("ann@example.com")}),
        json!({"id": "ann@example.com", "hash": ""}),
        json!({"id": "", "hash": hash("")}),
    ] {
        let request = chat.world.http.post(format!("{}/sessions", chat.url)).json(&json!({"user": user}));
        let refused = request.send().await.unwrap();
        assert_eq!(code(refused).await, (StatusCode::FORBIDDEN, "identity_invalid".to_owned()), "{user}");
    }
}

pub(crate) fn png(side: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = image::RgbImage::from_pixel(side, side, image::Rgb([9, 120, 40]));
    image::DynamicImage::from(picture).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[tokio::test]
async fn a_picture_is_written_anew_kept_for_its_tenant_and_comes_with_its_message() {
    let chat = Chat::start().await;
    let mut original = png(2000);
    original.extend_from_slice(b"<script>");
    let uploaded = chat.upload(original).await;
    assert_eq!(uploaded.status(), StatusCode::CREATED);
    let id: Uuid = text(&uploaded.json().await.unwrap(), "id").parse().unwrap();
    let stored = chat.world.files.path().join(chat.tenant.id.to_string()).join(id.to_string());
    let kept = std::fs::read(&stored).unwrap();
    let picture = image::load_from_memory(&kept).unwrap();
    assert_eq!((picture.width(), picture.height()), (1568, 1568));
    assert!(!kept.windows(8).any(|part| part == b"<script>"));

    let message = json!({"id": Uuid::new_v4(), "text": "what is this?", "images": [id]}).to_string();
    for _ in 0..2 {
        assert_eq!(chat.post(message.clone()).await.status(), StatusCode::ACCEPTED);
    }
    let claim: Claim = chat.world.claim(&chat.tenant).await;
    assert_eq!(claim.messages[0].text, "what is this?\n[picture]");
    let files = chat.tenant.runtime.files(&claim).await.unwrap();
    assert_eq!((files.len(), files[0].id, &files[0].state), (1, id, &FileState::Picture));

    // It belongs to that message, and to that visitor.
    let thief = Visitor::new(&chat.world, &chat.world.connect_webchat(&chat.tenant).await).await;
    for token in [&chat.token, &thief.token] {
        let body = json!({"id": Uuid::new_v4(), "images": [id]});
        let request = chat.world.http.post(format!("{}/messages", chat.url)).bearer_auth(token).json(&body);
        let refused = request.send().await.unwrap();
        assert_eq!(code(refused).await, (StatusCode::UNPROCESSABLE_ENTITY, "picture_missing".to_owned()));
    }
}

#[tokio::test]
async fn what_is_no_picture_is_refused_whatever_it_claims() {
    let chat = Chat::start().await;
    let mut damaged = png(64);
    damaged.truncate(60);
    for bytes in [b"%PDF-1.7".to_vec(), b"<svg onload='alert(1)'/>".to_vec(), Vec::new(), damaged] {
        let refused = chat.upload(bytes).await;
        assert_eq!(code(refused).await, (StatusCode::UNPROCESSABLE_ENTITY, "picture_refused".to_owned()));
    }
    let large = chat.upload(vec![0; 11 << 20]).await;
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let nothing = !chat.world.files.path().join(chat.tenant.id.to_string()).exists();
    assert!(nothing, "nothing of it is kept");
}

#[tokio::test]
async fn what_is_being_written_shows_before_the_answer_and_only_there() {
    let chat = Chat::start().await;
    chat.say("hello", Uuid::new_v4()).await;
    let claim = chat.world.claim(&chat.tenant).await;
    let request = chat.world.http.get(format!("{}/events", chat.url)).bearer_auth(&chat.token);
    let mut chunks = request.send().await.unwrap().bytes_stream();
    eventually("the runtime gets to know that somebody looks", async || {
        chat.world.bus.is_watched(chat.tenant.id, claim.conversation).await
    })
    .await;
    let other = konstruct_domain::ConversationId::new(Uuid::new_v4());
    let mut received = String::new();
    while !received.contains("event: partial") {
        chat.world.bus.publish_partial(chat.tenant.id, other, claim.reply(), "not for you").await;
        chat.world.bus.publish_partial(chat.tenant.id, claim.conversation, claim.reply(), "Hel").await;
        if let Ok(Some(chunk)) = timeout(Duration::from_millis(200), chunks.next()).await {
            received.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        }
    }
    assert!(received.contains(r#"data: {"text":"Hel"}"#) && !received.contains("not for you"), "{received}");
    let mut lines = received.lines();
    assert!(!lines.any(|line| line.starts_with("id:")), "a part has no number: it is not resumed after");
}
