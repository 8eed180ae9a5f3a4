//! The widget in a real browser: `make test-browser`. The script `tests/browser/drive.mjs` is the visitor, this is the site
//! that has the widget and the employee who answers.

use std::process::Stdio;
use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use konstruct_domain::snapshot::{ChannelSnapshot, ConnectionSnapshot, WebChatSnapshot};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::world::World;

const PATIENCE: Duration = Duration::from_mins(3);

/// A site of somebody else's with the widget on it.
async fn site(script: String) -> String {
    let html = format!(
        "<!doctype html><html lang=en><meta name=viewport content=\"width=device-width, initial-scale=1\"><title>A shop</title><h1>Shop</h1>{script}</html>"
    );
    let router = Router::new().route("/", get(move || async move { Html(html.clone()) }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// A line to the gateway that can be cut.
struct Line {
    url: String,
    cut: std::sync::Mutex<CancellationToken>,
}

impl Line {
    async fn to(gateway: &str) -> std::sync::Arc<Self> {
        let target = gateway.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let line = std::sync::Arc::new(Self { url, cut: std::sync::Mutex::default() });
        let this = std::sync::Arc::clone(&line);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (target, cut) = (target.clone(), this.cut.lock().unwrap().clone());
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(target).await else { return };
                    let copy = tokio::io::copy_bidirectional(&mut near, &mut far);
                    cut.run_until_cancelled(copy).await.map(drop).unwrap_or_default();
                });
            }
        });
        line
    }

    fn cut(&self) {
        std::mem::take(&mut *self.cut.lock().unwrap()).cancel();
    }
}

#[tokio::test]
#[ignore = "needs Chromium and Node: make test-browser"]
async fn a_visitor_uses_the_widget_with_keyboard_pictures_and_a_bad_line() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let snapshot = world.connect_webchat(&tenant).await;
    let line = Line::to(&world.url).await;
    let tag = |id: &str| {
        format!(r#"<script src="{}/chat/widget.js" data-chat="{id}" data-lang="en"></script>"#, line.url)
    };
    let (shop, stranger) = (site(tag(&snapshot.public_id)).await, site(tag(&snapshot.public_id)).await);
    let ChannelSnapshot::WebChat(chat) = &snapshot.channel else { panic!("a web chat") };
    let channel = WebChatSnapshot { allowed_origins: vec![shop.clone()], ..chat.clone() };
    let snapshot = ConnectionSnapshot { channel: ChannelSnapshot::WebChat(channel), ..snapshot.clone() };
    world.publish(&tenant, &snapshot, &[]).await;

    let page = format!("{}/chat/{}", line.url, snapshot.public_id);
    let mut browser = Command::new("node")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/drive.mjs"))
        .args([&shop, &stranger, &page])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node runs");
    let mut said = BufReader::new(browser.stdout.take().unwrap()).lines();
    let mut steps = 0;
    while let Some(said) = timeout(PATIENCE, said.next_line()).await.expect("the browser goes on").unwrap() {
        match said.split_once(' ').unwrap_or((&said, "")) {
            ("answer", text) => world.answer(&tenant, text).await,
            ("write", text) => {
                let conversation = world.claim(&tenant).await;
                world
                    .bus
                    .publish_partial(tenant.id, conversation.conversation, conversation.reply(), text)
                    .await;
                tenant.runtime.retry_later(&conversation, Duration::ZERO).await.unwrap();
            }
            ("cut", _) => line.cut(),
            ("ok", what) => {
                steps += 1;
                assert!(!what.is_empty());
            }
            _ => panic!("{said}"),
        }
    }
    assert!(browser.wait().await.unwrap().success(), "the browser's script failed after {steps} steps");
    assert_eq!(steps, 12);
}
