//! A chat page, and the chat on other sites.

use konstruct_crds::WebChat;
use konstruct_domain::snapshot::{ChannelSnapshot, SecretField, WebChatSnapshot};

use super::{Check, SecretRef};
use crate::framework::secrets::{ResolvedSecret, has_length};

/// Whoever can guess it can pose as any customer.
const IDENTITY_SECRET_MIN: usize = 16;

fn identity_secret(chat: &WebChat) -> Option<SecretRef<'_>> {
    let reference = chat.identity_secret_ref.as_ref()?;
    Some(SecretRef { field: SecretField::WebChatIdentity, path: "spec.webChat.identitySecretRef", reference })
}

pub(super) fn secret_refs(chat: &WebChat) -> Vec<SecretRef<'_>> {
    identity_secret(chat).into_iter().collect()
}

pub(super) fn validate(chat: &WebChat, check: &mut Check<'_>) -> ChannelSnapshot {
    let WebChat { title, greeting, allowed_origins, identity_secret_ref: _ } = chat;
    let identity_secret = identity_secret(chat).and_then(|secret| {
        check.secret(
            secret,
            |secret| has_length(secret, IDENTITY_SECRET_MIN),
            &format!("is too short to sign with: store at least {IDENTITY_SECRET_MIN} characters"),
        )
    });
    ChannelSnapshot::WebChat(WebChatSnapshot {
        title: title.clone(),
        greeting: greeting.clone(),
        allowed_origins: allowed_origins.clone(),
        identity_secret: identity_secret.as_ref().map(ResolvedSecret::reference),
    })
}
