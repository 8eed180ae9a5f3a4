//! What a platform remembers of what was written, for when nobody was there to hear it.

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::SendError;

/// Reads and changes nothing: the same question has the same answer, and more.
pub trait History: Send + Sync {
    /// The room in which a conversation takes place. New ones begin there.
    fn room_of<'a>(&self, conversation_key: &'a str) -> Option<&'a str>;

    /// A part of what was written at a place since then, in seconds since 1970. `after` is from the part before.
    fn part<'a>(
        &'a self,
        place: Place<'a>,
        since: i64,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Part, SendError>>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// What was written in a room for everybody.
    Room(&'a str),
    /// What was written in a conversation, by its key.
    Conversation(&'a str),
}

#[derive(Clone, Debug, Default)]
pub struct Part {
    pub messages: Vec<Remembered>,
    /// Keys of conversations that may have begun with one of the messages, and went on.
    pub went_on: Vec<String>,
    /// Where the next part begins, if there is one.
    pub next: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// When it was written, in microseconds since 1970.
    pub at: u64,
    /// In the form in which the platform would have delivered it.
    pub delivery: Bytes,
}
