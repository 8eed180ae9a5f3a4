//! Visitors: a conversation that its secret opens, and short-lived signed tokens for it.
//!
//! The conversation's secret stays in the browser's storage and is sent for a new token only. The token goes with every
//! other request; one that got lost in a log is worth nothing soon after, and nothing anywhere else.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use konstruct_channels::webchat::Token;
use konstruct_domain::ConversationId;
use konstruct_domain::snapshot::WebChatSnapshot;
use konstruct_store::Keyring;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::{chat, language};
use crate::app::App;
use crate::body::{self, Body};
use crate::connection::Connection;
use crate::manners;
use crate::refusal::Refusal;
use crate::routes::address::Address;

const LIFETIME: Duration = Duration::from_hours(1);
/// Longest id of a site's user.
const USER_MAX: usize = 128;
/// Keeps tokens apart from whatever else the key signs.
const PURPOSE: &str = "webchat-visitor";

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    chat: String,
    conversation: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    expires: u64,
}

/// Somebody with a valid token.
pub(super) struct Visitor {
    pub(super) connection: Arc<Connection>,
    pub(super) token: Token,
    /// Who the site says it is, signed by the site.
    pub(super) user: Option<String>,
    pub(super) language: Option<String>,
}

#[derive(Deserialize)]
struct Wish {
    conversation: Option<String>,
    user: Option<User>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    hash: String,
}

/// `POST /chat/{public_id}/sessions`. Nothing is stored before the first message.
pub(crate) async fn open(
    State(app): State<Arc<App>>,
    Path(public_id): Path<String>,
    Address(address): Address,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let (connection, snapshot) = chat(&app, &public_id)?;
    manners::admit_address(&app, &connection, address, language(&headers).as_deref()).await?;
    let wish = wish(&body::read(body)?)?;
    let token = match &wish.conversation {
        Some(conversation) => conversation.parse().map_err(|_| Refusal::UnknownToken)?,
        None => Token::generate(),
    };
    let user = match &wish.user {
        Some(user) => Some(identified(&app, &connection, &snapshot, user).await?),
        None => None,
    };
    let expires = now().saturating_add(LIFETIME.as_secs());
    let claims = Claims { chat: public_id, conversation: token.to_string(), user, expires };
    let body = Json(json!({
        "token": sign(app.store.keyring(), &claims).ok_or(Refusal::Unavailable)?,
        "expires_in": LIFETIME.as_secs(),
        "conversation": claims.conversation,
        "title": snapshot.title,
        "greeting": snapshot.greeting,
        "images": app.media.is_some(),
    }));
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], body).into_response())
}

fn wish(body: &[u8]) -> Result<Wish, Refusal> {
    if body.is_empty() {
        return Ok(Wish { conversation: None, user: None });
    }
    serde_json::from_slice(body).map_err(|error| {
        let wanted = r#"send {}, or {"conversation": "…"} to go on with one"#;
        Refusal::Malformed(format!("the body cannot be read ({error}): {wanted}"))
    })
}

/// The user's id, if the site's signature of it is right.
async fn identified(
    app: &App,
    connection: &Connection,
    snapshot: &WebChatSnapshot,
    user: &User,
) -> Result<String, Refusal> {
    let field = snapshot.identity_secret.as_ref().ok_or(Refusal::Identity)?.field;
    if user.id.is_empty() || user.id.len() > USER_MAX || user.id.chars().any(char::is_control) {
        return Err(Refusal::Identity);
    }
    let secrets = connection.secrets(&app.store).await.map_err(|error| {
        tracing::warn!(tenant = %connection.tenant, connection = connection.name(), %error, "cannot read an identity secret");
        Refusal::Unavailable
    })?;
    let secret = secrets.get(field).ok_or(Refusal::Unavailable)?;
    if signed_by_site(secret, user) { Ok(user.id.clone()) } else { Err(Refusal::Identity) }
}

fn signed_by_site(secret: &SecretString, user: &User) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else { return false };
    mac.update(user.id.as_bytes());
    hex::decode(&user.hash).is_ok_and(|hash| mac.verify_slice(&hash).is_ok())
}

