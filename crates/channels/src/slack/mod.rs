//! Slack: the Events API in, the Web API out.

mod adapter;
mod api;
mod content;
mod envelope;
mod files;
mod format;
mod history;
mod inbound_text;
mod interaction;
mod long_reply;
mod parse;
mod send;
mod socket;
mod status;
mod stream;
mod upload;
mod verify;

pub use adapter::{BASE_URL, Settings, Slack};
pub use api::{Client, Identity};
pub use parse::is_ssl_check;
pub use send::{METADATA_EVENT_TYPE, Reply, Shape};
pub use verify::{Refused, TOLERANCE_SECONDS, sign, verify};
