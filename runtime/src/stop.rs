//! Turns that a person may stop.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use konstruct_domain::ConversationId;
use tokio_util::sync::CancellationToken;

/// The conversations in which an answer is being written.
#[derive(Debug, Default)]
pub(crate) struct Stops(Mutex<HashMap<ConversationId, CancellationToken>>);

/// An answer that is being written. What is stopped later is another one.
#[derive(Debug)]
pub(crate) struct Stoppable<'a> {
    stops: &'a Stops,
    conversation: ConversationId,
    token: CancellationToken,
}

impl Stops {
    /// A conversation has one turn at a time.
    pub(crate) fn begin(&self, conversation: ConversationId) -> Stoppable<'_> {
        let token = CancellationToken::new();
        self.lock().insert(conversation, token.clone());
        Stoppable { stops: self, conversation, token }
    }

    /// Nothing to do where nobody writes: another runtime does, or it is written already.
    pub(crate) fn stop(&self, conversation: ConversationId) {
        if let Some(token) = self.lock().get(&conversation) {
            token.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConversationId, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stoppable<'_> {
    pub(crate) async fn stopped(&self) {
        self.token.cancelled().await;
    }
}

impl Drop for Stoppable<'_> {
    fn drop(&mut self) {
        self.stops.lock().remove(&self.conversation);
    }
}