impl Visitor {
    /// Whose request it is. The address is counted first: a token is cheap to try.
    pub(super) async fn of(
        app: &App,
        public_id: &str,
        headers: &HeaderMap,
        address: std::net::IpAddr,
    ) -> Result<Self, Refusal> {
        let (connection, _) = chat(app, public_id)?;
        let language = language(headers);
        manners::admit_address(app, &connection, address, language.as_deref()).await?;
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Refusal::Session)?;
        let claims = read(app.store.keyring(), bearer, public_id, now()).ok_or(Refusal::Session)?;
        let conversation: Token = claims.conversation.parse().map_err(|_| Refusal::Session)?;
        // Signed in, it is another conversation: nobody reads on in it after signing out.
        let token = match &claims.user {
            Some(user) => conversation.of_user(user),
            None => conversation,
        };
        Ok(Self { connection, token, user: claims.user, language })
    }

    pub(super) fn conversation(&self) -> ConversationId {
        self.token.conversation(self.connection.tenant, &self.connection.snapshot.name)
    }
}

fn sign(keyring: &Keyring, claims: &Claims) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims).ok()?);
    let signature = keyring.sign(PURPOSE, &payload).ok()?;
    Some(format!("{payload}.{signature}"))
}

/// None for whatever is not a token of ours for this chat, now.
fn read(keyring: &Keyring, token: &str, chat: &str, now: u64) -> Option<Claims> {
    let (payload, signature) = token.split_once('.')?;
    let expected = keyring.sign(PURPOSE, payload).ok()?;
    if !bool::from(expected.as_bytes().ct_eq(signature.as_bytes())) {
        return None;
    }
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    (claims.chat == chat && claims.expires > now).then_some(claims)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(expires: u64) -> Claims {
        let conversation = Token::generate().to_string();
        Claims { chat: "abc".to_owned(), conversation, user: Some("ann".to_owned()), expires }
    }

    #[test]
    fn a_token_is_good_for_its_chat_until_it_runs_out() {
        let keyring = Keyring::new(Some([1; 32]), None);
        let claims = claims(100);
        let token = sign(&keyring, &claims).unwrap();
        assert_eq!(read(&keyring, &token, "abc", 99), Some(claims));
        assert_eq!(read(&keyring, &token, "abc", 100), None, "it has run out");
        assert_eq!(read(&keyring, &token, "abd", 1), None, "another chat");
        let other = Keyring::new(Some([2; 32]), None);
        assert_eq!(read(&other, &token, "abc", 1), None, "another key");
    }

    #[test]
    fn whatever_is_changed_in_a_token_spoils_it() {
        let keyring = Keyring::new(Some([1; 32]), None);
        let token = sign(&keyring, &claims(100)).unwrap();
        for index in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[index] = if forged[index] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(read(&keyring, &forged, "abc", 1), None, "byte {index}");
        }
        for made_up in ["", ".", "a.b", "a", &token[1..], &token[..token.len() - 1], &format!("{token}0")] {
            assert_eq!(read(&keyring, made_up, "abc", 1), None, "{made_up}");
        }
    }

    #[test]
    fn a_site_vouches_for_one_user_with_its_secret() {
        let secret = SecretString::from("a-secret-of-the-site");
        let mut mac = Hmac::<Sha256>::new_from_slice(b"a-secret-of-the-site").unwrap();
        mac.update(b"ann");
        let hash = hex::encode(mac.finalize().into_bytes());
        let user = |id: &str, hash: &str| User { id: id.to_owned(), hash: hash.to_owned() };
        assert!(signed_by_site(&secret, &user("ann", &hash)));
        assert!(!signed_by_site(&secret, &user("bob", &hash)));
        assert!(!signed_by_site(&"another-secret-of-it".into(), &user("ann", &hash)));
        for bad in ["", "zz", &hash[2..]] {
            assert!(!signed_by_site(&secret, &user("ann", bad)), "{bad}");
        }
    }
}
