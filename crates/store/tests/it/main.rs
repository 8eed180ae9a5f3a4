//! The store against a real PostgreSQL.

mod isolation;
mod messages;
mod snapshots;
mod world;
