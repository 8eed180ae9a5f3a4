//! What the double knows: its bots, their chats and webhooks, what was sent, what waits to be asked for.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;
use serde_json::{Value, json};

use crate::fault::Faults;
use crate::form::Upload;
use crate::slack::seconds_now;

#[derive(Clone, Debug)]
pub struct Bot {
    pub username: String,
    pub token: String,
}

impl Bot {
    /// One with a token of its own.
    pub fn new(username: &str) -> Self {
        let number: u32 = username.bytes().map(u32::from).sum();
        Self { username: username.to_owned(), token: format!("{number}:AA{username}") }
    }
}

/// Where a bot's updates go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    pub url: String,
    pub secret_token: Option<String>,
}

/// A message that was sent.
#[derive(Clone, Debug, Serialize)]
pub struct SentText {
    pub bot: String,
    pub chat_id: i64,
    pub message_thread_id: Option<i64>,
    pub answers: Option<i64>,
    pub message_id: i64,
    /// As people read it.
    pub text: String,
    pub reply_markup: Option<Value>,
    /// Below which the text stands.
    pub document: Option<Document>,
}

/// A text that was sent as a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Document {
    pub name: String,
    pub media_type: String,
    pub text: String,
}

impl From<&Upload> for Document {
    fn from(upload: &Upload) -> Self {
        Self {
            name: upload.name.clone(),
            media_type: upload.media_type.clone(),
            text: String::from_utf8_lossy(&upload.bytes).into_owned(),
        }
    }
}

#[derive(Default)]
pub(super) struct State(Mutex<Inner>);

#[derive(Default)]
pub(super) struct Inner {
    pub bots: Vec<Bot>,
    /// Chats in which a bot may write: people who wrote to it, groups that it is in.
    pub chats: HashMap<String, BTreeSet<i64>>,
    pub webhooks: HashMap<String, Webhook>,
    pub waiting: HashMap<String, Vec<Value>>,
    pub sent: Vec<SentText>,
    pub calls: Vec<String>,
    pub faults: Faults,
    pub files: HashMap<String, Vec<u8>>,
    pub limit_rate: bool,
    /// Presses that nobody has answered, with who pressed.
    pub presses: HashMap<String, i64>,
    pub answered: Vec<(i64, String)>,
    pub posts: HashMap<(String, i64), Vec<Instant>>,
    next_id: i64,
}

impl State {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    pub(super) fn next_id(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id
    }

    pub(super) fn add_file(&mut self, bytes: &[u8]) -> String {
        let id = format!("file_{}", self.next_id());
        self.files.insert(id.clone(), bytes.to_vec());
        id
    }

    /// Somebody presses a button below a message, or lets another program say so.
    pub(super) fn press(&mut self, sent: &SentText, person: i64, data: &str) -> Value {
        let (update_id, query_id) = (self.next_id(), format!("query{}", self.next_id()));
        let kind = if sent.chat_id < 0 { "supergroup" } else { "private" };
        let mut message = json!({
            "message_id": sent.message_id, "date": seconds_now(), "text": sent.text,
            "chat": { "id": sent.chat_id, "type": kind },
        });
        if let Some(thread) = sent.message_thread_id {
            message["message_thread_id"] = json!(thread);
            message["is_topic_message"] = json!(true);
        }
        self.presses.insert(query_id.clone(), person);
        json!({ "update_id": update_id, "callback_query": {
            "id": query_id, "chat_instance": "1", "data": data, "message": message,
            "from": { "id": person, "is_bot": false, "first_name": "Ada", "language_code": "en" },
        }})
    }

    /// A message with these fields beside those that every message has.
    pub(super) fn update(&mut self, username: &str, chat: &Value, person: i64, said: &Value) -> Value {
        let (update_id, message_id) = (self.next_id(), self.next_id());
        let mut update = json!({ "update_id": update_id, "message": {
            "message_id": message_id, "date": seconds_now(), "chat": chat,
            "from": { "id": person, "is_bot": false, "first_name": "Ada", "language_code": "en" },
        }});
        for (field, value) in said.as_object().into_iter().flatten() {
            update["message"][field] = value.clone();
        }
        let chats = self.chats.entry(username.to_owned()).or_default();
        chats.extend(chat["id"].as_i64());
        if !self.webhooks.contains_key(username) {
            self.waiting.entry(username.to_owned()).or_default().push(update.clone());
        }
        update
    }
}
