//! Pictures that were sent together in a group: one of them says who is meant, and so all are.

use std::sync::Arc;

use konstruct_channels::Event;
use konstruct_domain::message::{Addressing, InboundMessage};

use crate::connection::Connection;
use crate::events::Task;
use crate::intake::stored;
use crate::refusal::Refusal;

impl Task<'_> {
    /// A part that says it brings those that came before it along; another one waits for it, or follows it.
    pub(crate) async fn album_part(
        &self,
        connection: &Arc<Connection>,
        album: &str,
        message: InboundMessage,
    ) -> Result<&'static str, Refusal> {
        let (store, tenant, name) = (&self.app.store, connection.tenant, &connection.snapshot.name);
        if message.addressing == Addressing::Addressed {
            let outcome = self.message(connection, message, None).await?;
            if matches!(outcome, "accepted" | "duplicate") {
                let waiting = stored(connection, store.album_addressed(tenant, name, album)).await?;
                if !waiting.is_empty() {
                    for delivery in &waiting {
                        self.bring_along(connection, delivery).await?;
                    }
                    stored(connection, store.album_joined(tenant, name, album)).await?;
                }
            }
            return Ok(outcome);
        }
        let keep = store.album_part(tenant, name, album, &message.message_id, &message.raw);
        if stored(connection, keep).await? {
            self.message(connection, meant(message), None).await
        } else {
            Ok("waits_for_album")
        }
    }

    async fn bring_along(
        &self,
        connection: &Arc<Connection>,
        delivery: &bytes::Bytes,
    ) -> Result<(), Refusal> {
        for event in self.adapter.parse(delivery, Some(&connection.snapshot.channel))? {
            if let Event::AlbumPart { message, .. } = event {
                self.message(connection, meant(*message), None).await?;
            }
        }
        Ok(())
    }
}

fn meant(message: InboundMessage) -> InboundMessage {
    InboundMessage { addressing: Addressing::Addressed, ..message }
}
