//! Compiled configuration: what the data plane needs to know of one custom resource, resolved and checked.
//!
//! The operator (or `konstruct dev`) writes these as immutable rows; gateway, ai-gateway and runtime read them.
//! No secret value is part of a snapshot: secrets are named by field and version, so a rotated secret changes
//! the revision.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::once;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hours::Hours;
use crate::ids::{AgentName, ConnectionName, ProviderName, Slug};
use crate::money::{Money, Price};

/// The kinds of custom resource that are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    Tenant,
    Agent,
    ChannelConnection,
    LLMProvider,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Tenant, Self::Agent, Self::ChannelConnection, Self::LLMProvider];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "Tenant",
            Self::Agent => "Agent",
            Self::ChannelConnection => "ChannelConnection",
            Self::LLMProvider => "LLMProvider",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A kind that this version does not know.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a kind of konstruct.dev/v1alpha1")]
pub struct UnknownKind(String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

/// A role of the data plane: the reader of a snapshot, who records the revision it has loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reader {
    Gateway,
    AiGateway,
    Runtime,
}

impl Reader {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::AiGateway => "ai-gateway",
            Self::Runtime => "runtime",
        }
    }

    /// Whose record a resource's `Ready` waits for.
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Tenant | Kind::Agent => Self::Runtime,
            Kind::ChannelConnection => Self::Gateway,
            Kind::LLMProvider => Self::AiGateway,
        }
    }
}

/// A secret value by name: which field of its resource, and the fingerprint of the value that was stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretVersion {
    pub field: SecretField,
    pub version: String,
}

/// The secret fields that exist, with the one role that may read each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretField {
    SlackBotToken,
    SlackSigningSecret,
    SlackAppToken,
    WhatsAppAccessToken,
    WhatsAppAppSecret,
    WhatsAppVerifyToken,
    TelegramBotToken,
    WebChatIdentity,
    ProviderApiKey,
}

impl SecretField {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SlackBotToken => "slack_bot_token",
            Self::SlackSigningSecret => "slack_signing_secret",
            Self::SlackAppToken => "slack_app_token",
            Self::WebChatIdentity => "web_chat_identity",
            Self::WhatsAppAccessToken => "whats_app_access_token",
            Self::WhatsAppAppSecret => "whats_app_app_secret",
            Self::WhatsAppVerifyToken => "whats_app_verify_token",
            Self::TelegramBotToken => "telegram_bot_token",
            Self::ProviderApiKey => "provider_api_key",
        }
    }

    pub const fn purpose(self) -> SecretPurpose {
        match self {
            Self::ProviderApiKey => SecretPurpose::Provider,
            _ => SecretPurpose::Channel,
        }
    }
}

/// Secrets of one purpose are encrypted under one key-encryption key and readable by one role:
/// `Channel` by the gateway, `Provider` by the ai-gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretPurpose {
    Channel,
    Provider,
}

impl SecretPurpose {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Provider => "provider",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantSnapshot {
    pub slug: Slug,
    pub display_name: String,
    /// Turns that the runtime may work on at one time; absent leaves it to the runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_turns: Option<u16>,
    /// Tokens that models may read and write for the tenant in a calendar month (UTC); absent is without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_month: Option<u64>,
    /// What these may cost in it, at the prices of the providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend_per_month: Option<Money>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSnapshot {
    pub name: AgentName,
    pub display_name: String,
    pub role: String,
    pub persona: String,
    pub instructions: String,
    /// Tried in this order. Never empty.
    pub models: Vec<ModelChoice>,
    /// How many earlier messages of the conversation the model sees.
    pub window_messages: u16,
    /// It has a runtime of its own, which alone takes its conversations; the tenant's shared one leaves them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dedicated: bool,
    /// It answers nobody for now; what it is asked waits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
}

/// One link of an agent's model chain, with the provider already resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelChoice {
    pub provider: ProviderName,
    /// Whose provider it is: the tenant's own, or one that the platform shares.
    pub owner: ProviderOwner,
    pub model: String,
    pub max_output_tokens: u32,
    /// Sampling temperature in thousandths; absent leaves the model's default.
    pub temperature_milli: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderOwner {
    Tenant,
    Platform,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionSnapshot {
    pub name: ConnectionName,
    pub agent: AgentName,
    /// Unguessable and stable; part of the connection's own URLs (`/slack/<public_id>/events`, `/chat/<public_id>`).
    pub public_id: String,
    pub channel: ChannelSnapshot,
    /// Present while nobody answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    #[serde(default, skip_serializing_if = "Manners::is_default")]
    pub manners: Manners,
}

/// When and how much people may write.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manners {
    /// Messages that all connections of the tenant together take in a minute; absent is without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages_per_minute: Option<u32>,
    /// Outside of them messages are kept and answered later; absent is always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
}

impl Manners {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Messages are kept and answered later. Each conversation is told so once in each pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Which pause it is: another one is told anew.
    pub id: String,
    pub notice: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum ChannelSnapshot {
    Slack(SlackSnapshot),
    WebChat(WebChatSnapshot),
    WhatsApp(WhatsAppSnapshot),
    Telegram(TelegramSnapshot),
}

impl ChannelSnapshot {
    /// The `channel_type` of rows and metrics.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Slack(_) => "slack",
            Self::WebChat(_) => "webchat",
            Self::WhatsApp(_) => "whatsapp",
            Self::Telegram(_) => "telegram",
        }
    }

