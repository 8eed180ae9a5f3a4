//! Slack behind the interface of all channels.

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::HeaderName;
use konstruct_domain::delivery::Contact;
use konstruct_domain::message::{Attachment, ReplyTarget};
use konstruct_domain::snapshot::{ChannelSnapshot, SecretField, SlackSnapshot};
use secrecy::SecretString;
use serde_json::json;

use super::history::Memory;
use super::parse::Delivery;
use super::socket::Sockets;
use super::status::Thread;
use super::{Client, content, files, format, interaction, parse, send, verify};
use crate::download::Downloads;
use crate::pace::Pace;
use crate::settings::secret_file;
use crate::{
    Account, Adapter, Buttons, Capabilities, Event, Failure, File, History, Ledger, Line, Malformed, Markup,
    NotConnected, Question, Received, Refused, Reply, Secrets, SendError, SetUp, Streaming, Typing,
};

/// The Web API of the real Slack.
pub const BASE_URL: &str = "https://slack.com/api";

/// Five minutes: of an outage that is shorter Slack's last try makes up.
const BACKFILL_AFTER: u64 = 300;

/// How long a status stays at a thread in which nobody writes.
const STATUS_LASTS: Duration = Duration::from_mins(2);

/// In one block of actions.
const BUTTONS: Buttons = Buttons { most: 25, title_max: 75 };

/// Tells Slack that the same delivery again will fare no better.
const NO_RETRY: HeaderName = HeaderName::from_static("x-slack-no-retry");

#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// Slack's Web API.
    #[arg(long = "slack-base-url", env = "KONSTRUCT_SLACK_BASE_URL", default_value = BASE_URL, id = "slack_base_url")]
    pub base_url: String,
    /// File with the signing secret of the platform's shared Slack app. Without it, each Slack connection needs an
    /// app of its own.
    #[arg(
        long = "slack-signing-secret-file",
        env = "KONSTRUCT_SLACK_SIGNING_SECRET_FILE",
        value_name = "FILE",
        value_parser = secret_file,
        id = "slack_signing_secret"
    )]
    pub signing_secret: Option<SecretString>,
    /// After how many seconds in which no gateway listened Slack is asked for what was written meanwhile. Slack's own last
    /// try comes after six minutes. With 0 it is never asked.
    #[arg(
        long = "slack-backfill-after-seconds",
        env = "KONSTRUCT_SLACK_BACKFILL_AFTER_SECONDS",
        value_name = "SECONDS",
        default_value_t = BACKFILL_AFTER,
        value_parser = clap::value_parser!(u64).range(..=86_400),
        id = "slack_backfill_after"
    )]
    pub backfill_after: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { base_url: BASE_URL.to_owned(), signing_secret: None, backfill_after: BACKFILL_AFTER }
    }
}

pub struct Slack {
    pub(super) client: Client,
    /// How fast answers are shown while they are written.
    pub(super) pace: Pace,
    pub(super) files: Downloads,
    sockets: Sockets,
    shared: Option<Secrets>,
    backfill_after: Option<Duration>,
}

impl Slack {
    pub(crate) fn new(http: reqwest::Client, settings: &Settings) -> Result<Self, SetUp> {
        let shared = settings.signing_secret.clone();
        let shared = shared.map(|secret| [(SecretField::SlackSigningSecret, secret)].into_iter().collect());
        let files = Downloads::new(&settings.base_url, BASE_URL, &[files::HOST])?;
        let sockets = Sockets::new(&settings.base_url)?;
        let client = Client::with(http, &settings.base_url);
        let backfill_after =
            (settings.backfill_after > 0).then(|| Duration::from_secs(settings.backfill_after));
        Ok(Self { client, pace: Pace::default(), files, sockets, shared, backfill_after })
    }

