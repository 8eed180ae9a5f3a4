//! Web chat: our own protocol between the chat page and the gateway. There is no platform, so nothing to sign and
//! nowhere to send; the reply is what the visitor's event stream shows.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use futures::future::BoxFuture;
use konstruct_domain::ids::ConversationId;
use konstruct_domain::message::{ANSWER_MAX, Addressing, InboundMessage, ReplyTarget};
use konstruct_domain::{ConnectionName, TenantId};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Account, Adapter, Capabilities, Failure, Ledger, Markup, Reply};

pub struct WebChat;

impl Adapter for WebChat {
    fn name(&self) -> &'static str {
        "webchat"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            text_max: ANSWER_MAX,
            messages_max: None,
            markup: Markup::Markdown,
            buttons: None,
            streaming: false,
            files: false,
            typing: None,
            reply_window: None,
        }
    }

    /// The visitor's event stream shows it.
    fn send<'a>(
        &'a self,
        _account: &'a Account<'a>,
        _reply: &'a Reply<'a>,
        _ledger: &'a dyn Ledger,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        Box::pin(async { Ok(None) })
    }
}

/// Knowing it is the right to read and write a conversation: 122 random bits.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Uuid);

/// Not a token that we gave out.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the token of a conversation")]
pub struct InvalidToken;

impl Token {
    pub fn generate() -> Self {
        Self(Uuid::new_v4())
    }

    /// The same visitor's conversation as a known user.
    #[must_use]
    pub fn of_user(&self, user: &str) -> Self {
        Self(Uuid::new_v5(&self.0, user.as_bytes()))
    }

    /// What makes messages one conversation. The hash, so that a reader of the database cannot join in.
    pub fn conversation_key(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_bytes()))
    }

    pub fn conversation(&self, tenant: TenantId, connection: &ConnectionName) -> ConversationId {
        ConversationId::derive(tenant, connection, &self.conversation_key())
    }

    /// A visitor's message. `id` comes from the page, which repeats it when it sends the same message again.
    pub fn message(&self, id: Uuid, text: &str, raw: Bytes) -> InboundMessage {
        let key = self.conversation_key();
        let message_id = format!("{key}:{id}");
        InboundMessage {
            event_id: message_id.clone(),
            message_id,
            author_id: format!("visitor:{}", &key[..16]),
            conversation_key: key,
            text: text.to_owned(),
            attachments: Vec::new(),
            language: None,
            addressing: Addressing::Addressed,
            reply_to: ReplyTarget::new("web_chat", []),
            raw,
        }
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    /// Takes the one spelling that `Display` gives.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = Uuid::try_parse(text).map_err(|_| InvalidToken)?;
        let token = Self(id);
        if id.get_version_num() == 4 && token.to_string() == text { Ok(token) } else { Err(InvalidToken) }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// A token is a secret: it does not belong into a log.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_nothing_else_is_a_token() {
        let token = Token::generate();
        assert_eq!(token.to_string().parse(), Ok(token.clone()));
        let upper_case = token.to_string().to_uppercase();
        let nil = "0".repeat(32);
        for bad in ["", "x", &nil, &upper_case, &format!(" {token}"), &format!("{token}0")] {
            assert_eq!(bad.parse::<Token>(), Err(InvalidToken), "{bad}");
        }
    }

    #[test]
    fn the_same_message_again_has_the_same_id_and_the_token_stays_secret() {
        let (token, other) = (Token::generate(), Token::generate());
        let id = Uuid::new_v4();
        assert_eq!(token.message(id, "hi", Bytes::new()), token.message(id, "hi", Bytes::new()));
        assert_ne!(
            token.message(id, "hi", Bytes::new()).message_id,
            other.message(id, "hi", Bytes::new()).message_id
        );
        let seen = format!("{token:?} {:?}", token.message(id, "hi", Bytes::new()));
        assert!(!seen.contains(&token.to_string()));
    }
}
