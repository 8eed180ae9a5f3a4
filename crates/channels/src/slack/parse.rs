//! From a delivery's bytes to a message for an employee.

use bytes::Bytes;
use konstruct_domain::message::{Addressing, Attachment, InboundMessage, ReplyTarget, TEXT_MAX, truncate};
use serde_json::Value;

use super::envelope::{Envelope, text};
use super::inbound_text;
use crate::Malformed;

/// What a delivery asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// Slack checks that this URL is ours: answer with the challenge.
    UrlVerification {
        challenge: String,
    },
    Message {
        account: String,
        message: Box<InboundMessage>,
    },
    /// Somebody pressed Stop in a thread.
    Stopped {
        account: String,
        channel: String,
        root: String,
    },
    /// Slack holds events back: the workspace had more than 30,000 within an hour.
    RateLimited {
        account: Option<String>,
    },
    /// The app was removed, or its bot token was taken back. The two come in any order.
    Revoked {
        account: String,
        event: String,
    },
    Ignored(Ignored),
}

/// Why nothing is done about a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ignored {
    /// Written by our own bot. Answering it would never end.
    Own,
    /// Written by another bot or by Slack itself.
    Bot,
    /// An edit, a deletion, somebody joining: nothing that was said.
    Subtype,
    /// Said in a channel, outside a thread, without a mention.
    NotAddressed,
    /// An event that this version has no use for.
    EventType,
    /// A field is missing that every message has.
    Incomplete,
}

impl Ignored {
    /// The `outcome` of metrics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "ignored_own",
            Self::Bot => "ignored_bot",
            Self::Subtype => "ignored_subtype",
            Self::NotAddressed => "ignored_not_addressed",
            Self::EventType => "ignored_event_type",
            Self::Incomplete => "ignored_incomplete",
        }
    }
}

/// Whether this is Slack's check of our certificate: a form, sent without a signature, that wants an empty 200.
pub fn is_ssl_check(content_type: Option<&[u8]>, body: &[u8]) -> bool {
    content_type.is_some_and(|value| value.starts_with(b"application/x-www-form-urlencoded"))
        && body.split(|byte| *byte == b'&').any(|pair| pair == b"ssl_check=1")
}

/// Reads a delivery that was verified.
pub(super) fn parse(body: &[u8]) -> Result<Delivery, Malformed> {
    let body: Value = serde_json::from_slice(body)?;
    let envelope = Envelope::of(&body);
    Ok(match envelope.kind {
        "url_verification" => match text(&body, "challenge") {
            Some(challenge) => Delivery::UrlVerification { challenge: challenge.to_owned() },
            None => Delivery::Ignored(Ignored::Incomplete),
        },
        "event_callback" => event(&envelope).unwrap_or_else(Delivery::Ignored),
        "app_rate_limited" => Delivery::RateLimited { account: envelope.account.map(str::to_owned) },
        _ => Delivery::Ignored(Ignored::EventType),
    })
}

fn event(envelope: &Envelope<'_>) -> Result<Delivery, Ignored> {
    let event = envelope.event;
    let kind = text(event, "type").ok_or(Ignored::Incomplete)?;
    match kind {
        "app_mention" | "message" => {}
        "app_uninstalled" | "tokens_revoked" => return revoked(envelope, kind),
        "agent_session_stopped" => return stopped(envelope),
        _ => return Err(Ignored::EventType),
    }
    refuse_bots(event, envelope.own_user)?;
    let said =
        matches!(text(event, "subtype"), None | Some("file_share" | "thread_broadcast" | "me_message"));
    if !said {
        return Err(Ignored::Subtype);
    }
    let (Some(account), Some(event_id), Some(author), Some(channel), Some(ts)) = (
        envelope.account.filter(is_id),
        envelope.event_id.filter(is_id),
        text(event, "user").filter(is_id),
        text(event, "channel").filter(is_id),
        text(event, "ts").filter(is_id),
    ) else {
        return Err(Ignored::Incomplete);
    };
    let markup = text(event, "text").unwrap_or("");
    let addressing = addressing(event, kind, channel, inbound_text::mentions(markup, envelope.own_user))?;
    let root = text(event, "thread_ts").filter(is_id).unwrap_or(ts);
    let message = InboundMessage {
        event_id: event_id.to_owned(),
        message_id: format!("{account}:{channel}:{ts}"),
        conversation_key: conversation_key(channel, root),
        author_id: author.to_owned(),
        text: said_text(event, markup, envelope.own_user),
        attachments: attachments(event),
        language: None,
        addressing,
        reply_to: ReplyTarget::new(
            "slack",
            [("channel", channel), ("thread_ts", root), ("user", author), ("team", team(event, account))],
        ),
        raw: Bytes::new(),
    };
    Ok(Delivery::Message { account: account.to_owned(), message: Box::new(message) })
}

