//! Whether platforms accept our credentials and accounts, told to the operator when it changes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use konstruct_channels::{Adapter, Adapters, NotConnected, SendError};
use konstruct_domain::Kind;
use konstruct_domain::observation::{Condition, Observation};
use konstruct_queue::{Bus, Signal};
use konstruct_store::Store;
use tokio::sync::Semaphore;

use crate::connection::Connection;

/// A start with many connections must not become a burst of requests.
const CONCURRENT_CHECKS: usize = 4;

#[derive(Clone)]
pub(crate) struct Credentials {
    store: Store,
    bus: Bus,
    adapters: Adapters,
    /// Where platforms reach the gateway.
    public_url: Option<Arc<str>>,
    checks: Arc<Semaphore>,
}

impl Credentials {
    pub(crate) fn new(store: Store, bus: Bus, adapters: Adapters, public_url: Option<&str>) -> Self {
        let public_url = public_url.map(|url| url.trim_end_matches('/').into());
        Self { store, bus, adapters, public_url, checks: Arc::new(Semaphore::new(CONCURRENT_CHECKS)) }
    }

    /// Asks the platform about a connection that is new or changed, so that a wrong token shows before anybody waits
    /// for a reply.
    pub(crate) fn check_soon(&self, connection: Arc<Connection>) {
        if connection.snapshot.channel.secrets().is_empty() {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            let Ok(_permit) = this.checks.acquire().await else { return };
            if let Some(adapter) = this.adapters.get(connection.channel()) {
                this.check(&connection, adapter.as_ref()).await;
            }
        });
    }

    async fn check(&self, connection: &Connection, adapter: &dyn Adapter) {
        let account = match connection.account(&self.store).await {
            Ok(account) => account,
            Err(error) => {
                tracing::warn!(tenant = %connection.tenant, connection = connection.name(), %error, "cannot read the secrets of a connection");
                return;
            }
        };
        let webhook = self
            .public_url
            .as_ref()
            .map(|url| format!("{url}/{}/{}/events", connection.channel(), connection.snapshot.public_id));
        match adapter.connect(&account, webhook.as_deref()).await {
            Ok(()) => self.accepted(connection).await,
            Err(NotConnected::Mismatch(message)) => self.refused(connection, message).await,
            Err(NotConnected::Call(error)) if self.learn(connection, adapter, &error).await => {}
            // Says nothing about the credentials. The first reply will show.
            Err(NotConnected::Call(error)) => {
                tracing::info!(connection = connection.name(), %error, "cannot check the credentials of a connection now");
            }
        }
    }

    /// Reports what an unsuccessful call tells about credentials and account. False when it tells nothing.
    pub(crate) async fn learn(
        &self,
        connection: &Connection,
        adapter: &dyn Adapter,
        error: &SendError,
    ) -> bool {
        match error {
            SendError::CredentialsRejected { reason } => {
                self.refused(connection, adapter.advice(reason)).await;
            }
            SendError::AccountRestricted { reason, .. } => self.restricted(connection, reason).await,
            _ => return false,
        }
        true
    }

    pub(crate) async fn accepted(&self, connection: &Connection) {
        if !connection.line_refused.load(Ordering::Relaxed) {
            let message = "the platform accepts the credentials".to_owned();
            self.observe(connection, Condition::CredentialsValid, true, "CredentialsAccepted", message).await;
        }
        if !connection.warned.load(Ordering::Relaxed) {
            let message = "the platform lets the account be used".to_owned();
            self.observe(connection, Condition::AccountUsable, true, "AccountServes", message).await;
        }
    }

    pub(crate) async fn refused(&self, connection: &Connection, message: String) {
        self.observe(connection, Condition::CredentialsValid, false, "CredentialsRejected", message).await;
    }

    /// Whether the other credentials are right as well has to be asked again.
    pub(crate) fn line_opened(&self, connection: &Arc<Connection>) {
        if connection.line_refused.swap(false, Ordering::Relaxed) {
            self.check_soon(Arc::clone(connection));
        }
    }

    pub(crate) async fn line_refused(&self, connection: &Connection, message: String) {
        connection.line_refused.store(true, Ordering::Relaxed);
        self.refused(connection, message).await;
    }

    /// The platform gave notice by itself. What it said stays until the connection is changed.
    pub(crate) async fn warned(&self, connection: &Connection, reason: &str) {
        connection.warned.store(true, Ordering::Relaxed);
        self.restricted(connection, reason).await;
    }

    async fn restricted(&self, connection: &Connection, reason: &str) {
        let message = format!("{reason}: put this right with the platform");
        self.observe(connection, Condition::AccountUsable, false, "AccountRestricted", message).await;
    }

    async fn observe(
        &self,
        connection: &Connection,
        condition: Condition,
        ok: bool,
        reason: &str,
        message: String,
    ) {
        if connection.reported(condition) == Some(ok) {
            return;
        }
        let observation = Observation { condition, ok, reason: reason.to_owned(), message };
        let (tenant, name) = (connection.tenant, connection.name());
        match self.store.observe(tenant, Kind::ChannelConnection, name, &observation).await {
            Ok(changed) => {
                connection.set_reported(condition, ok);
                if changed {
                    self.bus.publish(Signal::Loaded(tenant)).await;
                }
            }
            Err(error) => tracing::warn!(%tenant, connection = name, %error, "cannot record an observation"),
        }
    }
}
