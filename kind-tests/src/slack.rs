//! Slack's two sides: signed events to the gateway, and the messages that arrived at the stand-in in the cluster.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

use crate::forward::Forward;
use crate::wait::{Look, until};

/// The stand-in's one channel, its person and its app, as fixtures/slack.yaml has them.
pub const CHANNEL: &str = "C01GENERAL";
pub const PERSON: &str = "U01ANN";
pub const BOT: &str = "U0BOT";
/// The workspace that the stand-in says it is.
pub const TEAM: &str = "T0STANDIN";
/// What the shared Slack app signs with: the same in fixtures/slack.yaml and fixtures/secrets.yaml.
pub const SIGNING_SECRET: &str = "e2e-shared-signing-secret";

/// `X-Slack-Signature` of a body, by Slack's published recipe.
pub fn signature(secret: &str, timestamp: &str, body: &str) -> Result<String> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).context("an HMAC key of any length is good")?;
    mac.update(format!("v0:{timestamp}:{body}").as_bytes());
    Ok(format!("v0={}", hex::encode(mac.finalize().into_bytes())))
}

/// A mention of the employee that starts a thread.
pub struct Mention {
    pub team: String,
    pub ts: String,
    pub event_id: String,
    pub text: String,
}

impl Mention {
    pub fn new(team: &str, text: &str) -> Self {
        let unique = Uuid::new_v4().as_u128();
        // Slack's timestamps are seconds and microseconds; here any unique ones do.
        let (seconds, micros) = (1_700_000_000 + (unique >> 64) % 90_000_000, unique % 1_000_000);
        Self {
            team: team.to_owned(),
            ts: format!("{seconds}.{micros:06}"),
            event_id: format!("Ev{}", Uuid::new_v4().simple()),
            text: format!("<@{BOT}> {text}"),
        }
    }

    pub fn body(&self) -> String {
        json!({
            "type": "event_callback",
            "team_id": self.team,
            "api_app_id": "A0E2E",
            "event_id": self.event_id,
            "event_time": jiff::Timestamp::now().as_second(),
            "authorizations": [{"team_id": self.team, "user_id": BOT, "is_bot": true}],
            "event": {
                "type": "app_mention",
                "channel": CHANNEL,
                "user": PERSON,
                "text": self.text,
                "ts": self.ts,
                "event_ts": self.ts,
            },
        })
        .to_string()
    }
}

/// Posts an event to the gateway, signed; returns the status code.
pub async fn post(gateway: &Forward, path: &str, secret: &str, body: &str) -> Result<u16> {
    let timestamp = jiff::Timestamp::now().as_second().to_string();
    let response = reqwest::Client::new()
        .post(gateway.url(path))
        .header("X-Slack-Request-Timestamp", &timestamp)
        .header("X-Slack-Signature", signature(secret, &timestamp, body)?)
        .header("Content-Type", "application/json")
        .body(body.to_owned())
        .send()
        .await
        .context("posting a Slack event")?;
    Ok(response.status().as_u16())
}

/// Sends a mention through the shared app's URL; the gateway must accept it.
pub async fn send(gateway: &Forward, mention: &Mention) -> Result<()> {
    let status = post(gateway, "/slack/events", SIGNING_SECRET, &mention.body()).await?;
    ensure!(status == 200, "the gateway answered a signed event with {status}");
    Ok(())
}

/// The texts that employees posted in a thread of the stand-in's channel.
pub async fn replies(slack: &Forward, thread_ts: &str) -> Result<Vec<String>> {
    let channel: Value =
        reqwest::get(slack.url(&format!("/_control/messages/{CHANNEL}"))).await?.json().await?;
    let messages = channel["messages"].as_array().context("the stand-in listed no messages")?;
    let ours = messages.iter().filter(|m| m["thread_ts"] == thread_ts && m["user"] != PERSON);
    Ok(ours.filter_map(|m| m["text"].as_str()).map(str::to_owned).collect())
}

/// Waits for the first reply in a thread.
pub async fn reply(slack: &Forward, thread_ts: &str, within: Duration) -> Result<String> {
    until(within, &format!("a reply in the thread {thread_ts}"), || async {
        Ok(replies(slack, thread_ts).await?.into_iter().next().map_or(Look::NotYet("no reply"), Look::Done))
    })
    .await
}

/// Has the stand-in send what Slack sends when a person mentions the app: two signed events. Returns the message's `ts`.
pub async fn mention_at_the_stand_in(slack: &Forward, text: &str) -> Result<String> {
    let message = json!({"channel": CHANNEL, "user": PERSON, "text": format!("<@{BOT}> {text}")});
    let answer: Value = reqwest::Client::new()
        .post(slack.url("/_control/message"))
        .json(&message)
        .send()
        .await?
        .json()
        .await?;
    Ok(answer["message"]["ts"].as_str().context("the stand-in took no message")?.to_owned())
}
