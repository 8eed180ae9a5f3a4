//! Socket Mode: we open a WebSocket to Slack, and events come over it.
//!
//! Slack proves itself by its certificate: nothing is signed. It delivers over any one of an app's sockets, and again what
//! is not acknowledged within three seconds.

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{SinkExt, StreamExt};
use reqwest::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use reqwest::{Response, StatusCode, Upgraded, Url};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::api::Client;
use super::envelope::text;
use super::interaction;
use super::parse::is_id;
use crate::{Heard, Line, NotConnected, SendError, SetUp};

/// From the request to Slack's hello.
const HELLO: Duration = Duration::from_secs(15);
/// After so long without a word we ask whether anybody is there: a firewall may forget a connection and tell nobody.
const QUIET: Duration = Duration::from_secs(10);
/// Questions without an answer until the socket counts as dead.
const UNANSWERED: u32 = 2;
/// Larger than anything that Slack sends.
const FRAME_MAX: usize = 4 << 20;

/// Opens sockets. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Sockets {
    http: reqwest::Client,
    /// Where the Web API is. Sockets are there or below, whatever an answer says.
    site: Option<Url>,
}

impl Sockets {
    pub(super) fn new(api: &str) -> Result<Self, SetUp> {
        // A WebSocket begins as a request of HTTP/1.1.
        let http = crate::http_client::builder().http1_only().redirect(reqwest::redirect::Policy::none());
        Ok(Self { http: http.build()?, site: Url::parse(api).ok() })
    }

    /// Returns after Slack's hello.
    pub(super) async fn open(&self, web: &Client, token: &SecretString) -> Result<Socket, NotConnected> {
        let answer = web.post("apps.connections.open", token, &json!({})).await.map_err(refused)?;
        let url = text(&answer, "url").and_then(|url| self.address(url));
        let url = url.ok_or_else(|| broken("it named an address that is not below its own"))?;
        let open = async {
            let mut socket = Socket { stream: self.upgrade(url).await?, unanswered: 0 };
            socket.hello().await?;
            Ok(socket)
        };
        timeout(HELLO, open).await.unwrap_or_else(|_| Err(broken("no hello in time")))
    }

    /// What to ask for a socket, if that is Slack's.
    fn address(&self, url: &str) -> Option<Url> {
        let (site, mut url) = (self.site.as_ref()?, Url::parse(url).ok()?);
        let scheme = match url.scheme() {
            "wss" => "https",
            // Where the Web API itself is not encrypted: in a test.
            "ws" if site.scheme() == "http" => "http",
            _ => return None,
        };
        url.set_scheme(scheme).ok()?;
        let (host, of_site) = (url.host_str()?, site.host_str()?);
        let below = host.strip_suffix(of_site).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        below.then_some(url)
    }

    async fn upgrade(&self, url: Url) -> Result<WebSocketStream<Upgraded>, NotConnected> {
        let key = generate_key();
        let request = self
            .http
            .get(url)
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, &key);
        // The address has the ticket in it.
        let unreachable = |error: reqwest::Error| broken(&error.without_url().to_string());
        let response = request.send().await.map_err(unreachable)?;
        if !accepts(&response, &key) {
            return Err(broken(&format!("HTTP {} in place of a socket", response.status())));
        }
        let upgraded = response.upgrade().await.map_err(unreachable)?;
        let config = WebSocketConfig::default().max_message_size(Some(FRAME_MAX));
        Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await)
    }
}

fn accepts(response: &Response, key: &str) -> bool {
    let accepted = response.headers().get(SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
    response.status() == StatusCode::SWITCHING_PROTOCOLS
        && accepted == Some(derive_accept_key(key.as_bytes()).as_bytes())
}

/// One socket, from its hello on.
pub(super) struct Socket {
    stream: WebSocketStream<Upgraded>,
    unanswered: u32,
}

impl Socket {
    async fn hello(&mut self) -> Result<(), NotConnected> {
        loop {
            let frame = self.frame().await?;
            match text(&frame, "type") {
                Some("hello") => return Ok(()),
                Some("disconnect") => {
                    left(&frame)?;
                    return Err(broken("it ended the socket before its hello"));
                }
                _ => {}
            }
        }
    }

    async fn hear(&mut self) -> Result<Heard, NotConnected> {
        loop {
            let frame = self.frame().await?;
            let kind = text(&frame, "type").unwrap_or_default();
            if kind == "disconnect" {
                left(&frame)?;
                return Ok(Heard::Leaving);
            }
            let Some(receipt) = text(&frame, "envelope_id").filter(is_id) else { continue };
            let body = match kind {
                "events_api" => frame["payload"].to_string(),
                "interactive" => interaction::form(&frame["payload"]),
                // Commands of ours there are none, and what Slack invents tomorrow must not come again and again.
                _ => {
                    self.receive(receipt).await?;
                    continue;
                }
            };
            return Ok(Heard::Delivery { body: Bytes::from(body), receipt: receipt.to_owned() });
        }
    }

    /// The next frame that says something.
    async fn frame(&mut self) -> Result<Value, NotConnected> {
        loop {
            let Ok(next) = timeout(QUIET, self.stream.next()).await else {
                if self.unanswered == UNANSWERED {
                    return Err(broken("the socket has gone silent"));
                }
                self.unanswered += 1;
                self.send(Message::Ping(Bytes::new())).await?;
                continue;
            };
            self.unanswered = 0;
            match next {
                Some(Ok(Message::Text(text))) => {
                    if let Ok(frame) = serde_json::from_str(&text) {
                        return Ok(frame);
                    }
                }
                // Pings are answered by whoever reads.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_))) | None => return Err(broken("it closed the socket")),
                Some(Err(error)) => return Err(broken(&error.to_string())),
            }
        }
    }

    async fn receive(&mut self, receipt: &str) -> Result<(), SendError> {
        self.send(Message::text(json!({ "envelope_id": receipt }).to_string())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), SendError> {
        self.stream.send(message).await.map_err(|error| SendError::Transient { reason: error.to_string() })
    }
}

impl Line for Socket {
    fn next(&mut self) -> BoxFuture<'_, Result<Heard, NotConnected>> {
        Box::pin(self.hear())
    }

    fn acknowledge<'a>(&'a mut self, receipt: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(self.receive(receipt))
    }
}

