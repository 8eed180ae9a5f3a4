//! The ai-gateway with a real PostgreSQL, a real Redis and strict doubles of the providers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot do its work ends here")]

mod answers;
mod budget;
mod configuration;
mod fallback;
mod identity;
mod limits;
mod metering;
mod outages;
mod secrets;
mod world;
