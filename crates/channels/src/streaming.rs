//! Answers that are shown while they grow. What is shown is a courtesy: the reply in the outbox is the truth, and ends
//! what was begun here.

use std::time::Duration;

use futures::future::BoxFuture;
use konstruct_domain::ids::ReplyId;
use konstruct_domain::message::ReplyTarget;

use crate::{Account, SendError};

pub trait Streaming: Send + Sync {
    /// How long to wait before more is shown.
    fn pace(&self) -> Duration;

    /// What of a text may be shown, which may go on in any way.
    fn showable(&self, text: &str) -> String;

    /// Begins a message with what can be shown so far of the answer that becomes `reply`.
    fn begin<'a>(
        &'a self,
        account: &'a Account<'a>,
        target: &'a ReplyTarget,
        reply: ReplyId,
        text: &'a str,
    ) -> BoxFuture<'a, Result<Stream, SendError>>;

    /// Shows what can be shown now in the message.
    fn extend<'a>(
        &'a self,
        account: &'a Account<'a>,
        target: &'a ReplyTarget,
        reply: ReplyId,
        stream: &'a mut Stream,
        text: &'a str,
    ) -> BoxFuture<'a, Result<(), SendError>>;
}

/// A message that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    pub message_id: String,
    /// It is shown anew each time, for want of something to add to. A late change would undo a later one.
    pub edited: bool,
    /// What it shows.
    pub(crate) shown: String,
}
