//! What deliveries say, the same for every channel.

use konstruct_domain::delivery::{Contact, DeliveryStatus};
use konstruct_domain::message::{InboundMessage, ReplyTarget};

use crate::AccountId;

/// One thing that a delivery says.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The platform checks that the address is ours: answer with this.
    Handshake { answer: String },
    /// `contact` is there where the platform's ids of people change, or where they may be answered for a time only.
    Message { account: AccountId, message: Box<InboundMessage>, contact: Option<Contact> },
    /// One of several pictures that were sent together where it has to be said who is meant, which may be said on another
    /// one of them.
    AlbumPart { account: AccountId, album: String, message: Box<InboundMessage> },
    /// How far a message of ours has come.
    Status { account: AccountId, status: DeliveryStatus },
    /// A person's id has changed from the one of `previous` to those of `current`.
    Renamed { account: AccountId, previous: Contact, current: Contact },
    /// A person pressed a button that we offered. `contact` as with a message.
    Action { account: AccountId, action: Action, contact: Option<Contact> },
    /// A person wants no more of the answer that is being written in a conversation.
    Stopped { account: AccountId, conversation_key: String, place: ReplyTarget },
    /// The platform has taken our credentials away.
    Revoked { account: AccountId, reason: String },
    /// The platform restricts the account, or it warns that it will.
    Restricted { account: AccountId, reason: String },
    /// The platform holds deliveries back.
    HeldBack { account: AccountId, reason: &'static str },
    /// Nothing is done about it; the word is the `outcome` of metrics.
    Ignored(&'static str),
}

/// A button that somebody pressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What we put into it.
    pub value: String,
    /// The person's id at the platform.
    pub by: String,
    pub place: ReplyTarget,
}
