//! Redis: wake-ups, the sliding window, cache users. Nothing here is the only copy of anything: what Redis loses is
//! read again from PostgreSQL.

mod announcer;
mod bus;
mod connection;
pub mod limit;
mod partial;
pub mod probe;
mod provision;
mod signal;
mod subscription;
mod window;

pub use bus::{Bus, Error};
pub use partial::{Partial, WATCHED_FOR};
pub use signal::{Signal, Topics};
pub use subscription::Event;
