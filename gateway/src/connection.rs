//! A connection in force, with its secrets once somebody needed them.

use konstruct_domain::revision::Revision;
use konstruct_domain::snapshot::{ChannelSnapshot, ConnectionSnapshot, SecretVersion, SlackSnapshot};
use konstruct_domain::{Kind, TenantId};
use konstruct_store::{Store, Versioned};
use secrecy::SecretString;
use std::sync::Mutex;
use tokio::sync::OnceCell;

/// One revision of a connection. A changed connection is a new value of this type, so what is cached in it is never
/// older than its snapshot.
#[derive(Debug)]
pub(crate) struct Connection {
    pub tenant: TenantId,
    pub revision: Revision,
    pub snapshot: ConnectionSnapshot,
    /// Whether the platform accepted the credentials when they were last used, as far as it was reported.
    pub accepted: Mutex<Option<bool>>,
    bot_token: OnceCell<SecretString>,
    signing_secret: OnceCell<SecretString>,
    identity_secret: OnceCell<SecretString>,
}

impl Connection {
    pub(crate) fn new(tenant: TenantId, head: Versioned<ConnectionSnapshot>) -> Self {
        Self {
            tenant,
            revision: head.revision,
            snapshot: head.snapshot,
            accepted: Mutex::new(None),
            bot_token: OnceCell::new(),
            signing_secret: OnceCell::new(),
            identity_secret: OnceCell::new(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.snapshot.name.as_str()
    }

    pub(crate) const fn slack(&self) -> Option<&SlackSnapshot> {
        match &self.snapshot.channel {
            ChannelSnapshot::Slack(slack) => Some(slack),
            ChannelSnapshot::WebChat(_) => None,
        }
    }

    pub(crate) async fn bot_token(
        &self,
        store: &Store,
        slack: &SlackSnapshot,
    ) -> Result<&SecretString, konstruct_store::Error> {
        self.reveal(store, &self.bot_token, &slack.bot_token).await
    }

    pub(crate) async fn signing_secret(
        &self,
        store: &Store,
        version: &SecretVersion,
    ) -> Result<&SecretString, konstruct_store::Error> {
        self.reveal(store, &self.signing_secret, version).await
    }

    /// With which a site signs who its visitor is.
    pub(crate) async fn identity_secret(
        &self,
        store: &Store,
        version: &SecretVersion,
    ) -> Result<&SecretString, konstruct_store::Error> {
        self.reveal(store, &self.identity_secret, version).await
    }

    async fn reveal<'a>(
        &self,
        store: &Store,
        cell: &'a OnceCell<SecretString>,
        version: &SecretVersion,
    ) -> Result<&'a SecretString, konstruct_store::Error> {
        cell.get_or_try_init(|| store.reveal(self.tenant, Kind::ChannelConnection, self.name(), version))
            .await
    }
}