/// A thread is a conversation.
pub(super) fn conversation_key(channel: &str, root: &str) -> String {
    format!("{channel}:{root}")
}

fn stopped(envelope: &Envelope<'_>) -> Result<Delivery, Ignored> {
    let field = |field| text(envelope.event, field).filter(is_id).map(str::to_owned);
    let account = envelope.account.filter(is_id).map(str::to_owned);
    match (account, field("channel"), field("thread_ts")) {
        (Some(account), Some(channel), Some(root)) => Ok(Delivery::Stopped { account, channel, root }),
        _ => Err(Ignored::Incomplete),
    }
}

/// The workspace of whoever wrote, which with Slack Connect is not that of the app.
fn team<'a>(event: &'a Value, account: &'a str) -> &'a str {
    let teams = ["user_team", "team"].into_iter().filter_map(|field| text(event, field).filter(is_id));
    teams.into_iter().next().unwrap_or(account)
}

/// A token that acts for a person is none of ours.
fn revoked(envelope: &Envelope<'_>, kind: &str) -> Result<Delivery, Ignored> {
    let tokens = &envelope.event["tokens"];
    if kind == "tokens_revoked" && tokens["bot"].as_array().is_none_or(Vec::is_empty) {
        return Err(Ignored::EventType);
    }
    let account = envelope.account.filter(is_id).ok_or(Ignored::Incomplete)?.to_owned();
    Ok(Delivery::Revoked { account, event: kind.to_owned() })
}

/// Ids become keys of rows, so they are short and printable, whoever signed the delivery.
pub(super) fn is_id(text: &&str) -> bool {
    text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn refuse_bots(event: &Value, own_user: Option<&str>) -> Result<(), Ignored> {
    let author = text(event, "user");
    if author.is_some() && author == own_user {
        return Err(Ignored::Own);
    }
    let by_bot = text(event, "bot_id").is_some() || event["bot_profile"].is_object();
    if by_bot || author == Some("USLACK") || text(event, "subtype") == Some("bot_message") {
        return Err(Ignored::Bot);
    }
    Ok(())
}

/// One mention arrives as two events, `app_mention` and `message`; whichever comes first must count.
fn addressing(event: &Value, kind: &str, channel: &str, mentioned: bool) -> Result<Addressing, Ignored> {
    let direct = match text(event, "channel_type") {
        Some(channel_type) => channel_type == "im",
        None => channel.starts_with('D'),
    };
    if kind == "app_mention" || direct || mentioned {
        Ok(Addressing::Addressed)
    } else if text(event, "thread_ts").is_some() {
        Ok(Addressing::FollowUp)
    } else {
        Err(Ignored::NotAddressed)
    }
}

fn said_text(event: &Value, markup: &str, own_user: Option<&str>) -> String {
    let mut said = inbound_text::plain(markup, own_user);
    if said.is_empty() && files(event).next().is_none() {
        "[mentioned you without writing anything]".clone_into(&mut said);
    }
    truncate(&said, TEXT_MAX).to_owned()
}

/// More than twenty files of one message are not looked at.
fn files(event: &Value) -> impl Iterator<Item = &Value> {
    event["files"].as_array().map_or(&[][..], Vec::as_slice).iter().filter(|file| file.is_object()).take(20)
}

fn attachments(event: &Value) -> Vec<Attachment> {
    let attachment = |file: &Value| {
        let url = text(file, "url_private_download").or_else(|| text(file, "url_private"));
        // Of another company's file in a shared channel only the id is told.
        let reference = url.or_else(|| text(file, "id").filter(is_id)).unwrap_or_default();
        Attachment {
            reference: truncate(reference, 2000).to_owned(),
            media_type: text(file, "mimetype").map(str::to_owned),
            name: text(file, "name")
                .or_else(|| text(file, "title"))
                .map(|name| truncate(name, 200).to_owned()),
            size: file["size"].as_u64(),
            sha256: None,
        }
    };
    files(event).map(attachment).collect()
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
