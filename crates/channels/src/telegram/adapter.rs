//! Telegram behind the interface of all channels.

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use konstruct_domain::delivery::Contact;
use konstruct_domain::message::{Attachment, ReplyTarget};
use konstruct_domain::snapshot::{ChannelSnapshot, SecretField, TelegramMode, TelegramSnapshot};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::api::Client;
use super::buttons::BUTTONS;
use super::send::Errand;
use super::{format, parse};
use crate::download::Downloads;
use crate::json::text;
use crate::pace::Pace;
use crate::signature::{hmac_sha256, same};
use crate::{
    Account, Adapter, Capabilities, Event, Failure, File, Ledger, Malformed, Markup, NotConnected, Polled,
    Question, Received, Refused, Reply, Secrets, SendError, SetUp, Typing,
};

pub const BASE_URL: &str = "https://api.telegram.org";
/// Where it has its files.
const FILES: &str = "api.telegram.org";

/// What deliveries are wanted; others would only be ignored.
const UPDATES: [&str; 2] = ["message", "callback_query"];
/// How long Telegram holds a question open when there is nothing.
const POLL: Duration = Duration::from_secs(25);
const POLL_TIMEOUT: Duration = Duration::from_secs(35);
const POLL_MAX: usize = 100;

#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// Telegram's Bot API.
    #[arg(long = "telegram-base-url", env = "KONSTRUCT_TELEGRAM_BASE_URL", default_value = BASE_URL, id = "telegram_base_url")]
    pub base_url: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { base_url: BASE_URL.to_owned() }
    }
}

pub struct Telegram {
    pub(super) client: Client,
    files: Downloads,
    pace: Pace,
}

/// What Telegram sends along with each delivery. Made from the token, so that there is nothing else to be stored, and
/// a new token makes a new one.
fn webhook_secret(token: &SecretString) -> Option<String> {
    hmac_sha256(token, &[b"konstruct telegram webhook"])
}

fn bot(channel: &ChannelSnapshot) -> Option<&TelegramSnapshot> {
    match channel {
        ChannelSnapshot::Telegram(bot) => Some(bot),
        _ => None,
    }
}

fn require<'a>(account: &Account<'a>) -> Result<(&'a TelegramSnapshot, &'a SecretString), SendError> {
    let bot = bot(&account.connection.channel).ok_or_else(|| SendError::Rejected {
        reason: "the ChannelConnection is not for Telegram any more".to_owned(),
    })?;
    Ok((bot, account.secrets.require(SecretField::TelegramBotToken)?))
}

impl Telegram {
    pub(crate) fn new(http: reqwest::Client, settings: &Settings) -> Result<Self, SetUp> {
        let files = Downloads::new(&settings.base_url, BASE_URL, &[FILES])?;
        Ok(Self { client: Client::new(http, &settings.base_url), files, pace: Pace::default() })
    }

    async fn set_up(&self, account: &Account<'_>, webhook_url: Option<&str>) -> Result<(), NotConnected> {
        let (bot, token) = require(account)?;
        let me = self.call("getMe", token, &json!({})).await?;
        let username = text(&me, "username").unwrap_or_default();
        if !username.eq_ignore_ascii_case(&bot.bot_username) {
            return Err(NotConnected::Mismatch(format!(
                "the token is that of the bot {username:?} and spec.telegram.botUsername is {:?}: use the token of that bot",
                bot.bot_username
            )));
        }
        match (bot.mode, webhook_url) {
            (TelegramMode::Polling, _) => {
                self.call("deleteWebhook", token, &json!({ "drop_pending_updates": false })).await?;
            }
            (TelegramMode::Webhook, Some(url)) => {
                let secret = webhook_secret(token);
                let arguments = json!({ "url": url, "secret_token": secret, "allowed_updates": UPDATES });
                self.call("setWebhook", token, &arguments).await?;
            }
            (TelegramMode::Webhook, None) => {
                return Err(NotConnected::Mismatch(
                    "Telegram cannot be told where deliveries go: start the gateway with --public-address, or set \
                     spec.telegram.mode to Polling"
                        .to_owned(),
                ));
            }
        }
        Ok(())
    }

    /// A call that sends nothing: that its outcome is unknown does no harm.
    pub(super) async fn call(
        &self,
        method: &str,
        token: &SecretString,
        arguments: &Value,
    ) -> Result<Value, SendError> {
        let called = self.client.call(method, token, arguments).await.map_err(SendError::from);
        called.map_err(SendError::undelivered)
    }

    async fn ask(&self, account: &Account<'_>, after: Option<i64>) -> Result<Polled, SendError> {
        let (_, token) = require(account)?;
        let arguments = json!({
            "offset": after, "timeout": POLL.as_secs(), "limit": POLL_MAX, "allowed_updates": UPDATES,
        });
        let updates = self.client.call_within(Some(POLL_TIMEOUT), "getUpdates", token, &arguments).await?;
        let updates = updates.as_array().map_or(&[][..], Vec::as_slice);
        let last = updates.iter().filter_map(|update| update["update_id"].as_i64()).max();
        Ok(Polled {
            deliveries: updates.iter().map(|update| update.to_string().into()).collect(),
            after: last.map(|last| last + 1).or(after),
        })
    }
}

