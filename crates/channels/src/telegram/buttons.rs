//! Questions with an inline keyboard, and what becomes of a press.

use konstruct_domain::message::ReplyTarget;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::adapter::Telegram;
use super::format;
use crate::question::marked;
use crate::{Buttons, Question, SendError};

/// As many as fit on a screen.
pub(super) const BUTTONS: Buttons = Buttons { most: 8, title_max: 64 };
/// Longest value of a button, in bytes.
const DATA_MAX: usize = 64;
/// Longest text that a press is answered with.
const ANSWER_MAX: usize = 200;

/// The parts of a press's place: which press, and below which message.
pub(super) const QUERY: &str = "query";
pub(super) const BELOW: &str = "below";

impl Telegram {
    pub(super) async fn put_question(
        &self,
        token: &SecretString,
        target: &ReplyTarget,
        question: &Question<'_>,
    ) -> Result<String, SendError> {
        BUTTONS.fit(question)?;
        let rows = question.choices.iter().map(|choice| {
            let data = marked(choice.value);
            if data.len() > DATA_MAX {
                let reason = format!("a button's value has at most {DATA_MAX} bytes, not {}", data.len());
                return Err(SendError::Rejected { reason });
            }
            Ok(json!([{ "text": choice.title, "callback_data": data }]))
        });
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        let parts = format::parts(question.text);
        let [part] = &parts[..] else {
            return Err(SendError::Rejected { reason: "a question has to fit into one message".to_owned() });
        };
        let mut message = json!({
            "chat_id": target.get("chat"), "text": part.html, "parse_mode": "HTML",
            "link_preview_options": { "is_disabled": true }, "reply_markup": { "inline_keyboard": rows },
        });
        if let Some(thread) = target.get("thread").and_then(|thread| thread.parse::<i64>().ok()) {
            message["message_thread_id"] = json!(thread);
        }
        let sent = self.client.call("sendMessage", token, &message).await.map_err(SendError::from)?;
        let message_id = sent["message_id"].as_i64().map(|id| id.to_string());
        message_id.ok_or_else(|| SendError::InDoubt { reason: "the answer has no message_id".to_owned() })
    }

    /// Above the chat, where only who pressed sees it. For that Telegram takes an answer within minutes only; in a
    /// private chat a message is as good.
    pub(super) async fn answer_press(
        &self,
        token: &SecretString,
        place: &ReplyTarget,
        person: &str,
        text: &str,
    ) -> Result<(), SendError> {
        let query = place.get(QUERY).ok_or_else(|| SendError::Rejected {
            reason: "in Telegram a person can be told something alone only when they press a button"
                .to_owned(),
        })?;
        let text = konstruct_domain::message::truncate(text, ANSWER_MAX);
        let answer = json!({ "callback_query_id": query, "text": text, "show_alert": true });
        match self.call("answerCallbackQuery", token, &answer).await {
            Err(SendError::Rejected { .. }) if place.get("chat") == Some(person) => {
                let message = json!({ "chat_id": person, "text": text });
                self.call("sendMessage", token, &message).await.map(drop)
            }
            answered => answered.map(drop),
        }
    }

    pub(super) async fn remove_keyboard(
        &self,
        token: &SecretString,
        place: &ReplyTarget,
    ) -> Result<(), SendError> {
        let Some(below) = place.get(BELOW).and_then(|id| id.parse::<i64>().ok()) else { return Ok(()) };
        let message: Value = json!({ "chat_id": place.get("chat"), "message_id": below });
        self.call("editMessageReplyMarkup", token, &message).await.map(drop)
    }
}
