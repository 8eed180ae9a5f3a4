//! One folder per channel: how its deliveries are verified, read and answered.
//!
//! `verify` and `parse` are pure functions over raw bytes, so that a gateway can refuse what is not authentic before
//! it looks inside. `send` talks to the platform. Nothing here knows about tenants, databases or queues.

mod failure;
pub mod slack;
pub mod webchat;

pub use failure::{Failure, SendError};
