//! What the end-to-end tests and the figures need to work on a real cluster: kubectl, waiting with deadlines,
//! the platform installed once, and a look into PostgreSQL, Redis, Slack's stand-in and the audit log.

pub mod audit;
pub mod cluster;
pub mod datastores;
pub mod flux;
pub mod forward;
pub mod git;
pub mod kubectl;
pub mod objects;
pub mod platform;
pub mod quiet;
pub mod quota;
pub mod samples;
pub mod slack;
pub mod tenant;
pub mod verify;
pub mod wait;
pub mod webchat;

pub use cluster::Cluster;
pub use tenant::TestTenant;