    /// The account at the platform that only one connection of the installation may have.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Slack(slack) => Some(&slack.team_id),
            Self::WhatsApp(number) => Some(&number.phone_number_id),
            Self::Telegram(bot) => Some(&bot.bot_username),
            Self::WebChat(_) => None,
        }
    }

    /// The secrets that the connection needs.
    pub fn secrets(&self) -> Vec<&SecretVersion> {
        match self {
            Self::Slack(slack) => {
                once(&slack.bot_token).chain(&slack.signing_secret).chain(&slack.app_token).collect()
            }
            Self::WhatsApp(number) => {
                once(&number.access_token).chain(&number.app_secret).chain(&number.verify_token).collect()
            }
            Self::Telegram(bot) => vec![&bot.bot_token],
            Self::WebChat(chat) => chat.identity_secret.iter().collect(),
        }
    }

    /// Whether the platform sends deliveries to an address of the gateway's.
    pub const fn has_webhook(&self) -> bool {
        match self {
            Self::Slack(slack) => slack.app_token.is_none(),
            Self::WhatsApp(_) => true,
            Self::Telegram(bot) => matches!(bot.mode, TelegramMode::Webhook),
            Self::WebChat(_) => false,
        }
    }

    /// With what a line is opened over which deliveries come. Connections with the same have one app, and what is for one
    /// of them may come over any of their lines.
    pub const fn line_token(&self) -> Option<&SecretVersion> {
        match self {
            Self::Slack(slack) => slack.app_token.as_ref(),
            Self::WhatsApp(_) | Self::Telegram(_) | Self::WebChat(_) => None,
        }
    }

    /// Whether deliveries come through the platform's shared app, and so to an address for all connections.
    pub fn uses_shared_app(&self) -> bool {
        match self {
            Self::Slack(slack) => slack.signing_secret.is_none() && slack.app_token.is_none(),
            Self::WhatsApp(number) => number.app_secret.is_none(),
            Self::Telegram(_) | Self::WebChat(_) => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlackSnapshot {
    /// The workspace (`T…`), or for an org-wide install the enterprise (`E…`).
    pub team_id: String,
    pub bot_token: SecretVersion,
    /// Present when the connection brings its own Slack app; absent when it uses the platform's shared app.
    pub signing_secret: Option<SecretVersion>,
    /// Present when events come through Socket Mode, of an app of the connection's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_token: Option<SecretVersion>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatsAppSnapshot {
    pub phone_number_id: String,
    /// The business account that the number belongs to.
    pub waba_id: String,
    pub access_token: SecretVersion,
    /// Present when the connection brings its own Meta app; absent when it uses the platform's shared app.
    pub app_secret: Option<SecretVersion>,
    pub verify_token: Option<SecretVersion>,
    /// What may be sent when the person has not written for a day.
    pub template: Option<WhatsAppTemplate>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatsAppTemplate {
    pub name: String,
    pub language: String,
    /// In the order of the template's variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<TemplateParameter>,
}

/// What is filled into a variable of a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateParameter {
    /// Absent where the template numbers its variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub place: TemplatePlace,
    pub text: String,
}

/// Where a template has a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplatePlace {
    Header,
    Body,
}

impl TemplatePlace {
    /// In the order in which they are sent.
    pub const ALL: [Self; 2] = [Self::Header, Self::Body];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Body => "body",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelegramSnapshot {
    /// In lower case, without the `@`.
    pub bot_username: String,
    pub bot_token: SecretVersion,
    pub mode: TelegramMode,
}

/// How deliveries come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TelegramMode {
    Webhook,
    Polling,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebChatSnapshot {
    pub title: String,
    pub greeting: String,
    /// Sites that may have the chat on their pages, such as `https://example.com`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_origins: Vec<String>,
    /// With which a site signs who its visitor is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_secret: Option<SecretVersion>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderSnapshot {
    pub name: ProviderName,
    pub endpoint: ProviderEndpoint,
    pub models: Vec<String>,
    /// Those of them that see pictures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_models: Vec<String>,
    /// How long one try may take until the first byte of the answer.
    pub timeout_seconds: u16,
    /// Only for the platform's providers: who may use it.
    pub allowed_tenants: AllowedTenants,
    /// Of some of the models.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prices: BTreeMap<String, Price>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum ProviderEndpoint {
    /// Anthropic's Messages API.
    Anthropic { base_url: String, api_key: SecretVersion },
    /// OpenAI's Chat Completions API or anything compatible. A local server may need no key.
    OpenAi { base_url: String, api_key: Option<SecretVersion> },
    /// Deterministic rules for demos and tests; the first rule that matches answers.
    Scripted { rules: Vec<ScriptedRule> },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptedRule {
    /// A regular expression over the person's last message; absent matches everything.
    pub pattern: Option<String>,
    /// The reply. `{{name}}`, `{{role}}` and `{{message}}` are replaced.
    pub reply: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AllowedTenants {
    /// A tenant's own provider: nobody else.
    None,
    All,
    Slugs(Vec<Slug>),
}

impl AllowedTenants {
    pub fn allows(&self, slug: &Slug) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Slugs(slugs) => slugs.contains(slug),
        }
    }
}
