//! WhatsApp: webhooks in, Meta's Cloud API out.

mod adapter;
mod api;
mod errors;
mod format;
mod media;
mod parse;
mod person;
mod said;
mod send;
mod status;
mod verify;

pub use adapter::{BASE_URL, GRAPH_VERSION, Settings, WhatsApp};
