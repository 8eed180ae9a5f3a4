//! Telegram: the Bot API, with deliveries by webhook or by asking for them.

mod adapter;
mod api;
mod buttons;
mod files;
mod format;
mod parse;
mod said;
mod send;

pub use adapter::{BASE_URL, Settings, Telegram};
