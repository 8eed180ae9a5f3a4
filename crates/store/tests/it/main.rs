//! The store against a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot do its work ends here")]

mod dedicated;
mod isolation;
mod media;
mod messages;
mod probe;
mod snapshots;
mod usage;
mod world;