    async fn post(
        &self,
        account: &Account<'_>,
        reply: &Reply<'_>,
        ledger: &dyn Ledger,
    ) -> Result<Option<String>, Failure> {
        let unsent = |error| Failure { error, maybe_visible: reply.in_doubt };
        let token = account.secrets.require(SecretField::SlackBotToken).map_err(unsent)?;
        let Thread { channel, ts: thread_ts } = thread(reply.target)?;
        let Reply { id, text, in_doubt, attempt, .. } = *reply;
        let shape = send::Shape::Messages;
        let reply = send::Reply { id, channel, thread_ts, text, in_doubt, first: None, shape };
        if reply.parts().len() > format::MESSAGES_MAX {
            return self.post_long(token, reply, attempt, ledger).await;
        }
        let first = self.finish(token, &reply, ledger).await?;
        self.client.deliver(token, &send::Reply { first: first.as_deref(), ..reply }).await
    }

    async fn identify(&self, account: &Account<'_>) -> Result<(), NotConnected> {
        let ChannelSnapshot::Slack(SlackSnapshot { team_id, .. }) = &account.connection.channel else {
            return Ok(());
        };
        let identity = self.client.identity(account.secrets.require(SecretField::SlackBotToken)?).await?;
        if identity.team_id == *team_id || identity.enterprise_id.as_ref() == Some(team_id) {
            return Ok(());
        }
        Err(NotConnected::Mismatch(format!(
            "the bot token belongs to workspace {} and spec.slack.teamId is {team_id}: use the token of that workspace",
            identity.team_id
        )))
    }
}

