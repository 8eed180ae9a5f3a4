//! A runtime on a real PostgreSQL and a real Redis, with a strict double of the ai-gateway.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a test fails the test")]

mod ai_gateway;
mod answering;
mod configuration;
mod dedicated;
mod employee;
mod idle;
mod lease;
mod model_failure;
mod outage;
mod showing;
mod world;
