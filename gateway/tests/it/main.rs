//! The gateway against a real PostgreSQL, a real Redis and a strict Slack.

mod outage;
mod slack_intake;
mod slack_outbox;
mod slack_refused;
mod webchat;
mod world;
