//! Deliveries as Meta sends them: complete, and signed with the app's secret.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

use super::state::{Number, SentMessage};
use crate::slack::seconds_now;

/// A Meta app, as far as its deliveries show it.
#[derive(Clone, Debug)]
pub struct MetaApp {
    pub app_secret: String,
    pub phone_number_id: String,
    pub waba_id: String,
}

/// A delivery, ready to be posted.
#[derive(Clone, Debug)]
pub struct SignedBody {
    /// The header X-Hub-Signature-256.
    pub signature: String,
    pub body: Vec<u8>,
}

impl MetaApp {
    pub fn new(number: &Number, app_secret: &str) -> Self {
        Self {
            app_secret: app_secret.to_owned(),
            phone_number_id: number.phone_number_id.clone(),
            waba_id: number.waba_id.clone(),
        }
    }

    /// A text of a person with an id and a number.
    pub fn message(&self, user_id: &str, phone: &str, text: &str) -> Value {
        self.delivery(&[self.message_change(user_id, phone, text)])
    }

    pub fn message_change(&self, user_id: &str, phone: &str, text: &str) -> Value {
        let contact = json!({ "profile": { "name": "Ada" }, "wa_id": phone, "user_id": user_id });
        let message = json!({
            "from": phone, "id": format!("wamid.{}", Uuid::new_v4().simple()),
            "timestamp": seconds_now().to_string(), "type": "text", "text": { "body": text },
        });
        self.change("messages", json!({ "contacts": [contact], "messages": [message] }))
    }

    /// A file of a person. `kind` is Meta's word for it, such as `image`; what is in `body` beside the id is the file's.
    pub fn file(&self, user_id: &str, phone: &str, kind: &str, id: &str, body: &Value) -> Value {
        let mut change = self.message_change(user_id, phone, "");
        let message = &mut change["value"]["messages"][0];
        message["type"] = json!(kind);
        message[kind] = body.clone();
        message[kind]["id"] = json!(id);
        if let Some(fields) = message.as_object_mut() {
            fields.remove("text");
        }
        self.delivery(&[change])
    }

    /// A person presses a reply button.
    pub fn pressed(&self, user_id: &str, phone: &str, id: &str, title: &str) -> Value {
        let mut change = self.message_change(user_id, phone, "");
        let message = &mut change["value"]["messages"][0];
        message["type"] = json!("interactive");
        message["interactive"] =
            json!({ "type": "button_reply", "button_reply": { "id": id, "title": title } });
        message["context"] = json!({ "from": "15550001111", "id": "wamid.asked" });
        if let Some(fields) = message.as_object_mut() {
            fields.remove("text");
        }
        self.delivery(&[change])
    }

    /// A report, as `WhatsAppDouble::report` makes it.
    pub fn status(&self, report: &Value) -> Value {
        self.delivery(&[self.change("messages", json!({ "statuses": [report] }))])
    }

    pub fn change(&self, field: &str, mut value: Value) -> Value {
        value["messaging_product"] = json!("whatsapp");
        value["metadata"] =
            json!({ "display_phone_number": "15550001111", "phone_number_id": self.phone_number_id });
        json!({ "field": field, "value": value })
    }

    pub fn delivery(&self, changes: &[Value]) -> Value {
        json!({ "object": "whatsapp_business_account", "entry": [{ "id": self.waba_id, "changes": changes }] })
    }

    pub fn sign(&self, body: &Value) -> SignedBody {
        self.sign_bytes(body.to_string().into_bytes())
    }

    pub fn sign_bytes(&self, body: Vec<u8>) -> SignedBody {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.app_secret.as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(&body);
        SignedBody { signature: format!("sha256={}", hex::encode(mac.finalize().into_bytes())), body }
    }
}

pub(super) fn report(message: &SentMessage, status: &str) -> Value {
    let mut report = json!({
        "id": message.id, "status": status, "timestamp": seconds_now().to_string(),
        "recipient_id": message.recipient,
        "pricing": { "billable": true, "pricing_model": "PMP", "type": "regular", "category": "service" },
    });
    if let Some(data) = &message.callback_data {
        report["biz_opaque_callback_data"] = json!(data);
    }
    report
}
