//! The probes of database and cache against real servers: as declared, and broken.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot do its work ends here")]

mod cache;
mod database;