/// Whether Slack leaves as it does every few hours.
fn left(disconnect: &Value) -> Result<(), NotConnected> {
    match text(disconnect, "reason") {
        Some("link_disabled") => Err(NotConnected::Mismatch(
            "Socket Mode is switched off for the Slack app: switch it on at api.slack.com/apps, under Socket Mode"
                .to_owned(),
        )),
        Some("too_many_websockets") => Err(broken(
            "the app has ten sockets already, as many as Slack gives: stop what else uses its app-level token",
        )),
        _ => Ok(()),
    }
}

/// What it means that Slack opens no socket.
fn refused(error: SendError) -> NotConnected {
    match error {
        SendError::CredentialsRejected { reason } | SendError::Rejected { reason } => {
            NotConnected::Mismatch(format!(
                "Slack opens no socket for the app-level token ({reason}): generate one with the scope connections:write \
                 under Basic Information of the app, switch Socket Mode on, and put the token (xapp-…) into the Secret \
                 that spec.slack.socketMode.appTokenRef names"
            ))
        }
        SendError::InDoubt { reason } => broken(&reason),
        other => NotConnected::Call(other),
    }
}

fn broken(reason: &str) -> NotConnected {
    NotConnected::Call(SendError::Transient { reason: format!("Slack's Socket Mode: {reason}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_at_slack_or_below_and_encrypted_as_the_web_api_is() {
        let asked = |api: &str, url: &str| Sockets::new(api).unwrap().address(url).map(|url| url.to_string());
        let slack = super::super::BASE_URL;
        let ticket = "wss://wss-primary.slack.com/link/?ticket=1&app_id=2";
        assert_eq!(
            asked(slack, ticket).as_deref(),
            Some("https://wss-primary.slack.com/link/?ticket=1&app_id=2")
        );
        for elsewhere in [
            "ws://wss-primary.slack.com/link",
            "wss://evilslack.com/link",
            "wss://slack.com.example.com/link",
            "wss://169.254.169.254/",
            "https://slack.com/link",
            "slack.com",
        ] {
            assert_eq!(asked(slack, elsewhere), None, "{elsewhere}");
        }
        assert_eq!(
            asked("http://127.0.0.1:1/api", "ws://127.0.0.1:2/x").as_deref(),
            Some("http://127.0.0.1:2/x")
        );
        assert_eq!(asked("http://127.0.0.1:1/api", "ws://10.0.0.1:2/x"), None);
    }

    #[test]
    fn a_refusal_says_what_to_do_and_everything_else_is_tried_again() {
        for code in ["invalid_auth", "not_allowed_token_type", "invented_tomorrow"] {
            let error = match code {
                "invented_tomorrow" => SendError::Rejected { reason: code.to_owned() },
                _ => SendError::CredentialsRejected { reason: code.to_owned() },
            };
            let NotConnected::Mismatch(said) = refused(error) else { panic!("{code}") };
            assert!(said.contains(code) && said.contains("connections:write"), "{said}");
        }
        let wait = SendError::RetryAfter { after: QUIET };
        assert_eq!(refused(wait.clone()), NotConnected::Call(wait));
        let disconnect = |reason: &str| left(&json!({ "type": "disconnect", "reason": reason }));
        assert!(matches!(disconnect("link_disabled"), Err(NotConnected::Mismatch(_))));
        assert!(matches!(disconnect("too_many_websockets"), Err(NotConnected::Call(_))));
        for leaving in ["warning", "refresh_requested", "invented_tomorrow"] {
            assert_eq!(disconnect(leaving), Ok(()));
        }
    }
}
