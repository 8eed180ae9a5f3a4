//! The page, and what it calls.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Html;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;

use super::room::{Author, Message, Room};
use super::{BOT_USER, Workspace};

/// Where the page's person writes.
const CHANNEL: &str = "C0GENERAL";
const PERSON: &str = "U0PERSON";

pub(super) async fn show() -> Html<&'static str> {
    Html(include_str!("page.html"))
}

pub(super) async fn workspaces(State(room): State<Arc<Room>>) -> Json<Value> {
    let shown = |workspace: Workspace| json!({"team": workspace.team_id, "tenant": workspace.tenant, "agent": workspace.agent});
    Json(room.workspaces().into_iter().map(shown).collect())
}

pub(super) async fn messages(State(room): State<Arc<Room>>) -> Json<Vec<Message>> {
    Json(room.messages())
}

#[derive(Deserialize)]
pub(super) struct Written {
    team: String,
    #[serde(default)]
    thread_ts: String,
    text: String,
}

/// Takes what a person wrote and tells the gateway, as Slack would. JSON only, so no other site's form gets in.
pub(super) async fn write(
    State(room): State<Arc<Room>>,
    Json(written): Json<Written>,
) -> Result<Json<Message>, (StatusCode, String)> {
    let Some(workspace) = room.workspace(&written.team) else {
        return Err((
            StatusCode::NOT_FOUND,
            format!("no ChannelConnection names the workspace {:?}", written.team),
        ));
    };
    let opens_thread = written.thread_ts.is_empty();
    let message = room.add(Message {
        team: written.team,
        channel: CHANNEL.to_owned(),
        thread_ts: written.thread_ts,
        ts: String::new(),
        from: Author::Person,
        text: written.text,
        metadata: Value::Null,
    });
    deliver(&room, &workspace, &event(&workspace, &message, opens_thread))
        .await
        .map_err(|reason| (StatusCode::BAD_GATEWAY, reason))?;
    Ok(Json(message))
}

/// The event of a message: a mention opens a thread, and what follows in it needs none.
fn event(workspace: &Workspace, message: &Message, opens_thread: bool) -> Value {
    let mut event = json!({
        "type": "message",
        "channel_type": "channel",
        "user": PERSON,
        "text": message.text,
        "ts": message.ts,
        "channel": message.channel,
    });
    if opens_thread {
        event["type"] = "app_mention".into();
        event["text"] = format!("<@{BOT_USER}> {}", message.text).into();
    } else {
        event["thread_ts"] = message.thread_ts.clone().into();
    }
    json!({
        "type": "event_callback",
        "team_id": workspace.team_id,
        "event_id": format!("Ev{}", message.ts.replace('.', "")),
        "authorizations": [{"team_id": workspace.team_id, "user_id": BOT_USER, "is_bot": true}],
        "event": event,
    })
}

async fn deliver(room: &Room, workspace: &Workspace, event: &Value) -> Result<(), String> {
    let body = event.to_string();
    let timestamp = Timestamp::now().as_second().to_string();
    let signature = sign(workspace.signing_secret.expose_secret(), &timestamp, &body)
        .ok_or("the signing secret cannot be used")?;
    let request = room.http.post(&workspace.events_url).header("content-type", "application/json");
    let request =
        request.header("x-slack-request-timestamp", timestamp).header("x-slack-signature", signature);
    let answer =
        request.body(body).send().await.map_err(|error| format!("the gateway does not answer: {error}"))?;
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(format!("the gateway answered {}", answer.status()))
    }
}

fn sign(secret: &str, timestamp: &str, body: &str) -> Option<String> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    let digest = mac.chain_update(format!("v0:{timestamp}:{body}")).finalize().into_bytes();
    Some(format!("v0={}", hex::encode(digest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_slack_documents() {
        let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        let signature = sign("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", body).unwrap();
        assert_eq!(signature, "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503");
    }
}
