//! The only public door for channels.
//!
//! In: a delivery is verified over its raw bytes, committed to the inbox and only then acknowledged. Out: replies are
//! claimed from the outbox and sent, each visible once. The gateway knows channels and connections; it knows nothing
//! of models, prompts or Kubernetes.

mod actions;
mod albums;
mod app;
mod args;
mod background;
mod body;
mod catch_up;
mod connection;
mod credentials;
mod dispatch;
mod error;
mod events;
mod files;
mod intake;
mod lanes;
mod lines;
mod manners;
mod metrics;
mod outbox;
mod partials;
mod polls;
mod receive;
mod refusal;
mod registry;
mod reloader;
mod retention;
mod routes;
mod serve;
mod stop;
mod streams;
mod typing;
mod wakes;

pub use args::{Args, run};
pub use error::Error;
pub use konstruct_channels::Settings as ChannelSettings;
pub use konstruct_channels::slack::Settings as SlackSettings;
pub use manners::Allowances;
pub use serve::{Config, serve};
