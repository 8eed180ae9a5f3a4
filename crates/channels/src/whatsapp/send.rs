//! A reply on its way to a person's phone, visible once.
//!
//! Meta cannot be asked what it has taken. Each message carries the reply's id, which comes back with every report about
//! it: after a crash or an unclear answer nothing is sent until such a report has come, or never.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use konstruct_domain::delivery::{Contact, ReplyPart};
use konstruct_domain::snapshot::{TemplateParameter, TemplatePlace, WhatsAppSnapshot, WhatsAppTemplate};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::api::Client;
use super::errors::Meaning;
use super::person::Sender;
use super::{format, status};
use crate::json::text;
use crate::long::{self, FILE_PART};
use crate::pace::{Pace, Rate};
use crate::parts::{self, Doubt};
use crate::{Failure, Ledger, Reply, SendError};

/// Meta takes eighty messages a second from a business phone number.
const NUMBER: Rate = Rate { every: Duration::from_millis(14), burst: 10 };
/// And one in six seconds to one person, with some at once: a chat needs that, and Meta lends it.
const PAIR: Rate = Rate { every: Duration::from_secs(6), burst: 3 };

/// Reports come within seconds; after an outage of ours Meta repeats them with growing pauses.
/// How often to look whether a report has come.
const LOOK: Duration = Duration::from_secs(20);

/// How long a reply waits before it is looked whether the person has written. Their message makes it due at once.
const WAIT_FOR_PERSON: Duration = Duration::from_hours(1);
/// The part under which the ledger has the template that asks the person to write.
const TEMPLATE_PART: u16 = 30_000;

/// One reply to one person.
pub(super) struct Errand<'a> {
    pub client: &'a Client,
    pub pace: &'a Pace,
    /// Reports that come at all come within this time.
    pub report_within: Duration,
    pub token: &'a SecretString,
    pub number: &'a WhatsAppSnapshot,
    pub reply: &'a Reply<'a>,
    pub contact: Contact,
}

