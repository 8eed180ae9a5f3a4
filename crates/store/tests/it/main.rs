//! The store against a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot do its work ends here")]

mod dedicated;
mod delivery;
mod files;
mod isolation;
mod media;
mod messages;
mod notices;
mod plane;
mod probe;
mod snapshots;
mod state_machine;
mod usage;
mod world;
