//! The only door to models.
//!
//! A runtime asks for `agent/<name>`; the tenant comes from the runtime's identity and from nothing else. The agent's
//! chain of models is tried in order, every token is metered, and what goes wrong with a provider is reported on it.
//! Provider keys live here and leave only as a header to their provider.

mod admission;
mod allowance;
mod args;
mod background;
mod budget;
mod catalogue;
mod chain;
mod error;
mod health;
mod identity;
mod meter;
mod metrics;
mod pictures;
mod routes;
mod serve;

pub use args::{Args, run};
pub use error::Error;
pub use identity::{Identity, LocalTokens};
pub use serve::{Config, serve};
