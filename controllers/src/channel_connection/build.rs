//! From a valid connection to its snapshot. Pure.

use konstruct_crds::WebChat;
use konstruct_domain::snapshot::{
    ChannelSnapshot, ConnectionSnapshot, SecretField, SlackSnapshot, WebChatSnapshot,
};
use secrecy::SecretString;

use super::validate::{ValidChannel, Validated};
use crate::framework::secrets::ResolvedSecret;

pub fn snapshot(connection: &Validated) -> ConnectionSnapshot {
    let channel = match &connection.channel {
        ValidChannel::Slack { team_id, bot_token, signing_secret } => ChannelSnapshot::Slack(SlackSnapshot {
            team_id: team_id.clone(),
            bot_token: bot_token.reference(),
            signing_secret: signing_secret.as_ref().map(ResolvedSecret::reference),
        }),
        ValidChannel::WebChat { page, identity_secret } => {
            let WebChat { title, greeting, allowed_origins, identity_secret_ref: _ } = page;
            ChannelSnapshot::WebChat(WebChatSnapshot {
                title: title.clone(),
                greeting: greeting.clone(),
                allowed_origins: allowed_origins.clone(),
                identity_secret: identity_secret.as_ref().map(ResolvedSecret::reference),
            })
        }
    };
    ConnectionSnapshot {
        name: connection.name.clone(),
        agent: connection.agent.clone(),
        public_id: connection.public_id.clone(),
        channel,
        pause: connection.pause.clone(),
        manners: connection.manners.clone(),
    }
}

/// The secret values that the snapshot names.
pub fn secrets(connection: &Validated) -> Vec<(SecretField, SecretString)> {
    match &connection.channel {
        ValidChannel::Slack { bot_token, signing_secret, .. } => [Some(bot_token), signing_secret.as_ref()]
            .into_iter()
            .flatten()
            .map(ResolvedSecret::stored)
            .collect(),
        ValidChannel::WebChat { identity_secret, .. } => {
            identity_secret.iter().map(ResolvedSecret::stored).collect()
        }
    }
}

/// Path at the gateway to enter as the Slack app's request URL. The platform's shared app has one for all.
pub fn webhook_path(connection: &Validated) -> Option<String> {
    match &connection.channel {
        ValidChannel::Slack { signing_secret: Some(_), .. } => {
            Some(format!("/slack/{}/events", connection.public_id))
        }
        ValidChannel::Slack { signing_secret: None, .. } => Some("/slack/events".to_owned()),
        ValidChannel::WebChat { .. } => None,
    }
}

/// Path of the chat page at the gateway.
pub fn chat_path(connection: &Validated) -> Option<String> {
    matches!(connection.channel, ValidChannel::WebChat { .. })
        .then(|| format!("/chat/{}", connection.public_id))
}
