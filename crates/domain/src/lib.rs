//! The words of the product and the rules about them that need no clock, no disk and no network.
//!
//! Everything here is plain data with constructors that refuse what is not valid, so the rest of the
//! workspace can pass values around without checking them again. No async, no I/O.

pub mod addresses;
pub mod delivery;
pub mod disclosure;
pub mod file;
pub mod hours;
pub mod ids;
pub mod message;
pub mod money;
pub mod observation;
pub mod revision;
pub mod snapshot;

pub use ids::{AgentName, ConnectionName, ConversationId, Slug, TenantId};
pub use money::Money;
pub use snapshot::Kind;
