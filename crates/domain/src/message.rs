//! Messages on their way in and out, the same for every channel.

use serde::{Deserialize, Serialize};

/// Longest text of one message that is kept, in characters. Slack truncates its own at 40,000.
pub const TEXT_MAX: usize = 40_000;

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
    /// The author's language as the platform tells it, such as `de` or `pt-BR`.
    pub language: Option<String>,
    pub addressing: Addressing,
    pub reply_to: ReplyTarget,
}

/// Why the employee is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// A direct message, a mention or a web chat: opens the conversation if there is none.
    Addressed,
    /// A message in a thread without a mention: counts only where the employee already takes part.
    FollowUp,
}

/// Where the reply goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum ReplyTarget {
    Slack { channel: String, thread_ts: String },
    WebChat,
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
