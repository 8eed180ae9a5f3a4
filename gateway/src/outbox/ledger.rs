//! What adapters have to remember of a reply, in PostgreSQL.

use futures::future::BoxFuture;
use konstruct_channels::{Ledger, SendError};
use konstruct_domain::delivery::{Contact, SentPart, StreamedMessage};
use konstruct_domain::ids::ReplyId;
use konstruct_domain::{ConnectionName, ConversationId, TenantId};
use konstruct_store::{Error, Store};

/// One reply's.
pub(super) struct StoredLedger<'a> {
    pub store: &'a Store,
    pub tenant: TenantId,
    pub connection: &'a ConnectionName,
    pub reply: ReplyId,
    pub conversation: ConversationId,
    /// Something may be shown in the conversation.
    pub streamed: bool,
}

fn unstored(error: &Error) -> SendError {
    SendError::Transient { reason: error.to_string() }
}

impl Ledger for StoredLedger<'_> {
    fn parts(&self) -> BoxFuture<'_, Result<Vec<SentPart>, SendError>> {
        Box::pin(async { self.store.parts(self.tenant, self.reply).await.map_err(|error| unstored(&error)) })
    }

    fn begin(&self, part: u16) -> BoxFuture<'_, Result<(), SendError>> {
        Box::pin(async move {
            self.store.part_begins(self.tenant, self.reply, part).await.map_err(|error| unstored(&error))
        })
    }

    fn taken<'a>(&'a self, part: u16, message_id: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            self.store
                .part_taken(self.tenant, self.reply, part, message_id)
                .await
                .map_err(|error| unstored(&error))
        })
    }

    fn not_taken(&self, part: u16) -> BoxFuture<'_, Result<(), SendError>> {
        Box::pin(async move {
            self.store.part_not_taken(self.tenant, self.reply, part).await.map_err(|error| unstored(&error))
        })
    }

    fn contact<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Contact>, SendError>> {
        Box::pin(async move {
            self.store.contact(self.tenant, self.connection, key).await.map_err(|error| unstored(&error))
        })
    }

    fn take_stream(&self) -> BoxFuture<'_, Result<Option<StreamedMessage>, SendError>> {
        Box::pin(async move {
            if !self.streamed {
                return Ok(None);
            }
            let taken = self.store.take_stream(self.tenant, self.conversation, self.reply).await;
            taken.map_err(|error| unstored(&error))
        })
    }

    fn stream_ended(&self) -> BoxFuture<'_, Result<(), SendError>> {
        Box::pin(async move {
            let ended = self.store.stream_ended(self.tenant, self.conversation, self.reply).await;
            ended.map_err(|error| unstored(&error))
        })
    }
}
