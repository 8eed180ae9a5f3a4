//! WhatsApp behind the interface of all channels.

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use konstruct_domain::delivery::Contact;
use konstruct_domain::message::{Attachment, ReplyTarget};
use konstruct_domain::snapshot::{ChannelSnapshot, SecretField, WhatsAppSnapshot};
use secrecy::SecretString;
use serde_json::json;

use super::api::Client;
use super::errors::Meaning;
use super::person::{BUTTONS, Sender};
use super::send::Errand;
use super::{format, parse, verify};
use crate::download::Downloads;
use crate::pace::Pace;
use crate::settings::secret_file;
use crate::{
    Account, AccountId, Adapter, Capabilities, Event, Failure, File, Ledger, Malformed, Markup, NotConnected,
    Question, Received, Refused, Reply, Secrets, SendError, SetUp, Typing,
};

/// Meta's Graph API.
pub const BASE_URL: &str = "https://graph.facebook.com";
pub const GRAPH_VERSION: &str = "v26.0";
const REPORT_WITHIN_SECONDS: u32 = 600;
/// Where Meta has files.
const FILES: [&str; 3] = ["fbsbx.com", "facebook.com", "whatsapp.net"];

#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// Meta's Graph API.
    #[arg(long = "whatsapp-base-url", env = "KONSTRUCT_WHATSAPP_BASE_URL", default_value = BASE_URL, id = "whatsapp_base_url")]
    pub base_url: String,
    /// Version of Meta's Graph API.
    #[arg(long = "whatsapp-graph-version", env = "KONSTRUCT_WHATSAPP_GRAPH_VERSION", default_value = GRAPH_VERSION, id = "whatsapp_graph_version")]
    pub graph_version: String,
    /// File with the app secret of the platform's shared Meta app. Without it, each WhatsApp connection needs an app of
    /// its own.
    #[arg(
        long = "whatsapp-app-secret-file",
        env = "KONSTRUCT_WHATSAPP_APP_SECRET_FILE",
        value_name = "FILE",
        value_parser = secret_file,
        id = "whatsapp_app_secret"
    )]
    pub app_secret: Option<SecretString>,
    /// File with the verify token that is entered for the shared Meta app's webhook.
    #[arg(
        long = "whatsapp-verify-token-file",
        env = "KONSTRUCT_WHATSAPP_VERIFY_TOKEN_FILE",
        value_name = "FILE",
        value_parser = secret_file,
        id = "whatsapp_verify_token"
    )]
    pub verify_token: Option<SecretString>,
    /// Within how many seconds WhatsApp reports on a message that it has taken. One whose sending was interrupted, and of
    /// which there is no report by then, becomes a dead letter for somebody to decide.
    #[arg(
        long = "whatsapp-report-within-seconds",
        env = "KONSTRUCT_WHATSAPP_REPORT_WITHIN_SECONDS",
        default_value_t = REPORT_WITHIN_SECONDS,
        value_parser = clap::value_parser!(u32).range(1..=86_400),
        id = "whatsapp_report_within_seconds"
    )]
    pub report_within_seconds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        let (base_url, graph_version) = (BASE_URL.to_owned(), GRAPH_VERSION.to_owned());
        let report_within_seconds = REPORT_WITHIN_SECONDS;
        Self { base_url, graph_version, app_secret: None, verify_token: None, report_within_seconds }
    }
}

pub struct WhatsApp {
    client: Client,
    files: Downloads,
    shared: Option<Secrets>,
    pace: Pace,
    report_within: Duration,
}

/// A failure of a call that sends nothing, or one that needs no special care.
pub(super) fn plain(meaning: Meaning) -> SendError {
    match meaning {
        Meaning::Failed(error) => error,
        Meaning::Pause => SendError::RetryAfter { after: Duration::from_secs(10) },
        Meaning::WindowClosed => SendError::Rejected { reason: "the 24-hour window has closed".to_owned() },
        Meaning::IdNotTaken => SendError::Rejected {
            reason: "WhatsApp does not take the person's id, and no number is known".to_owned(),
        },
    }
}

fn number<'a>(account: &Account<'a>) -> Result<&'a WhatsAppSnapshot, SendError> {
    match &account.connection.channel {
        ChannelSnapshot::WhatsApp(number) => Ok(number),
        _ => Err(SendError::Rejected {
            reason: "the ChannelConnection is not for WhatsApp any more".to_owned(),
        }),
    }
}

impl WhatsApp {
    pub(crate) fn new(http: reqwest::Client, settings: &Settings) -> Result<Self, SetUp> {
        let Settings { base_url, graph_version, app_secret, verify_token, report_within_seconds } = settings;
        let shared = app_secret.clone().map(|secret| {
            let token = verify_token.clone().map(|token| (SecretField::WhatsAppVerifyToken, token));
            [Some((SecretField::WhatsAppAppSecret, secret)), token].into_iter().flatten().collect()
        });
        let report_within = Duration::from_secs(u64::from(*report_within_seconds));
        let client = Client::new(http, base_url, graph_version);
        let files = Downloads::new(base_url, BASE_URL, &FILES)?;
        Ok(Self { client, files, shared, pace: Pace::default(), report_within })
    }

