//! Slack: the Events API in, the Web API out.

mod api;
mod envelope;
mod format;
mod inbound_text;
mod parse;
mod send;
mod verify;

pub use api::{Client, Identity, SetUp};
pub use parse::{Delivery, Ignored, MalformedBody, is_ssl_check, parse};
pub use send::{METADATA_EVENT_TYPE, Reply};
pub use verify::{Refused, TOLERANCE_SECONDS, sign, verify};