impl Adapter for Slack {
    fn name(&self) -> &'static str {
        "slack"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            text_max: format::PART_MAX,
            messages_max: Some(format::MESSAGES_MAX),
            markup: Markup::Markdown,
            buttons: Some(BUTTONS),
            streaming: true,
            files: true,
            typing: Some(Typing { lasts: STATUS_LASTS, each_message: false }),
            reply_window: None,
        }
    }

    fn shared_secrets(&self) -> Option<&Secrets> {
        self.shared.as_ref()
    }

    fn verify(&self, received: &Received<'_>, secrets: &Secrets) -> Result<(), Refused> {
        const REMEDY: &str = "check the app's signing secret, and the clock of whoever signs";
        let secret = secrets.get(SecretField::SlackSigningSecret).ok_or_else(|| {
            Refused::new("the signing secret is not there at the moment", "try again later")
        })?;
        let timestamp = received.header("x-slack-request-timestamp");
        let signature = received.header("x-slack-signature");
        verify::verify(secret, timestamp, signature, received.body, received.now)
            .map_err(|refused| Refused::new(refused.to_string(), REMEDY))
    }

    fn parse(&self, body: &Bytes, _channel: Option<&ChannelSnapshot>) -> Result<Vec<Event>, Malformed> {
        if interaction::is_one(body) {
            return interaction::parse(body);
        }
        let event = match parse::parse(body)? {
            Delivery::UrlVerification { challenge } => Event::Handshake { answer: challenge },
            Delivery::Ignored(ignored) => Event::Ignored(ignored.as_str()),
            Delivery::RateLimited { account } => Event::HeldBack {
                account: account.as_deref().unwrap_or_default().into(),
                reason: "a workspace had more than 30,000 events within an hour",
            },
            Delivery::Revoked { account, event } => {
                Event::Revoked { account: account.as_str().into(), reason: event }
            }
            Delivery::Stopped { account, channel, root } => Event::Stopped {
                account: account.as_str().into(),
                conversation_key: parse::conversation_key(&channel, &root),
                place: ReplyTarget::new(
                    "slack",
                    [("channel", channel.as_str()), ("thread_ts", root.as_str())],
                ),
            },
            Delivery::Message { account, mut message } => {
                message.raw = body.clone();
                Event::Message { account: account.as_str().into(), message, contact: None }
            }
        };
        Ok(vec![event])
    }

    fn no_retry_header(&self) -> Option<(HeaderName, &'static str)> {
        Some((NO_RETRY, "1"))
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
            "Slack refuses the bot token ({reason}): reinstall the app if needed, and put its Bot User OAuth Token \
             into the Secret that spec.slack.botTokenRef names"
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

    fn typing<'a>(
        &'a self,
        account: &'a Account<'a>,
        target: &'a ReplyTarget,
        _message_id: &'a str,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let (token, thread) = place(account, target)?;
            self.client.show_status(token, thread).await
        })
    }

    fn typing_ends<'a>(
        &'a self,
        account: &'a Account<'a>,
        target: &'a ReplyTarget,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let (token, thread) = place(account, target)?;
            self.client.clear_status(token, thread).await
        })
    }

    fn ask<'a>(
        &'a self,
        account: &'a Account<'a>,
        target: &'a ReplyTarget,
        _contact: Option<&'a Contact>,
        question: &'a Question<'a>,
    ) -> BoxFuture<'a, Result<String, SendError>> {
        Box::pin(async move {
            BUTTONS.fit(question)?;
            let (token, thread) = place(account, target)?;
            self.client.post_message(token, thread, content::question(question)).await
        })
    }

    fn whisper<'a>(
        &'a self,
        account: &'a Account<'a>,
        target: &'a ReplyTarget,
        person: &'a str,
        text: &'a str,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let token = account.secrets.require(SecretField::SlackBotToken)?;
            let arguments = json!({
                "channel": target.get("channel"), "thread_ts": target.get("thread_ts"), "user": person,
                "text": format::fallback(&format::neutralise(text)),
            });
            self.client.post("chat.postEphemeral", token, &arguments).await.map(drop)
        })
    }

    fn stop_heard<'a>(
        &'a self,
        account: &'a Account<'a>,
        target: &'a ReplyTarget,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let (token, thread) = place(account, target)?;
            self.client.end_processing(token, thread).await
        })
    }

    fn streaming(&self) -> Option<&dyn Streaming> {
        Some(self)
    }

    fn fetch<'a>(
        &'a self,
        account: &'a Account<'a>,
        attachment: &'a Attachment,
        max: u64,
    ) -> BoxFuture<'a, Result<File, SendError>> {
        Box::pin(async move {
            let token = account.secrets.require(SecretField::SlackBotToken)?;
            self.client.fetch(&self.files, token, attachment, max).await
        })
    }

    fn gives_up_after(&self) -> Option<Duration> {
        self.backfill_after
    }

    fn history<'a>(
        &'a self,
        account: &'a Account<'a>,
    ) -> BoxFuture<'a, Result<Box<dyn History + 'a>, SendError>> {
        Box::pin(async move {
            let token = account.secrets.require(SecretField::SlackBotToken)?;
            let of = account.connection.channel.account().unwrap_or_default();
            Ok(Box::new(Memory::of(&self.client, token, of).await?) as Box<dyn History + 'a>)
        })
    }

    fn open_line<'a>(
        &'a self,
        account: &'a Account<'a>,
    ) -> BoxFuture<'a, Result<Box<dyn Line>, NotConnected>> {
        Box::pin(async move {
            let token = account.secrets.require(SecretField::SlackAppToken)?;
            let socket = self.sockets.open(&self.client, token).await?;
            Ok(Box::new(socket) as Box<dyn Line>)
        })
    }
}

/// Where something is to be shown, and as whom.
fn place<'a>(
    account: &Account<'a>,
    target: &'a ReplyTarget,
) -> Result<(&'a SecretString, Thread<'a>), SendError> {
    Ok((account.secrets.require(SecretField::SlackBotToken)?, thread(target)?))
}

pub(super) fn thread(target: &ReplyTarget) -> Result<Thread<'_>, SendError> {
    match (target.get("channel"), target.get("thread_ts")) {
        (Some(channel), Some(ts)) => Ok(Thread { channel, ts }),
        _ => Err(SendError::Rejected { reason: "the reply has no Slack thread".to_owned() }),
    }
}
