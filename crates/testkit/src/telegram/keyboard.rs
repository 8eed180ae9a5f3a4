//! Inline keyboards, and what becomes of a press.

use serde_json::{Map, Value};

use super::methods::{Answer, Refusal, bad, number};
use super::state::{Bot, Inner};

const DATA_BYTES_MAX: usize = 64;
const ANSWER_MAX: usize = 200;

/// A button has a text and stands for one thing.
pub(super) fn check(markup: &Value) -> Result<(), Refusal> {
    let rows = markup["inline_keyboard"].as_array().map_or(&[][..], Vec::as_slice);
    for button in rows.iter().flat_map(|row| row.as_array().map_or(&[][..], Vec::as_slice)) {
        if button["text"].as_str().is_none_or(str::is_empty) {
            return Err(bad("text buttons are unallowed in the inline keyboard"));
        }
        let data = button["callback_data"].as_str();
        if data.is_none_or(|data| data.is_empty() || data.len() > DATA_BYTES_MAX) && button["url"].is_null() {
            return Err(bad("BUTTON_DATA_INVALID"));
        }
    }
    Ok(())
}

/// Takes the keyboard away, or puts another one there.
pub(super) fn edit(
    state: &mut Inner,
    bot: &Bot,
    arguments: &Map<String, Value>,
    markup: Option<Value>,
) -> Answer {
    let of = |name: &str| arguments.get(name).and_then(number);
    let (chat_id, message_id) = (of("chat_id"), of("message_id"));
    let found = state.sent.iter_mut().find(|sent| {
        sent.bot == bot.username && Some(sent.chat_id) == chat_id && Some(sent.message_id) == message_id
    });
    let sent = found.ok_or_else(|| bad("message to edit not found"))?;
    if sent.reply_markup == markup {
        return Err(bad(
            "message is not modified: specified new message content and reply markup are exactly the same",
        ));
    }
    sent.reply_markup = markup;
    Ok(Value::Bool(true))
}

/// A press is answered once, and not for long.
pub(super) fn answer(state: &mut Inner, arguments: &Map<String, Value>) -> Answer {
    let text = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("text").chars().count() > ANSWER_MAX {
        return Err(bad("MESSAGE_TOO_LONG"));
    }
    let query = text("callback_query_id");
    let Some(person) = state.presses.remove(query) else {
        return Err(bad("query is too old and response timeout expired or query ID is invalid"));
    };
    state.answered.push((person, text("text").to_owned()));
    Ok(Value::Bool(true))
}
