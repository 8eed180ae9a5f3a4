//! What is being written, for those who look at a conversation in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use konstruct_domain::ids::ReplyId;
use konstruct_domain::{ConversationId, TenantId};
use tokio::sync::watch;

use crate::app::App;

/// Everything that is written of a reply so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    pub reply: Option<ReplyId>,
    pub text: Arc<str>,
}

#[derive(Debug, Default)]
pub(crate) struct Partials {
    watched: Mutex<HashMap<(TenantId, ConversationId), watch::Sender<Written>>>,
}

impl Partials {
    /// The newest text; an empty one where nothing is written.
    pub(crate) fn subscribe(
        &self,
        tenant: TenantId,
        conversation: ConversationId,
    ) -> watch::Receiver<Written> {
        let new = || watch::Sender::new(Written::default());
        self.lock().entry((tenant, conversation)).or_insert_with(new).subscribe()
    }

    fn show(&self, tenant: TenantId, conversation: ConversationId, written: Written) {
        let mut watched = self.lock();
        let key = (tenant, conversation);
        if watched.get(&key).is_some_and(|sender| sender.send(written).is_err()) {
            // The last visitor has left.
            watched.remove(&key);
        }
    }

    /// Those whose visitors have left without anything being written since.
    pub(crate) fn tidy(&self) {
        self.lock().retain(|_, sender| sender.receiver_count() > 0);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(TenantId, ConversationId), watch::Sender<Written>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) async fn listen(app: Arc<App>) {
    let mut partials = app.bus.partials(app.shutdown.clone());
    while let Some(partial) = partials.recv().await {
        let written = Written { reply: partial.reply, text: partial.text.into() };
        app.partials.show(partial.tenant, partial.conversation, written);
    }
}
