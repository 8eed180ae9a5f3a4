//! What all controllers share. Nothing here knows a kind of ours by name, except [`caches`] and [`tenancy`].

pub mod apply;
pub mod backoff;
pub mod cache;
pub mod caches;
pub mod compare;
pub mod controller;
pub mod events;
pub mod fence;
pub mod finalizer;
pub mod names;
pub mod orphans;
pub mod ownership;
pub mod places;
pub mod publish;
pub mod quantity;
pub mod queue;
pub mod report;
pub mod rollout;
pub mod secrets;
pub mod status;
pub mod surplus;
pub mod tenancy;
pub mod watch;
