//! PostgreSQL: everything that happens, and the compiled configuration.
//!
//! Two doors. [`Store`] is for the roles that serve many tenants; each call opens a transaction that first chooses
//! the tenant. [`TenantStore`] is for a runtime, whose tenant the database knows from the login role. There is no
//! third way to a tenant's rows: no method takes a connection or hands one out.

mod album;
mod batch;
mod channel_account;
mod connect;
mod contact;
mod conversation;
mod delivery;
mod error;
mod file;
mod history;
mod hold;
mod intake;
mod keyring;
mod listening;
mod media;
mod migrate;
mod notice;
mod observation;
mod offer;
mod outbox;
mod poll;
pub mod probe;
mod provision;
mod reply_stream;
mod retention;
mod scan;
mod secret;
mod snapshot;
mod tenant;
mod turn;
mod usage;

pub use channel_account::AccountClaim;
pub use connect::{Store, TenantStore};
pub use conversation::{Claim, PendingMessage, Wanted};
pub use delivery::Reported;
pub use error::Error;
pub use file::{FILES_WAIT, KeptFile, WantedFile};
pub use history::ChatLine;
pub use intake::Accepted;
pub use keyring::{KeyError, Keyring};
pub use media::{FileState, MessageFile, NewPicture};
pub use migrate::{RolePasswords, migrate};
pub use notice::{Notice, conversation_of};
pub use offer::{Offer, Pressed};
pub use outbox::{DeadLetter, LetterAction, OutboxDepth, OutboxItem};
pub use snapshot::{Published, Standing, Versioned};
pub use tenant::{RetainedTenant, TenantRecord};
pub use turn::{Completed, Turn, TurnOutcome};
pub use usage::{ModelCall, MonthlyUse};

type Result<T, E = Error> = std::result::Result<T, E>;
