//! What an adapter has to remember of a reply: for platforms that cannot be asked what they have taken.

use futures::future::BoxFuture;
use konstruct_domain::delivery::{Contact, SentPart, StreamedMessage};

use crate::SendError;

/// The memory of one reply, kept by the gateway. What is written here is durable when the call returns.
pub trait Ledger: Send + Sync {
    /// The parts that a try has begun, whether or not their fate is known.
    fn parts(&self) -> BoxFuture<'_, Result<Vec<SentPart>, SendError>>;

    /// A part is about to leave. Without this record it certainly has not.
    fn begin(&self, part: u16) -> BoxFuture<'_, Result<(), SendError>>;

    /// The platform has taken a part.
    fn taken<'a>(&'a self, part: u16, message_id: &'a str) -> BoxFuture<'a, Result<(), SendError>>;

    /// The platform has certainly not taken a part.
    fn not_taken(&self, part: u16) -> BoxFuture<'_, Result<(), SendError>>;

    /// What is known of a person under the key of their conversation.
    fn contact<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Contact>, SendError>>;

    /// The message in which the reply was shown while it was written. From now on nobody else changes it.
    fn take_stream(&self) -> BoxFuture<'_, Result<Option<StreamedMessage>, SendError>>;

    /// That message shows the reply as it is, or there is none.
    fn stream_ended(&self) -> BoxFuture<'_, Result<(), SendError>>;
}
