//! A strict double of Telegram's Bot API.
//!
//! It refuses wrong tokens, unknown methods and chats, texts that are too long or whose markup cannot be read, and calls
//! that come too fast. It gives updates by webhook settings or when it is asked, never both, and fails on demand.

mod html;
mod keyboard;
mod methods;
mod server;
mod state;

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::TcpListener;

pub use state::{Bot, Document, SentText, Webhook};

use crate::fault::CallFault;
use crate::serving::{self, Serving};
use state::State;

/// Runs until the last clone is dropped.
#[derive(Clone)]
pub struct TelegramDouble {
    origin: String,
    state: Arc<State>,
    _serving: Serving,
}

impl TelegramDouble {
    /// Starts one on a free port of the loopback address.
    pub async fn start() -> Self {
        Self::serve(serving::on_loopback().await)
    }

    /// Starts one on a bound port.
    pub fn serve(listener: TcpListener) -> Self {
        let origin = serving::origin(&listener);
        let state = Arc::new(State::default());
        let serving = Serving::start(listener, server::router(Arc::clone(&state)));
        Self { origin, state, _serving: serving }
    }

    /// What to give a client as `https://api.telegram.org`.
    pub fn base_url(&self) -> String {
        self.origin.clone()
    }

    pub fn add_bot(&self, bot: Bot) {
        self.state.lock().bots.push(bot);
    }

    /// Calls that come too fast are refused, as by Telegram; without it tests need not wait.
    pub fn limit_rate(&self) {
        self.state.lock().limit_rate = true;
    }

    pub fn inject(&self, method: &str, faults: impl IntoIterator<Item = CallFault>) {
        self.state.lock().faults.inject(method, faults);
    }

    /// Everything that was sent, in order.
    pub fn sent(&self) -> Vec<SentText> {
        self.state.lock().sent.clone()
    }

    /// The webhook that a bot has.
    pub fn webhook(&self, username: &str) -> Option<Webhook> {
        self.state.lock().webhooks.get(username).cloned()
    }

    /// How often a method was called, failed calls included.
    pub fn calls(&self, method: &str) -> usize {
        self.state.lock().calls.iter().filter(|called| *called == method).count()
    }

    /// A file that somebody sent. Returns its id.
    pub fn add_file(&self, bytes: &[u8]) -> String {
        self.state.lock().add_file(bytes)
    }

    /// A text of a person in their private chat with a bot, as an update. A bot without a webhook gets it when it asks.
    pub fn message(&self, username: &str, person: i64, text: &str) -> Value {
        self.said(username, person, &json!({ "text": text }))
    }

    /// A message with other fields than a text, such as `photo` and `caption`, in the same chat.
    pub fn said(&self, username: &str, person: i64, said: &Value) -> Value {
        self.update(username, &json!({ "id": person, "type": "private" }), person, said)
    }

    /// Somebody presses a button below a message that was sent, as an update.
    pub fn pressed(&self, below: &SentText, person: i64, data: &str) -> Value {
        self.state.lock().press(below, person, data)
    }

    /// As after some minutes: presses cannot be answered any more.
    pub fn forget_presses(&self) {
        self.state.lock().presses.clear();
    }

    /// What those who pressed were told, and they alone.
    pub fn answered(&self) -> Vec<(i64, String)> {
        self.state.lock().answered.clone()
    }

    /// The `photo` of a message: a file in two sizes, of which the double has the larger.
    pub fn photo(&self, bytes: &[u8]) -> Value {
        let id = self.add_file(bytes);
        json!([
            { "file_id": format!("{id}_small"), "file_unique_id": "s", "width": 90, "height": 90 },
            { "file_id": id, "file_unique_id": "l", "width": 800, "height": 800, "file_size": bytes.len() },
        ])
    }

    /// A text in a group.
    pub fn group_message(&self, username: &str, group: i64, person: i64, text: &str) -> Value {
        self.group_said(username, group, person, &json!({ "text": text }))
    }

    /// A message with other fields in a group.
    pub fn group_said(&self, username: &str, group: i64, person: i64, said: &Value) -> Value {
        let chat = json!({ "id": group, "type": "supergroup", "title": "Group" });
        self.update(username, &chat, person, said)
    }

    /// Photos that were sent together in a group, one of which has a caption.
    pub fn album(
        &self,
        username: &str,
        group: i64,
        photos: &[&[u8]],
        captioned: usize,
        caption: &str,
    ) -> Vec<Value> {
        let album = self.state.lock().next_id().to_string();
        let part = |(place, bytes): (usize, &&[u8])| {
            let mut said = json!({ "photo": self.photo(bytes), "media_group_id": album });
            if place == captioned {
                said["caption"] = json!(caption);
            }
            self.group_said(username, group, 11, &said)
        };
        photos.iter().enumerate().map(part).collect()
    }

    fn update(&self, username: &str, chat: &Value, person: i64, said: &Value) -> Value {
        self.state.lock().update(username, chat, person, said)
    }

    /// Waits until so many messages were sent.
    ///
    /// # Panics
    /// When they are not within a minute.
    pub async fn wait_for_sent(&self, count: usize) -> Vec<SentText> {
        serving::at_least(count, || self.sent()).await
    }
}
