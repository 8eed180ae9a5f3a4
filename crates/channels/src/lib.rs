//! One folder per channel: how its deliveries are verified, read and answered.
//!
//! Each is an [`Adapter`]. `verify` and `parse` are pure functions over raw bytes, so that a gateway can refuse what is
//! not authentic before it looks inside. The others talk to the platform. Nothing here knows about tenants, databases
//! or queues.

mod adapter;
mod adapters;
mod download;
mod event;
mod failure;
mod history;
mod http_client;
mod json;
mod ledger;
mod line;
mod long;
mod markdown;
mod pace;
mod parts;
mod question;
mod settings;
mod signature;
pub mod slack;
mod split;
mod streaming;
pub mod telegram;
pub mod webchat;
pub mod whatsapp;

pub use adapter::{
    Account, AccountId, Adapter, Capabilities, File, Malformed, Markup, NotConnected, Polled, Received,
    Refused, Reply, Secrets, Typing,
};
pub use adapters::{Adapters, SetUp, Settings};
pub use event::{Action, Event};
pub use failure::{Failure, SendError};
pub use history::{History, Part, Place, Remembered};
pub use ledger::Ledger;
pub use line::{Heard, Line};
pub use question::{Buttons, Choice, Question};
pub use streaming::{Stream, Streaming};
