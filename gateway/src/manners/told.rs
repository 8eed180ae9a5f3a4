//! Who was told of a refusal lately. Only spares looks into PostgreSQL: there, the notice's id keeps it from being sent
//! twice.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use konstruct_domain::ConversationId;

/// When it is full everybody may be told again, which finds the notice there.
const MAX: usize = 50_000;

#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<HashSet<(ConversationId, String)>>);

impl Told {
    pub(crate) fn is_news(&self, conversation: ConversationId, window: &str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= MAX {
            told.clear();
        }
        told.insert((conversation, window.to_owned()))
    }

    pub(crate) fn forget(&self, conversation: ConversationId, window: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(conversation, window.to_owned()));
    }
}
