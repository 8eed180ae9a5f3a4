//! Answers that are shown while they grow. What is shown is a courtesy: the reply in the outbox is the truth, and ends
//! what was begun here.

use futures::future::BoxFuture;
use konstruct_domain::message::ReplyTarget;

use crate::{Account, SendError};

pub trait Streaming: Send + Sync {
    /// Shows the whole text so far in place of what was shown before. `shown` is what an earlier call returned.
    fn show<'a>(
        &'a self,
        account: &'a Account<'a>,
        target: &'a ReplyTarget,
        text: &'a str,
        shown: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, SendError>>;
}