impl Errand<'_> {
    pub(super) async fn send(&self, ledger: &dyn Ledger) -> Result<Option<String>, Failure> {
        let texts = format::parts(self.reply.text);
        if self.window_is_closed() {
            return self.outside_window(ledger).await;
        }
        let doubt = Doubt { within: self.report_within, look: LOOK };
        if texts.len() > format::MESSAGES_MAX
            && let Some(sent) = self.send_file(ledger, doubt).await?
        {
            return Ok(Some(sent));
        }
        let send_part = |index: usize| {
            let part = u16::try_from(index).unwrap_or(u16::MAX);
            let message = json!({ "type": "text", "text": { "body": texts[index], "preview_url": false } });
            Box::pin(async move { self.post(part, message).await }) as _
        };
        let sent = parts::send(ledger, texts.len(), doubt, &|| self.may_leave(), &send_part).await;
        match sent {
            Err(Failure { error: SendError::Rejected { reason }, .. }) if reason == WINDOW_CLOSED => {
                self.outside_window(ledger).await
            }
            other => other,
        }
    }

    /// None: messages have to do.
    async fn send_file(&self, ledger: &dyn Ledger, doubt: Doubt) -> Result<Option<String>, Failure> {
        let sending = Box::pin(async {
            let media = self.lay_down().await?;
            let caption = format::caption(self.reply.text);
            let document = json!({ "id": media, "filename": long::NAME, "caption": caption });
            let message = json!({ "type": "document", "document": document });
            parts::one(ledger, FILE_PART, Box::pin(self.post(FILE_PART, message))).await
        });
        long::send(ledger, doubt, self.reply.attempt, &|| self.may_leave(), sending).await
    }

    /// Returns Meta's id of the whole answer as a file, which is good for 30 days.
    async fn lay_down(&self) -> Result<String, SendError> {
        let answer = self.client.upload(self.number_scope(), self.token, self.reply.text).await;
        let answer = answer.map_err(|meaning| self.learn(meaning).undelivered())?;
        let id = text(&answer, "id").map(str::to_owned);
        id.ok_or_else(|| SendError::Rejected { reason: "WhatsApp names no id of the file".to_owned() })
    }

    fn window_is_closed(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.contact.window_until.is_some_and(|until| until.unsigned_abs() < now)
    }

    /// Asks the person to write, once, and keeps the reply until they do.
    async fn outside_window(&self, ledger: &dyn Ledger) -> Result<Option<String>, Failure> {
        let Some(template) = &self.number.template else {
            let reason = "the person wrote more than 24 hours ago, after which WhatsApp takes templates only, and \
                          spec.whatsApp.template names none";
            return Err(SendError::Rejected { reason: reason.to_owned() }.into());
        };
        let known = ledger.parts().await?;
        if !known.iter().any(|known| known.part == TEMPLATE_PART) {
            self.may_leave()?;
            let message = json!({ "type": "template", "template": filled(template) });
            ledger.begin(TEMPLATE_PART).await?;
            match self.post(TEMPLATE_PART, message).await {
                Ok(message_id) => ledger.taken(TEMPLATE_PART, &message_id).await?,
                // A second invitation would be worse than none.
                Err(SendError::InDoubt { .. }) => {}
                Err(error) => {
                    ledger.not_taken(TEMPLATE_PART).await?;
                    return Err(about_template(error).into());
                }
            }
        }
        Err(SendError::RetryAfter { after: WAIT_FOR_PERSON }.into())
    }

    fn may_leave(&self) -> Result<(), SendError> {
        let pair = format!("{}/{}", self.number_scope(), self.contact.key);
        let wanted = [(self.number_scope(), NUMBER), (pair.as_str(), PAIR)];
        self.pace.take(&wanted).map_err(|after| SendError::RetryAfter { after })
    }

    fn number_scope(&self) -> &str {
        &self.number.phone_number_id
    }

    async fn post(&self, part: u16, mut message: Value) -> Result<String, SendError> {
        let of = ReplyPart { reply: self.reply.id, part };
        message["biz_opaque_callback_data"] = json!(status::callback_data(of));
        let sender =
            Sender { client: self.client, token: self.token, phone_number_id: &self.number.phone_number_id };
        let sent = sender.send(&self.contact, message).await.map_err(|meaning| self.learn(meaning))?;
        self.pace.worked(self.number_scope());
        Ok(sent)
    }

    fn learn(&self, meaning: Meaning) -> SendError {
        match meaning {
            Meaning::Pause => SendError::RetryAfter { after: self.pace.pause(self.number_scope(), None) },
            Meaning::WindowClosed => SendError::Rejected { reason: WINDOW_CLOSED.to_owned() },
            other => super::adapter::plain(other),
        }
    }
}

/// Says where the mistake is put right, for somebody to read who looks at the dead letter.
fn about_template(error: SendError) -> SendError {
    match error {
        SendError::Rejected { reason } => {
            SendError::Rejected { reason: format!("{reason}; see spec.whatsApp.template") }
        }
        error => error,
    }
}

/// A template with what its variables are filled with.
fn filled(template: &WhatsAppTemplate) -> Value {
    let mut filled = json!({ "name": template.name, "language": { "code": template.language } });
    let component = |place: TemplatePlace| {
        let of_place = template.parameters.iter().filter(|parameter| parameter.place == place);
        let parameters: Vec<_> = of_place.map(parameter).collect();
        (!parameters.is_empty()).then(|| json!({ "type": place.as_str(), "parameters": parameters }))
    };
    let components: Vec<_> = TemplatePlace::ALL.into_iter().filter_map(component).collect();
    if !components.is_empty() {
        filled["components"] = json!(components);
    }
    filled
}

fn parameter(parameter: &TemplateParameter) -> Value {
    let mut filled = json!({ "type": "text", "text": parameter.text });
    if let Some(name) = &parameter.name {
        filled["parameter_name"] = json!(name);
    }
    filled
}

/// Between the call and the errand that it belongs to; nobody else sees it.
const WINDOW_CLOSED: &str = "the 24-hour window has closed";
