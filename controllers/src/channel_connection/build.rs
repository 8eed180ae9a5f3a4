//! From a valid connection to its snapshot. Pure.

use konstruct_domain::snapshot::{ChannelSnapshot, ConnectionSnapshot, SecretField};
use secrecy::SecretString;

use super::validate::Validated;
use crate::framework::secrets::ResolvedSecret;

pub fn snapshot(connection: &Validated) -> ConnectionSnapshot {
    ConnectionSnapshot {
        name: connection.name.clone(),
        agent: connection.agent.clone(),
        public_id: connection.public_id.clone(),
        channel: connection.channel.snapshot.clone(),
        pause: connection.pause.clone(),
        manners: connection.manners.clone(),
    }
}

/// The secret values that the snapshot names.
pub fn secrets(connection: &Validated) -> Vec<(SecretField, SecretString)> {
    connection.channel.secrets.iter().map(ResolvedSecret::stored).collect()
}

/// Path at the gateway to enter as the address of deliveries. The platform's shared app has one for all.
pub fn webhook_path(connection: &Validated) -> Option<String> {
    let channel = &connection.channel.snapshot;
    let name = channel.type_name();
    let path = if channel.uses_shared_app() {
        format!("/{name}/events")
    } else {
        format!("/{name}/{}/events", connection.public_id)
    };
    channel.has_webhook().then_some(path)
}

/// Path of the chat page at the gateway.
pub fn chat_path(connection: &Validated) -> Option<String> {
    let is_chat = matches!(connection.channel.snapshot, ChannelSnapshot::WebChat(_));
    is_chat.then(|| format!("/chat/{}", connection.public_id))
}
