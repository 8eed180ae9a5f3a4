//! The gateway against a real PostgreSQL, a real Redis and a strict Slack.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first surprise")]

mod albums;
mod attachments;
mod browser;
mod buttons;
mod files;
mod long_answers;
mod manners;
mod outage;
mod retention;
mod slack_actions;
mod slack_backfill;
mod slack_intake;
mod slack_outbox;
mod slack_refused;
mod slack_socket;
mod slack_status;
mod slack_stream;
mod telegram;
mod telegram_polling;
mod webchat;
mod whatsapp;
mod whatsapp_outbox;
mod whatsapp_people;
mod world;
