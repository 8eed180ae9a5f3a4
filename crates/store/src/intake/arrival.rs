//! A message as the intake stores it.

use bytes::Bytes;
use konstruct_domain::message::{Addressing, InboundMessage, ReplyTarget};
use konstruct_domain::snapshot::ConnectionSnapshot;
use konstruct_domain::{ConversationId, TenantId};

#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) tenant: TenantId,
    pub(crate) conversation: ConversationId,
    pub(crate) connection: String,
    pub(crate) channel_type: &'static str,
    pub(crate) key: String,
    pub(crate) agent: String,
    pub(crate) target: ReplyTarget,
    /// Whether the message opens its conversation.
    pub(crate) opens: bool,
    pub(crate) event_id: String,
    pub(crate) message_id: String,
    pub(crate) author_id: String,
    pub(crate) body: String,
    /// None for a message that came without a delivery.
    pub(crate) payload: Option<Bytes>,
}

/// PostgreSQL's text cannot hold U+0000.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

impl Arrival {
    pub(crate) fn new(tenant: TenantId, connection: &ConnectionSnapshot, message: &InboundMessage) -> Self {
        let key = storable(&message.conversation_key);
        Self {
            tenant,
            conversation: ConversationId::derive(tenant, &connection.name, &key),
            connection: connection.name.as_str().to_owned(),
            channel_type: connection.channel.type_name(),
            key,
            agent: connection.agent.as_str().to_owned(),
            target: message.reply_to.clone(),
            opens: message.addressing == Addressing::Addressed,
            event_id: storable(&message.event_id),
            message_id: storable(&message.message_id),
            author_id: storable(&message.author_id),
            body: storable(&message.body()),
            payload: (!message.raw.is_empty()).then(|| message.raw.clone()),
        }
    }
}