impl Adapter for Telegram {
    fn name(&self) -> &'static str {
        "telegram"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            text_max: format::TEXT_MAX,
            messages_max: Some(format::MESSAGES_MAX),
            markup: Markup::Own,
            buttons: Some(BUTTONS),
            streaming: false,
            files: true,
            typing: Some(Typing { lasts: Duration::from_secs(5), each_message: false }),
            reply_window: None,
        }
    }

    fn verify(&self, received: &Received<'_>, secrets: &Secrets) -> Result<(), Refused> {
        const REMEDY: &str =
            "let the gateway set the webhook: it does when the connection is changed or loaded";
        let given = received
            .header("x-telegram-bot-api-secret-token")
            .ok_or_else(|| Refused::new("the header X-Telegram-Bot-Api-Secret-Token is missing", REMEDY))?;
        let expected = secrets.get(SecretField::TelegramBotToken).and_then(webhook_secret);
        if expected.is_some_and(|expected| same(&expected, given)) {
            Ok(())
        } else {
            Err(Refused::new("the secret token is another one", REMEDY))
        }
    }

    fn parse(&self, body: &Bytes, channel: Option<&ChannelSnapshot>) -> Result<Vec<Event>, Malformed> {
        let Some(bot) = channel.and_then(bot) else { return Ok(vec![Event::Ignored("wrong_account")]) };
        Ok(vec![parse::parse(body, &bot.bot_username)?])
    }

    fn connect<'a>(
        &'a self,
        account: &'a Account<'a>,
        webhook_url: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), NotConnected>> {
        Box::pin(self.set_up(account, webhook_url))
    }

    fn advice(&self, reason: &str) -> String {
        format!(
            "Telegram refuses the bot token ({reason}): take the token that @BotFather shows for the bot, and put it into \
             the Secret that spec.telegram.botTokenRef names"
        )
    }

    fn send<'a>(
        &'a self,
        account: &'a Account<'a>,
        reply: &'a Reply<'a>,
        ledger: &'a dyn Ledger,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        Box::pin(async move {
            let (bot, token) = require(account)?;
            let chat = reply
                .target
                .get("chat")
                .ok_or_else(|| SendError::Rejected { reason: "the reply has no Telegram chat".to_owned() })?;
            let (client, pace) = (&self.client, &self.pace);
            Errand { client, pace, token, bot: &bot.bot_username, reply, chat }.send(ledger).await
        })
    }

    fn ask<'a>(
        &'a self,
        account: &'a Account<'a>,
        target: &'a ReplyTarget,
        _contact: Option<&'a Contact>,
        question: &'a Question<'a>,
    ) -> BoxFuture<'a, Result<String, SendError>> {
        Box::pin(async move { self.put_question(require(account)?.1, target, question).await })
    }

    fn answered<'a>(
        &'a self,
        account: &'a Account<'a>,
        place: &'a ReplyTarget,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move { self.remove_keyboard(require(account)?.1, place).await })
    }

    fn whisper<'a>(
        &'a self,
        account: &'a Account<'a>,
        target: &'a ReplyTarget,
        person: &'a str,
        text: &'a str,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move { self.answer_press(require(account)?.1, target, person, text).await })
    }

    fn typing<'a>(
        &'a self,
        account: &'a Account<'a>,
        target: &'a ReplyTarget,
        message_id: &'a str,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let (_, token) = require(account)?;
            if let Some(query) = message_id.strip_prefix(parse::PRESSED) {
                // The button stops to blink.
                self.call("answerCallbackQuery", token, &json!({ "callback_query_id": query })).await?;
            }
            let mut arguments = json!({ "chat_id": target.get("chat"), "action": "typing" });
            if let Some(thread) = target.get("thread").and_then(|thread| thread.parse::<i64>().ok()) {
                arguments["message_thread_id"] = json!(thread);
            }
            self.call("sendChatAction", token, &arguments).await.map(drop)
        })
    }

    fn fetch<'a>(
        &'a self,
        account: &'a Account<'a>,
        attachment: &'a Attachment,
        max: u64,
    ) -> BoxFuture<'a, Result<File, SendError>> {
        Box::pin(async move {
            let (_, token) = require(account)?;
            self.client.fetch(&self.files, token, attachment, max).await
        })
    }

    fn polls(&self, channel: &ChannelSnapshot) -> bool {
        bot(channel).is_some_and(|bot| bot.mode == TelegramMode::Polling)
    }

    fn poll<'a>(
        &'a self,
        account: &'a Account<'a>,
        after: Option<i64>,
    ) -> BoxFuture<'a, Result<Polled, SendError>> {
        Box::pin(self.ask(account, after))
    }
}
