//! Messages to one person, by their id or by their number.

use konstruct_domain::delivery::Contact;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::adapter::plain;
use super::api::Client;
use super::errors::Meaning;
use super::format;
use crate::json::text;
use crate::question::marked;
use crate::{Buttons, Question, SendError};

pub(super) const BUTTONS: Buttons = Buttons { most: 3, title_max: 20 };
/// Longest text above buttons.
const QUESTION_MAX: usize = 1_024;

/// From one number.
#[derive(Clone, Copy)]
pub(super) struct Sender<'a> {
    pub client: &'a Client,
    pub token: &'a SecretString,
    pub phone_number_id: &'a str,
}

impl Sender<'_> {
    /// By the person's id; by the number where Meta does not take ids. Returns the message's id.
    pub(super) async fn send(&self, contact: &Contact, mut message: Value) -> Result<String, Meaning> {
        message["messaging_product"] = json!("whatsapp");
        message["recipient_type"] = json!("individual");
        let answer = match (&contact.user_id, &contact.phone) {
            (Some(user_id), phone) => match (self.to("recipient", user_id, &message).await, phone) {
                (Err(Meaning::IdNotTaken), Some(phone)) => self.to("to", phone, &message).await?,
                (answer, _) => answer?,
            },
            (None, Some(phone)) => self.to("to", phone, &message).await?,
            (None, None) => {
                let reason = "neither the person's id nor their number is known".to_owned();
                return Err(Meaning::Failed(SendError::Rejected { reason }));
            }
        };
        text(&answer["messages"][0], "id")
            .map(str::to_owned)
            .ok_or_else(|| Meaning::Failed(SendError::InDoubt { reason: "the answer has no id".to_owned() }))
    }

    async fn to(&self, field: &str, address: &str, message: &Value) -> Result<Value, Meaning> {
        let mut message = message.clone();
        message[field] = json!(address);
        self.client.post(&format!("{}/messages", self.phone_number_id), self.token, &message).await
    }

    pub(super) async fn ask(&self, contact: &Contact, question: &Question<'_>) -> Result<String, SendError> {
        BUTTONS.fit(question)?;
        let body = format::rendered(question.text);
        let length = body.encode_utf16().count();
        if length > QUESTION_MAX {
            let reason =
                format!("a question has at most {QUESTION_MAX} characters in WhatsApp, not {length}");
            return Err(SendError::Rejected { reason });
        }
        let buttons = question.choices.iter().map(|choice| {
            json!({ "type": "reply", "reply": { "id": marked(choice.value), "title": choice.title } })
        });
        let interactive = json!({
            "type": "button", "body": { "text": body }, "action": { "buttons": buttons.collect::<Vec<_>>() },
        });
        let message = json!({ "type": "interactive", "interactive": interactive });
        self.send(contact, message).await.map_err(plain)
    }

    /// There is nobody else in the conversation.
    pub(super) async fn tell(&self, contact: &Contact, words: &str) -> Result<(), SendError> {
        let message = json!({ "type": "text", "text": { "body": words, "preview_url": false } });
        self.send(contact, message).await.map(drop).map_err(plain)
    }
}
