//! Reports about messages that we have sent.

use konstruct_domain::delivery::{DeliveryStatus, Progress, ReplyPart};
use konstruct_domain::ids::ReplyId;
use serde_json::Value;
use uuid::Uuid;

use super::errors;
use crate::json::{id, list, printable, text};
use crate::{AccountId, Event};

/// What Meta charges when it takes the business for a general assistant.
const FORBIDDEN_CATEGORY: &str = "general_purpose_ai";

/// Longer than any real one; what is longer is not kept.
const PRICING_MAX: usize = 2_000;

pub(super) fn read(account: &AccountId, report: &Value, events: &mut Vec<Event>) {
    let progress = match text(report, "status") {
        Some("sent") => Progress::Sent,
        Some("delivered") => Progress::Delivered,
        // A voice message that was played was also read.
        Some("read" | "played") => Progress::Read,
        Some("failed") => Progress::Failed,
        _ => return events.push(Event::Ignored("ignored_status")),
    };
    let Some(message_id) = id(report, "id") else {
        return events.push(Event::Ignored("ignored_incomplete"));
    };
    let error = list(report, "errors").first();
    let pricing = Some(&report["pricing"]).filter(|pricing| pricing.is_object());
    let status = DeliveryStatus {
        message_id: message_id.to_owned(),
        progress,
        at: text(report, "timestamp").and_then(|seconds| seconds.parse().ok()),
        part: text(report, "biz_opaque_callback_data").and_then(part_of),
        pricing: pricing.filter(|pricing| pricing.to_string().len() <= PRICING_MAX).cloned(),
        failure: error.map(describe),
    };
    events.push(Event::Status { account: account.clone(), status });
    let restricted = |reason: String| Event::Restricted { account: account.clone(), reason };
    if pricing.and_then(|pricing| text(pricing, "category")) == Some(FORBIDDEN_CATEGORY) {
        events.push(restricted(format!(
            "WhatsApp charges a message in the category {FORBIDDEN_CATEGORY}: it takes this business for a general assistant, \
             which its terms restrict"
        )));
    }
    if let Some(error) =
        error.filter(|error| error["code"].as_i64().is_some_and(errors::is_about_the_account))
    {
        events.push(restricted(describe(error)));
    }
}

fn describe(error: &Value) -> String {
    let code = error["code"].as_i64().unwrap_or_default();
    let title = text(error, "title").or_else(|| text(error, "message")).unwrap_or("no reason given");
    match text(&error["error_data"], "details") {
        Some(details) => printable(&format!("WhatsApp error {code}: {title} ({details})")),
        None => printable(&format!("WhatsApp error {code}: {title}")),
    }
}

/// What is sent along with each message, and comes back with each report.
pub(super) fn callback_data(part: ReplyPart) -> String {
    format!("{}/{}", part.reply, part.part)
}

fn part_of(data: &str) -> Option<ReplyPart> {
    let (reply, part) = data.split_once('/')?;
    Some(ReplyPart { reply: ReplyId::new(Uuid::try_parse(reply).ok()?), part: part.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_along_is_read_back() {
        let part = ReplyPart { reply: ReplyId::new(Uuid::from_u128(7)), part: 3 };
        assert_eq!(part_of(&callback_data(part)), Some(part));
        for foreign in ["", "x", "7/3", "00000000-0000-0000-0000-000000000007/x", "order-17"] {
            assert_eq!(part_of(foreign), None, "{foreign}");
        }
    }
}
