//! A connection in force, with its secrets once somebody needed them.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};

use konstruct_channels::{Account, Secrets};
use konstruct_domain::observation::Condition;
use konstruct_domain::revision::Revision;
use konstruct_domain::snapshot::ConnectionSnapshot;
use konstruct_domain::{Kind, TenantId};
use konstruct_store::{Store, Versioned};
use tokio::sync::OnceCell;

use crate::typing::Signs;

/// One revision of a connection. A changed connection is a new value of this type, so what is cached in it is never
/// older than its snapshot.
#[derive(Debug)]
pub(crate) struct Connection {
    pub tenant: TenantId,
    pub revision: Revision,
    pub snapshot: ConnectionSnapshot,
    /// Whether each condition held when it was last reported.
    reported: Mutex<HashMap<Condition, bool>>,
    /// The platform gave notice of a restriction, which one message that gets through does not take back.
    pub warned: AtomicBool,
    /// The platform refuses the line over which deliveries come: that replies can be sent does not take this back.
    pub line_refused: AtomicBool,
    /// Its line is open here.
    pub on_line: AtomicBool,
    pub signs: Signs,
    secrets: OnceCell<Secrets>,
}

impl Connection {
    pub(crate) fn new(tenant: TenantId, head: Versioned<ConnectionSnapshot>) -> Self {
        Self {
            tenant,
            revision: head.revision,
            snapshot: head.snapshot,
            reported: Mutex::default(),
            warned: AtomicBool::new(false),
            line_refused: AtomicBool::new(false),
            on_line: AtomicBool::new(false),
            signs: Signs::default(),
            secrets: OnceCell::new(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.snapshot.name.as_str()
    }

    /// The channel's name.
    pub(crate) const fn channel(&self) -> &'static str {
        self.snapshot.channel.type_name()
    }

    pub(crate) fn reported(&self, condition: Condition) -> Option<bool> {
        self.lock().get(&condition).copied()
    }

    pub(crate) fn set_reported(&self, condition: Condition, holds: bool) {
        self.lock().insert(condition, holds);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Condition, bool>> {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn account(&self, store: &Store) -> Result<Account<'_>, konstruct_store::Error> {
        Ok(Account { connection: &self.snapshot, secrets: self.secrets(store).await? })
    }

    pub(crate) async fn secrets(&self, store: &Store) -> Result<&Secrets, konstruct_store::Error> {
        self.secrets.get_or_try_init(|| self.reveal(store)).await
    }

    async fn reveal(&self, store: &Store) -> Result<Secrets, konstruct_store::Error> {
        let mut revealed = Vec::new();
        for version in self.snapshot.channel.secrets() {
            let value = store.reveal(self.tenant, Kind::ChannelConnection, self.name(), version).await?;
            revealed.push((version.field, value));
        }
        Ok(revealed.into_iter().collect())
    }
}
