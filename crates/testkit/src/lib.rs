//! What tests stand on: real databases, and strict doubles of what cannot be had.
//!
//! A test helper that cannot do its work ends the test: panics here are the message.
#![allow(clippy::unwrap_used, clippy::panic, reason = "only tests use this crate")]

pub mod database;
pub mod fault;
mod form;
pub mod llm;
pub mod outage;
mod serving;
pub mod slack;
pub mod telegram;
pub mod whatsapp;

pub use database::{TestDatabase, redis_url, unique_slug};
