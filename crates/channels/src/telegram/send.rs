//! A reply on its way to a chat, visible once.
//!
//! Telegram can neither be asked what it has taken nor be told to take something only once. A part whose fate is not
//! known is not sent again: the reply becomes a dead letter that says so.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};

use super::api::{Client, Refusal};
use super::format::{self, Part};
use crate::long::{self, FILE_PART};
use crate::pace::{Pace, Rate};
use crate::parts::{self, Doubt};
use crate::{Failure, Ledger, Reply, SendError};

/// Over all chats of a bot: thirty a second.
const BOT: Rate = Rate { every: Duration::from_millis(42), burst: 6 };
const CHAT: Rate = Rate { every: Duration::from_secs(1), burst: 2 };
/// Twenty a minute.
const GROUP: Rate = Rate { every: Duration::from_secs(3), burst: 5 };

/// No report will ever come.
const DOUBT: Doubt = Doubt { within: Duration::ZERO, look: Duration::ZERO };

/// One reply to one chat.
pub(super) struct Errand<'a> {
    pub client: &'a Client,
    pub pace: &'a Pace,
    pub token: &'a SecretString,
    pub bot: &'a str,
    pub reply: &'a Reply<'a>,
    pub chat: &'a str,
}

impl Errand<'_> {
    pub(super) async fn send(&self, ledger: &dyn Ledger) -> Result<Option<String>, Failure> {
        let texts = format::parts(self.reply.text);
        if texts.len() > format::MESSAGES_MAX
            && let Some(sent) = self.send_file(ledger).await?
        {
            return Ok(Some(sent));
        }
        let send_part = |index: usize| {
            let part = &texts[index];
            Box::pin(async move { self.post(part, None, index == 0).await }) as _
        };
        parts::send(ledger, texts.len(), DOUBT, &|| self.may_leave(), &send_part).await
    }

    /// None: messages have to do.
    async fn send_file(&self, ledger: &dyn Ledger) -> Result<Option<String>, Failure> {
        let caption = format::caption(self.reply.text);
        let posting = Box::pin(self.post(&caption, Some(self.reply.text), true));
        let sending = Box::pin(parts::one(ledger, FILE_PART, posting));
        long::send(ledger, DOUBT, self.reply.attempt, &|| self.may_leave(), sending).await
    }

    fn scope(&self) -> String {
        format!("{}/{}", self.bot, self.chat)
    }

    fn may_leave(&self) -> Result<(), SendError> {
        let is_group = self.chat.starts_with('-');
        let scope = self.scope();
        let wanted = [(self.bot, BOT), (scope.as_str(), if is_group { GROUP } else { CHAT })];
        self.pace.take(&wanted).map_err(|after| SendError::RetryAfter { after })
    }

    /// As HTML; as it is when Telegram cannot read that. A refusal is certain: nothing was taken before the next try.
    /// With a document the part stands below it.
    async fn post(&self, part: &Part, document: Option<&str>, first: bool) -> Result<String, SendError> {
        let html = Some(part.html.as_str()).filter(|html| !html.is_empty());
        let is_caption = document.is_some();
        let mut message = self.message(html.unwrap_or(&part.plain), html.is_some(), is_caption, first);
        let mut answer = self.call(&message, document).await;
        if answer == Err(Refusal::Markup) {
            message = self.message(&part.plain, false, is_caption, first);
            answer = self.call(&message, document).await;
        }
        if let Err(Refusal::Moved { chat }) = &answer {
            message["chat_id"] = json!(chat);
            answer = self.call(&message, document).await;
        }
        let sent = answer.map_err(|refusal| self.learn(refusal))?;
        self.pace.worked(&self.scope());
        let message_id = sent["message_id"].as_i64();
        message_id
            .map(|id| id.to_string())
            .ok_or_else(|| SendError::InDoubt { reason: "the answer has no message_id".to_owned() })
    }

    async fn call(&self, message: &Value, document: Option<&str>) -> Result<Value, Refusal> {
        match document {
            None => self.client.call("sendMessage", self.token, message).await,
            Some(document) => {
                self.client.call_with_document("sendDocument", self.token, message, document).await
            }
        }
    }

    fn message(&self, text: &str, is_html: bool, is_caption: bool, first: bool) -> Value {
        let mut message = if is_caption {
            json!({ "chat_id": self.chat, "caption": text })
        } else {
            json!({ "chat_id": self.chat, "text": text, "link_preview_options": { "is_disabled": true } })
        };
        if is_html {
            message["parse_mode"] = json!("HTML");
        }
        if let Some(thread) = number(self.reply, "thread") {
            message["message_thread_id"] = json!(thread);
        }
        if let Some(answers) = number(self.reply, "answers").filter(|_| first) {
            message["reply_parameters"] =
                json!({ "message_id": answers, "allow_sending_without_reply": true });
        }
        message
    }

    fn learn(&self, refusal: Refusal) -> SendError {
        let error = SendError::from(refusal);
        if let SendError::RetryAfter { after } = error {
            self.pace.pause(&self.scope(), Some(after));
        }
        error
    }
}

fn number(reply: &Reply<'_>, part: &str) -> Option<i64> {
    reply.target.get(part)?.parse().ok()
}
