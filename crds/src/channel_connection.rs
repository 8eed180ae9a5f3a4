//! ChannelConnection: where people reach an employee.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::{self, Condition};
use crate::refs::SecretKeyRef;
use crate::scalars;

/// Connects an Agent with a place where people write: a Slack workspace or a web chat.
#[derive(CustomResource, JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "konstruct.dev",
    version = "v1alpha1",
    kind = "ChannelConnection",
    namespaced,
    doc = "Connects an Agent with a place where people write: a Slack workspace or a web chat.",
    status = "ChannelConnectionStatus",
    derive = "PartialEq",
    shortname = "kchan",
    category = "konstruct",
    validation = scalars::name_rule(),
    printcolumn = r#"{"name":"Agent","type":"string","jsonPath":".spec.agent"}"#
)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "has(self.slack) != has(self.webChat)",
        "message": "set exactly one of slack and webChat",
    },
    {
        "rule": "has(self.slack) == has(oldSelf.slack)",
        "message": "the channel type cannot be changed: create another ChannelConnection and delete this one",
    },
]))]
#[serde(rename_all = "camelCase")]
pub struct ChannelConnectionSpec {
    /// Name of the Agent in the same namespace that answers here.
    #[schemars(schema_with = "scalars::object_name")]
    pub agent: String,
    /// A Slack workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack: Option<Slack>,
    /// A chat page served by the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_chat: Option<WebChat>,
    /// When people are answered. Absent: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_hours: Option<BusinessHours>,
}

/// Outside of these hours messages are kept, the sender is told so once, and the answer comes when they begin again.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.from < self.to",
    "message": "from must be before to, both on the same day",
}]))]
pub struct BusinessHours {
    /// A time zone of the IANA database, such as Europe/Berlin.
    #[schemars(schema_with = "scalars::time_zone")]
    pub time_zone: String,
    /// Days on which somebody is there.
    #[schemars(length(min = 1, max = 7), extend("x-kubernetes-list-type" = "set"))]
    pub days: Vec<Weekday>,
    /// Begin, such as 09:00.
    #[schemars(schema_with = "scalars::time_of_day")]
    pub from: String,
    /// End, such as 17:30; 24:00 is midnight.
    #[schemars(schema_with = "scalars::time_of_day")]
    pub to: String,
    /// What people are told outside of the hours. {time} stands for when they begin. Empty: a text in their language.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 500))]
    pub text: String,
}

/// A day of the week.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// The one channel that a valid connection has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Channel<'a> {
    Slack(&'a Slack),
    WebChat(&'a WebChat),
}

impl ChannelConnectionSpec {
    /// None when not exactly one channel is set; the schema refuses that.
    pub fn channel(&self) -> Option<Channel<'_>> {
        match (&self.slack, &self.web_chat) {
            (Some(slack), None) => Some(Channel::Slack(slack)),
            (None, Some(web_chat)) => Some(Channel::WebChat(web_chat)),
            _ => None,
        }
    }
}

/// A Slack workspace. One workspace belongs to one connection of the whole installation: the oldest one.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Slack {
    /// The workspace's id (T…), or for an org-wide install the enterprise's (E…).
    #[schemars(schema_with = "scalars::slack_team_id")]
    pub team_id: String,
    /// The bot token (xoxb-…) with which replies are posted.
    pub bot_token_ref: SecretKeyRef,
    /// The signing secret of the connection's own Slack app. Absent: the workspace uses the installation's
    /// shared app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_secret_ref: Option<SecretKeyRef>,
}

/// A chat page, and the same chat on other sites: `<script src="…/chat/widget.js" data-chat="…">`.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WebChat {
    /// The page's title.
    #[schemars(length(min = 1, max = 80))]
    pub title: String,
    /// What the page shows before the first message.
    #[schemars(length(max = 500))]
    pub greeting: String,
    /// Sites that may have the chat on their pages, such as https://www.example.com. The chat page itself needs no entry.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "scalars::origins")]
    pub allowed_origins: Vec<String>,
    /// A secret with which such a site signs who its visitor is: HMAC-SHA-256 over the user's id, in hexadecimal. Absent:
    /// nobody can say who a visitor is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_secret_ref: Option<SecretKeyRef>,
}

impl Default for WebChat {
    fn default() -> Self {
        Self {
            title: "Chat".to_owned(),
            greeting: String::new(),
            allowed_origins: Vec::new(),
            identity_secret_ref: None,
        }
    }
}

/// What the operator has made of the ChannelConnection.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ChannelConnectionStatus {
    /// The generation that this status describes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What is true of the object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,
    /// The compiled revision that was published last. It serves until a newer one compiles.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub revision: Option<String>,
    /// Path at the gateway's public address to enter as the Slack app's request URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub webhook_path: Option<String>,
    /// Path of the chat page at the gateway's public address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub chat_path: Option<String>,
}

conditions::impl_resource_status!(ChannelConnectionStatus: Ready, Reconciling, Stalled, ResolvedRefs, Claimed, CredentialsValid, Loaded);
