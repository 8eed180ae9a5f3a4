//! Events as Slack sends them: complete, and signed with the app's secret.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

use super::state::{Workspace, next_ts};

/// An app installed in a workspace, as far as its events show it.
#[derive(Clone, Debug)]
pub struct App {
    pub signing_secret: String,
    pub app_id: String,
    pub team_id: String,
    pub bot_user_id: String,
}

/// A delivery, ready to be posted.
#[derive(Clone, Debug)]
pub struct SignedRequest {
    /// The header X-Slack-Request-Timestamp.
    pub timestamp: String,
    /// The header X-Slack-Signature.
    pub signature: String,
    pub body: Vec<u8>,
}

impl App {
    pub fn new(workspace: &Workspace, signing_secret: &str) -> Self {
        Self {
            signing_secret: signing_secret.to_owned(),
            app_id: "A0KONSTRUCT".to_owned(),
            team_id: workspace.team_id.clone(),
            bot_user_id: workspace.bot_user_id.clone(),
        }
    }

    /// A mention in a channel: two events of one message, as Slack sends them.
    pub fn mention(&self, channel: &str, user: &str, text: &str) -> [Value; 2] {
        let ts = next_ts();
        let text = format!("<@{}> {text}", self.bot_user_id);
        let event = json!({
            "type": "app_mention", "user": user, "text": text, "ts": ts, "event_ts": ts,
            "channel": channel, "team": self.team_id, "client_msg_id": Uuid::new_v4(),
        });
        let mut twin = event.clone();
        twin["type"] = json!("message");
        twin["channel_type"] = json!("channel");
        [self.envelope(&event), self.envelope(&twin)]
    }

    /// A direct message to the bot.
    pub fn direct_message(&self, channel: &str, user: &str, text: &str) -> Value {
        let ts = next_ts();
        self.envelope(&json!({
            "type": "message", "channel_type": "im", "user": user, "text": text, "ts": ts, "event_ts": ts,
            "channel": channel, "team": self.team_id, "client_msg_id": Uuid::new_v4(),
        }))
    }

    /// A message in a thread, without a mention.
    pub fn follow_up(&self, channel: &str, thread_ts: &str, user: &str, text: &str) -> Value {
        let ts = next_ts();
        self.envelope(&json!({
            "type": "message", "channel_type": "channel", "user": user, "text": text, "ts": ts, "event_ts": ts,
            "thread_ts": thread_ts, "channel": channel, "team": self.team_id, "client_msg_id": Uuid::new_v4(),
        }))
    }

    /// Somebody pressed Stop.
    pub fn session_stopped(&self, channel: &str, thread_ts: &str, user: &str) -> Value {
        self.envelope(&json!({
            "type": "agent_session_stopped", "channel": channel, "thread_ts": thread_ts, "user": user,
            "streaming_message_ts": [], "event_ts": next_ts(),
        }))
    }

    /// Somebody pressed a button under a message: a form, as Slack sends it.
    pub fn pressed(&self, channel: &str, thread_ts: &str, user: &str, value: &str) -> SignedRequest {
        let payload = json!({
            "type": "block_actions", "api_app_id": self.app_id, "trigger_id": "1.2.3", "enterprise": null,
            "team": { "id": self.team_id, "domain": "double" },
            "user": { "id": user, "team_id": self.team_id, "username": "somebody" },
            "channel": { "id": channel, "name": "general" },
            "container": { "type": "message", "message_ts": next_ts(), "channel_id": channel, "thread_ts": thread_ts },
            "actions": [{
                "type": "button", "action_id": "choose", "block_id": "b1", "value": value, "action_ts": next_ts(),
                "text": { "type": "plain_text", "text": "OK 😀" },
            }],
            "response_url": "https://hooks.slack.com/actions/T1/2/3",
        });
        self.sign_payload(&payload)
    }

    /// Any interaction, as the form that Slack sends.
    pub fn sign_payload(&self, payload: &Value) -> SignedRequest {
        let mut form = reqwest::Url::parse("http://form/").expect("a fixed address");
        form.query_pairs_mut().append_pair("payload", &payload.to_string());
        self.sign_bytes(form.query().unwrap_or_default().into(), seconds_now())
    }

    /// Any inner event in a complete envelope with a new event id.
    pub fn envelope(&self, event: &Value) -> Value {
        json!({
            "token": "deprecated", "type": "event_callback", "team_id": self.team_id,
            "context_team_id": self.team_id, "context_enterprise_id": null, "api_app_id": self.app_id,
            "event_id": format!("Ev{}", Uuid::new_v4().simple()), "event_time": seconds_now(),
            "authorizations": [{
                "enterprise_id": null, "team_id": self.team_id, "user_id": self.bot_user_id,
                "is_bot": true, "is_enterprise_install": false,
            }],
            "is_ext_shared_channel": false, "event_context": "4-double", "event": event,
        })
    }

    pub fn sign(&self, body: &Value) -> SignedRequest {
        self.sign_bytes(body.to_string().into_bytes(), seconds_now())
    }

    pub fn sign_bytes(&self, body: Vec<u8>, timestamp: u64) -> SignedRequest {
        let timestamp = timestamp.to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(self.signing_secret.as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(format!("v0:{timestamp}:").as_bytes());
        mac.update(&body);
        let signature = format!("v0={}", hex::encode(mac.finalize().into_bytes()));
        SignedRequest { timestamp, signature, body }
    }

    /// The `ts` of the message in an envelope: the root of the thread that it opens.
    pub fn ts_of(envelope: &Value) -> &str {
        envelope["event"]["ts"].as_str().expect("every message event has a ts")
    }
}

/// The clock of signatures.
pub fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
