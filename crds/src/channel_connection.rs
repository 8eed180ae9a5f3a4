//! ChannelConnection: where people reach an employee.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::{self, Condition};
use crate::refs::SecretKeyRef;
use crate::scalars;

/// Connects an Agent with a place where people write: a Slack workspace, a WhatsApp number, a Telegram bot or a web
/// chat.
#[derive(CustomResource, JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "konstruct.dev",
    version = "v1alpha1",
    kind = "ChannelConnection",
    namespaced,
    doc = "Connects an Agent with a place where people write: a Slack workspace, a WhatsApp number, a Telegram bot or a web chat.",
    status = "ChannelConnectionStatus",
    derive = "PartialEq",
    shortname = "kchan",
    category = "konstruct",
    validation = scalars::name_rule(),
    printcolumn = r#"{"name":"Agent","type":"string","jsonPath":".spec.agent"}"#
)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "[has(self.slack), has(self.whatsApp), has(self.telegram), has(self.webChat)].exists_one(set, set)",
        "message": "set exactly one of slack, whatsApp, telegram and webChat",
    },
    {
        "rule": "has(self.slack) == has(oldSelf.slack) && has(self.whatsApp) == has(oldSelf.whatsApp) && has(self.telegram) == has(oldSelf.telegram)",
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
    /// A number of the WhatsApp Business Platform. The Agent must say what it is for in spec.businessFunction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whats_app: Option<WhatsApp>,
    /// A Telegram bot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telegram: Option<Telegram>,
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
    WhatsApp(&'a WhatsApp),
    Telegram(&'a Telegram),
    WebChat(&'a WebChat),
}

impl ChannelConnectionSpec {
    /// None when not exactly one channel is set; the schema refuses that.
    pub fn channel(&self) -> Option<Channel<'_>> {
        let set = [
            self.slack.as_ref().map(Channel::Slack),
            self.whats_app.as_ref().map(Channel::WhatsApp),
            self.telegram.as_ref().map(Channel::Telegram),
            self.web_chat.as_ref().map(Channel::WebChat),
        ];
        let mut set = set.into_iter().flatten();
        set.next().filter(|_| set.next().is_none())
    }

    /// The account at a platform that only one connection of the installation may have: channel type and account.
    pub fn account(&self) -> Option<(&'static str, &str)> {
        match self.channel()? {
            Channel::Slack(slack) => Some(("slack", &slack.team_id)),
            Channel::WhatsApp(number) => Some(("whatsapp", &number.phone_number_id)),
            Channel::Telegram(bot) => Some(("telegram", &bot.bot_username)),
            Channel::WebChat(_) => None,
        }
    }
}

/// A Slack workspace. One workspace belongs to one connection of the whole installation: the oldest one.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!(has(self.signingSecretRef) && has(self.socketMode))",
    "message": "Slack signs nothing in Socket Mode: set signingSecretRef or socketMode, not both",
}]))]
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
    /// Events come through Socket Mode, of an app of the connection's own: for a gateway that Slack cannot reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket_mode: Option<SlackSocketMode>,
}

/// Slack's Socket Mode: the gateway opens a connection to Slack, over which events come.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SlackSocketMode {
    /// The app-level token (xapp-…) with the scope connections:write.
    pub app_token_ref: SecretKeyRef,
}

/// A phone number of the WhatsApp Business Platform. It belongs to one connection of the whole installation: the oldest
/// one.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.appSecretRef) == has(self.verifyTokenRef)",
    "message": "set appSecretRef and verifyTokenRef both, for an own Meta app, or neither",
}]))]
#[serde(rename_all = "camelCase")]
pub struct WhatsApp {
    /// The number's id as Meta shows it: digits, and not the number itself.
    #[schemars(schema_with = "scalars::immutable_phone_number_id")]
    pub phone_number_id: String,
    /// The id of the WhatsApp business account that the number belongs to. Deliveries about another one are dropped.
    #[schemars(schema_with = "scalars::waba_id")]
    pub waba_id: String,
    /// The access token of a system user, with which replies are sent.
    pub access_token_ref: SecretKeyRef,
    /// The app secret of the connection's own Meta app. Absent: the number uses the installation's shared app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_secret_ref: Option<SecretKeyRef>,
    /// The verify token that is entered in the own Meta app's webhook settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_token_ref: Option<SecretKeyRef>,
    /// What is sent when the person wrote more than 24 hours ago: it asks them to write, and the reply follows when they
    /// do. Absent: such a reply is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<WhatsAppTemplate>,
}

/// An approved message template.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhatsAppTemplate {
    /// The template's name.
    #[schemars(schema_with = "scalars::template_name")]
    pub name: String,
    /// The template's language, such as en or pt_BR.
    #[schemars(schema_with = "scalars::template_language")]
    pub language: String,
    /// What is filled into the template's variables: those of the body in their order, and the one that a header may have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 11),
        extend("x-kubernetes-validations" = [
            {
                "rule": "self.all(parameter, has(parameter.name)) || self.all(parameter, !has(parameter.name))",
                "message": "name every parameter or none: a template names its variables or numbers them",
            },
            {
                "rule": "self.filter(parameter, has(parameter.place) && parameter.place == 'Header').size() <= 1",
                "message": "a header has one variable at most",
            },
        ])
    )]
    pub parameters: Vec<WhatsAppTemplateParameter>,
}

/// What is filled into one variable of a template.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.value) != has(self.text)",
    "message": "set either value or text",
}]))]
#[serde(rename_all = "camelCase")]
pub struct WhatsAppTemplateParameter {
    /// The variable's name, such as agent for {{agent}}. Absent: the template numbers its variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "scalars::template_variable")]
    pub name: Option<String>,
    /// Where the variable is.
    #[serde(default)]
    pub place: TemplatePlace,
    /// Something that Konstruct knows. It follows its changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<TemplateValue>,
    /// These words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "scalars::template_text")]
    pub text: Option<String>,
}

/// Where a template has a variable.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TemplatePlace {
    #[default]
    Body,
    /// A header of text.
    Header,
}

/// What can be filled into a template's variable.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TemplateValue {
    /// The Agent's display name.
    AgentName,
    /// The Tenant's display name.
    BusinessName,
}

/// A Telegram bot. It belongs to one connection of the whole installation: the oldest one.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Telegram {
    /// The bot's name in lower case, without the @.
    #[schemars(schema_with = "scalars::immutable_bot_username")]
    pub bot_username: String,
    /// The token that @BotFather shows.
    pub bot_token_ref: SecretKeyRef,
    /// How messages come: to the gateway's public address, or fetched by the gateway where there is none.
    #[serde(default)]
    pub mode: TelegramMode,
}

/// How a bot's messages come.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TelegramMode {
    /// Telegram sends them to the gateway, which tells it where.
    #[default]
    Webhook,
    /// The gateway asks for them.
    Polling,
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
    /// Path at the gateway's public address to which the platform sends its events.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub webhook_path: Option<String>,
    /// Path of the chat page at the gateway's public address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub chat_path: Option<String>,
}

conditions::impl_resource_status!(ChannelConnectionStatus: Ready, Reconciling, Stalled, ResolvedRefs, Claimed, CredentialsValid, AccountUsable, Loaded);
