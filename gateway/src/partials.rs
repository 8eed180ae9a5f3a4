//! What is being written, for those who look at a conversation in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use konstruct_domain::{ConversationId, TenantId};
use tokio::sync::watch;

use crate::app::App;

type Text = Arc<str>;

#[derive(Debug, Default)]
pub(crate) struct Partials {
    watched: Mutex<HashMap<(TenantId, ConversationId), watch::Sender<Text>>>,
}

impl Partials {
    /// The newest text; an empty one where nothing is written.
    pub(crate) fn subscribe(&self, tenant: TenantId, conversation: ConversationId) -> watch::Receiver<Text> {
        let new = || watch::Sender::new(Text::from(""));
        self.lock().entry((tenant, conversation)).or_insert_with(new).subscribe()
    }

    fn show(&self, tenant: TenantId, conversation: ConversationId, text: String) {
        let mut watched = self.lock();
        let key = (tenant, conversation);
        if watched.get(&key).is_some_and(|sender| sender.send(text.into()).is_err()) {
            // The last visitor has left.
            watched.remove(&key);
        }
    }

    /// Those whose visitors have left without anything being written since.
    pub(crate) fn tidy(&self) {
        self.lock().retain(|_, sender| sender.receiver_count() > 0);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(TenantId, ConversationId), watch::Sender<Text>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) async fn listen(app: Arc<App>) {
    let mut partials = app.bus.partials(app.shutdown.clone());
    while let Some(partial) = partials.recv().await {
        app.partials.show(partial.tenant, partial.conversation, partial.text);
    }
}