    fn sender<'a>(&'a self, account: &'a Account<'a>) -> Result<Sender<'a>, SendError> {
        let (client, phone_number_id) = (&self.client, number(account)?.phone_number_id.as_str());
        let token = account.secrets.require(SecretField::WhatsAppAccessToken)?;
        Ok(Sender { client, token, phone_number_id })
    }

    async fn post(
        &self,
        account: &Account<'_>,
        reply: &Reply<'_>,
        ledger: &dyn Ledger,
    ) -> Result<Option<String>, Failure> {
        let number = number(account)?;
        let token = account.secrets.require(SecretField::WhatsAppAccessToken)?;
        let key = reply.target.get("contact").unwrap_or_default();
        let contact = ledger.contact(key).await?.ok_or_else(|| SendError::Rejected {
            reason: "nothing is known any more of the person that the reply is for".to_owned(),
        })?;
        let WhatsApp { client, pace, report_within, .. } = self;
        Errand { client, pace, report_within: *report_within, token, number, reply, contact }
            .send(ledger)
            .await
    }

    /// The number must be there for the token, and belong to the business account of the spec.
    async fn identify(&self, account: &Account<'_>) -> Result<(), NotConnected> {
        let number = number(account)?;
        let token = account.secrets.require(SecretField::WhatsAppAccessToken)?;
        let path = format!("{}/phone_numbers", number.waba_id);
        let query = [("fields", "id"), ("limit", "1000")];
        let answer = self.client.get(&path, token, &query).await.map_err(plain)?;
        let ids = answer["data"].as_array().map_or(&[][..], Vec::as_slice);
        if ids.iter().any(|entry| entry["id"] == number.phone_number_id.as_str()) {
            return Ok(());
        }
        Err(NotConnected::Mismatch(format!(
            "the business account {} has no number with the id {}: correct spec.whatsApp.wabaId or phoneNumberId",
            number.waba_id, number.phone_number_id
        )))
    }
}

impl Adapter for WhatsApp {
    fn name(&self) -> &'static str {
        "whatsapp"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            text_max: format::TEXT_MAX,
            messages_max: Some(format::MESSAGES_MAX),
            markup: Markup::Own,
            buttons: Some(BUTTONS),
            streaming: false,
            files: true,
            typing: Some(Typing { lasts: Duration::from_secs(25), each_message: true }),
            reply_window: Some(Duration::from_secs(parse::WINDOW_SECONDS.unsigned_abs())),
        }
    }

    fn shared_secrets(&self) -> Option<&Secrets> {
        self.shared.as_ref()
    }

    fn verify(&self, received: &Received<'_>, secrets: &Secrets) -> Result<(), Refused> {
        let secret = secrets
            .get(SecretField::WhatsAppAppSecret)
            .ok_or_else(|| Refused::new("the app secret is not there at the moment", "try again later"))?;
        verify::verify(received, secret)
    }

    fn handshake(&self, query: &str, secrets: &Secrets) -> Result<String, Refused> {
        let token = secrets
            .get(SecretField::WhatsAppVerifyToken)
            .ok_or_else(|| Refused::new("no verify token is stored", "store one and enter it at Meta"))?;
        verify::handshake(query, token)
    }

    fn parse(&self, body: &Bytes, _channel: Option<&ChannelSnapshot>) -> Result<Vec<Event>, Malformed> {
        Ok(parse::parse(body))
    }

    /// The number, and the business account that it belongs to: one without the other may be another tenant's.
    fn owns(&self, channel: &ChannelSnapshot, account: &AccountId) -> bool {
        let ChannelSnapshot::WhatsApp(number) = channel else { return false };
        account.parent.as_deref() == Some(number.waba_id.as_str())
            && (account.id.is_empty() || account.id == number.phone_number_id)
    }

    fn connect<'a>(
        &'a self,
        account: &'a Account<'a>,
        _webhook_url: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), NotConnected>> {
        Box::pin(self.identify(account))
    }

    fn advice(&self, reason: &str) -> String {
        format!(
            "WhatsApp refuses the access token ({reason}): make a token of a system user that may send for this number, \
             and put it into the Secret that spec.whatsApp.accessTokenRef names"
        )
    }

    fn send<'a>(
        &'a self,
        account: &'a Account<'a>,
        reply: &'a Reply<'a>,
        ledger: &'a dyn Ledger,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        Box::pin(self.post(account, reply, ledger))
    }

    fn ask<'a>(
        &'a self,
        account: &'a Account<'a>,
        _target: &'a ReplyTarget,
        contact: Option<&'a Contact>,
        question: &'a Question<'a>,
    ) -> BoxFuture<'a, Result<String, SendError>> {
        Box::pin(async move {
            let contact = contact.ok_or_else(|| SendError::Rejected {
                reason: "nothing is known of the person who is asked".to_owned(),
            })?;
            self.sender(account)?.ask(contact, question).await
        })
    }

    fn whisper<'a>(
        &'a self,
        account: &'a Account<'a>,
        target: &'a ReplyTarget,
        _person: &'a str,
        text: &'a str,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let id = |part| target.get(part).map(str::to_owned);
            let contact = Contact { user_id: id("user"), phone: id("phone"), ..Contact::default() };
            self.sender(account)?.tell(&contact, text).await
        })
    }

    /// Marks the message as read, too: Meta shows the one only with the other.
    fn typing<'a>(
        &'a self,
        account: &'a Account<'a>,
        _target: &'a ReplyTarget,
        message_id: &'a str,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let path = format!("{}/messages", number(account)?.phone_number_id);
            let token = account.secrets.require(SecretField::WhatsAppAccessToken)?;
            let body = json!({
                "messaging_product": "whatsapp", "status": "read", "message_id": message_id,
                "typing_indicator": { "type": "text" },
            });
            self.client.post(&path, token, &body).await.map(drop).map_err(plain)
        })
    }

    fn fetch<'a>(
        &'a self,
        account: &'a Account<'a>,
        attachment: &'a Attachment,
        max: u64,
    ) -> BoxFuture<'a, Result<File, SendError>> {
        Box::pin(async move {
            let token = account.secrets.require(SecretField::WhatsAppAccessToken)?;
            self.client.fetch(&self.files, token, &number(account)?.phone_number_id, attachment, max).await
        })
    }
}
