//! What the double knows: its numbers, who wrote when, what was sent, what is to fail.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::fault::Faults;

/// A business phone number.
#[derive(Clone, Debug)]
pub struct Number {
    pub phone_number_id: String,
    pub waba_id: String,
    pub access_token: String,
    pub templates: Vec<Template>,
}

/// An approved template, by its variables: by number, such as `1`, or by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub name: String,
    pub header: Vec<String>,
    pub body: Vec<String>,
}

impl Template {
    pub fn new(name: &str, header: &[&str], body: &[&str]) -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self { name: name.to_owned(), header: owned(header), body: owned(body) }
    }
}

impl Number {
    /// One with the token `EAA-<id>`, in the business account `WABA-<id>`, with the templates `hello_again` without
    /// variables, `hello_from` with two that are numbered and `hello_named` with some that have names.
    pub fn new(id: &str) -> Self {
        Self {
            phone_number_id: id.to_owned(),
            waba_id: format!("WABA-{id}"),
            access_token: format!("EAA-{id}"),
            templates: vec![
                Template::new("hello_again", &[], &[]),
                Template::new("hello_from", &[], &["1", "2"]),
                Template::new("hello_named", &["company"], &["agent", "company"]),
            ],
        }
    }
}

/// A message that was sent.
#[derive(Clone, Debug, Serialize)]
pub struct SentMessage {
    pub id: String,
    pub phone_number_id: String,
    /// A number or a person's id.
    pub recipient: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub text: String,
    /// What is in the file, for one with a file.
    pub document: Option<String>,
    pub callback_data: Option<String>,
    pub whole: Value,
}

/// A file, and what the double says about it.
#[derive(Clone, Debug)]
pub struct Media {
    pub phone_number_id: String,
    pub bytes: Vec<u8>,
    pub mime_type: String,
    /// The digest that is told; the true one when absent.
    pub sha256: Option<String>,
    /// The size that is told; the true one when absent.
    pub file_size: Option<u64>,
    /// The address that is told; one of the double when absent.
    pub url: Option<String>,
    /// Where the double's address leads on to, in place of the bytes.
    pub redirect: Option<String>,
}

impl Media {
    /// An honest one.
    pub fn new(phone_number_id: &str, mime_type: &str, bytes: &[u8]) -> Self {
        Self {
            phone_number_id: phone_number_id.to_owned(),
            bytes: bytes.to_vec(),
            mime_type: mime_type.to_owned(),
            sha256: None,
            file_size: None,
            url: None,
            redirect: None,
        }
    }
}

pub(super) struct State {
    pub origin: String,
    inner: Mutex<Inner>,
}

#[derive(Default)]
pub(super) struct Inner {
    pub numbers: Vec<Number>,
    pub wrote: HashMap<String, SystemTime>,
    pub sent: Vec<SentMessage>,
    pub unheard: Vec<String>,
    pub typing: Vec<String>,
    pub calls: Vec<String>,
    pub faults: Faults,
    pub media: HashMap<String, Media>,
    pub pair_rate: Option<(Duration, u32)>,
    pub pairs: HashMap<(String, String), Vec<Instant>>,
}

impl State {
    pub(super) fn new(origin: &str) -> Self {
        Self { origin: origin.to_owned(), inner: Mutex::default() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    pub(super) fn wrote(&mut self, person: &str, seconds_ago: u64) {
        self.wrote.insert(person.to_owned(), SystemTime::now() - Duration::from_secs(seconds_ago));
    }

    pub(super) fn window_is_open(&self, person: &str) -> bool {
        let day = Duration::from_hours(24);
        self.wrote.get(person).is_some_and(|at| at.elapsed().unwrap_or_default() < day)
    }

    pub(super) fn add_media(&mut self, media: Media) -> String {
        let id = Uuid::new_v4().as_u128().to_string();
        self.media.insert(id.clone(), media);
        id
    }

    /// Whether one more message to a person is too many. Counts it otherwise.
    pub(super) fn is_too_fast(&mut self, number: &str, person: &str) -> bool {
        let Some((every, burst)) = self.pair_rate else { return false };
        let sent = self.pairs.entry((number.to_owned(), person.to_owned())).or_default();
        sent.retain(|at| at.elapsed() < every * burst);
        let too_fast = sent.len() >= burst as usize;
        if !too_fast {
            sent.push(Instant::now());
        }
        too_fast
    }
}
