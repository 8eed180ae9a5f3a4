//! Messages on their way in and out, the same for every channel.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::file::FileKind;

/// Longest text of one message that is kept, in characters. Slack truncates its own at 40,000.
pub const TEXT_MAX: usize = 40_000;

/// Longest answer, in bytes: more than any model writes at once. What does not fit into messages goes as a file.
pub const ANSWER_MAX: usize = 1 << 20;

/// Stands in a message's text where a picture was.
pub const PICTURE: &str = "[picture]";

/// One message from a person, as an adapter parsed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundMessage {
    /// The delivery's id at the platform: the same delivery again is a duplicate.
    pub event_id: String,
    /// The message's id at the platform: one message may be delivered as two different events.
    pub message_id: String,
    /// What makes two messages one conversation, within a connection.
    pub conversation_key: String,
    pub author_id: String,
    pub text: String,
    pub attachments: Vec<Attachment>,
    /// The language that the platform names for the author, as a BCP 47 tag.
    pub language: Option<String>,
    pub addressing: Addressing,
    pub reply_to: ReplyTarget,
    /// The delivery as it came, kept for audit. Messages of one delivery share it.
    pub raw: Bytes,
}

impl InboundMessage {
    /// What is kept of the message: its words, and a line for each file.
    pub fn body(&self) -> String {
        let words = Some(self.text.as_str()).filter(|text| !text.is_empty() || self.attachments.is_empty());
        let files = self.attachments.iter().map(Attachment::marker);
        words.map(str::to_owned).into_iter().chain(files).collect::<Vec<_>>().join("\n")
    }
}

/// A file of a message. Its bytes are still at the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// What the channel's adapter needs to fetch it: an id, or an address of the platform.
    pub reference: String,
    /// As the sender declares it; not to be believed.
    pub media_type: Option<String>,
    pub name: Option<String>,
    /// In bytes, as declared.
    pub size: Option<u64>,
    /// SHA-256 of the bytes in hexadecimal digits, where the platform tells it.
    pub sha256: Option<String>,
}

impl Attachment {
    pub fn kind(&self) -> FileKind {
        FileKind::of(self.media_type.as_deref())
    }

    /// The line that stands in the message's text where the file was, whatever becomes of it.
    pub fn marker(&self) -> String {
        let word = match self.kind() {
            FileKind::Picture => return PICTURE.to_owned(),
            FileKind::Recording => "recording",
            FileKind::Video => "video",
            FileKind::Other => "file",
        };
        let name: String =
            self.name.iter().flat_map(|name| name.chars()).filter(|c| !c.is_control()).collect();
        if name.is_empty() { format!("[{word}]") } else { format!("[{word}: {name}]") }
    }
}

/// Why the employee is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// A direct message, a mention or a web chat: opens the conversation if there is none.
    Addressed,
    /// A message in a thread without a mention: counts only where the employee already takes part.
    FollowUp,
}

/// Where the reply goes: the channel, and an address that only its adapter can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyTarget {
    #[serde(rename = "type")]
    channel: String,
    #[serde(flatten)]
    address: BTreeMap<String, String>,
}

impl ReplyTarget {
    pub fn new<'a>(channel: &str, address: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let address = address.into_iter().map(|(part, value)| (part.to_owned(), value.to_owned()));
        Self { channel: channel.to_owned(), address: address.collect() }
    }

    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// Completes the address with what only the store knows.
    pub fn set(&mut self, part: &str, value: &str) {
        self.address.insert(part.to_owned(), value.to_owned());
    }

    /// One part of the address.
    pub fn get(&self, part: &str) -> Option<&str> {
        self.address.get(part).map(String::as_str)
    }
}

/// Who said something in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    Person,
    Employee,
}

impl Speaker {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Employee => "employee",
        }
    }
}

/// One line of a conversation's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryLine {
    pub speaker: Speaker,
    pub text: String,
}

/// Cuts a text to `max` characters at a character boundary.
pub fn truncate(text: &str, max: usize) -> &str {
    match text.char_indices().nth(max) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(media_type: Option<&str>, name: Option<&str>) -> Attachment {
        Attachment {
            reference: "1".to_owned(),
            media_type: media_type.map(str::to_owned),
            name: name.map(str::to_owned),
            size: None,
            sha256: None,
        }
    }

    #[test]
    fn a_message_keeps_a_line_for_each_of_its_files() {
        let mut message = InboundMessage {
            event_id: String::new(),
            message_id: String::new(),
            conversation_key: String::new(),
            author_id: String::new(),
            text: "look".to_owned(),
            attachments: Vec::new(),
            language: None,
            addressing: Addressing::Addressed,
            reply_to: ReplyTarget::new("x", []),
            raw: Bytes::new(),
        };
        assert_eq!(message.body(), "look");
        message.attachments = vec![
            attachment(Some("IMAGE/png"), Some("a.png")),
            attachment(Some("audio/ogg"), None),
            attachment(None, Some("a\n]b.pdf")),
        ];
        assert_eq!(message.body(), "look\n[picture]\n[recording]\n[file: a]b.pdf]");
        message.text.clear();
        assert_eq!(message.body(), "[picture]\n[recording]\n[file: a]b.pdf]");
    }

    #[test]
    fn a_target_is_stored_as_earlier_versions_stored_it() {
        let target = ReplyTarget::new("slack", [("channel", "C1"), ("thread_ts", "1.0")]);
        let stored = r#"{"type":"slack","channel":"C1","thread_ts":"1.0"}"#;
        assert_eq!(serde_json::to_string(&target).unwrap(), stored);
        assert_eq!(serde_json::from_str::<ReplyTarget>(stored).unwrap(), target);
        assert_eq!((target.channel(), target.get("channel"), target.get("x")), ("slack", Some("C1"), None));
        let web_chat: ReplyTarget = serde_json::from_str(r#"{"type":"web_chat"}"#).unwrap();
        assert_eq!(web_chat, ReplyTarget::new("web_chat", []));
    }
}
