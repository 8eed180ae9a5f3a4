//! What a platform tells about messages that were sent, and about the people they were sent to.

use serde_json::Value;

use crate::ids::ReplyId;

/// How far a message has come. The order is that of what is known: proof of delivery beats a failure, whichever is
/// told first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Progress {
    Sent,
    Failed,
    Delivered,
    Read,
}

impl Progress {
    pub const ALL: [Self; 4] = [Self::Sent, Self::Failed, Self::Delivered, Self::Read];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }

    /// Grows with what is known.
    pub const fn rank(self) -> i16 {
        match self {
            Self::Sent => 1,
            Self::Failed => 2,
            Self::Delivered => 3,
            Self::Read => 4,
        }
    }
}

/// One report about one message. They come in any order, some never, and some twice.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryStatus {
    /// The message's id at the platform.
    pub message_id: String,
    pub progress: Progress,
    /// Seconds since 1970, by the platform's clock.
    pub at: Option<i64>,
    /// Which part of which reply it is, where the platform gives back what was sent along.
    pub part: Option<ReplyPart>,
    /// What the platform charges, in its words. Recorded, never computed.
    pub pricing: Option<Value>,
    /// Why it failed.
    pub failure: Option<String>,
}

/// A message in which a reply was shown while it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamedMessage {
    /// None: whether it was begun is not known.
    pub message_id: Option<String>,
    /// It was changed as a whole each time, for want of something to add to.
    pub edited: bool,
    pub begun_seconds_ago: u64,
    /// Somebody is changing it at this moment.
    pub busy: bool,
}

/// A reply may be longer than one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplyPart {
    pub reply: ReplyId,
    /// From 0.
    pub part: u16,
}

/// A part of a reply that was sent, or may have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentPart {
    pub part: u16,
    /// Absent while it is not known whether the platform took it.
    pub message_id: Option<String>,
    /// For how long the last try to send it has been over, in seconds.
    pub tried_seconds_ago: u64,
}

/// Somebody whose ids at a platform may change, and whom it may be allowed to write to for a time only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// What the conversation is kept under. Stays when ids change; empty before the contact is stored.
    pub key: String,
    /// The platform's id of the person.
    pub user_id: Option<String>,
    pub phone: Option<String>,
    /// Until when they may be written to freely, in seconds since 1970.
    pub window_until: Option<i64>,
}
