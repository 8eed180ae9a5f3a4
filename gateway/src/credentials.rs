//! Whether platforms accept our credentials, told to the operator when it changes.

use std::sync::{Arc, PoisonError};

use konstruct_channels::{SendError, slack};
use konstruct_domain::Kind;
use konstruct_domain::observation::{Condition, Observation};
use konstruct_domain::snapshot::SlackSnapshot;
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
    pub slack: slack::Client,
    checks: Arc<Semaphore>,
}

impl Credentials {
    pub(crate) fn new(store: Store, bus: Bus, slack: slack::Client) -> Self {
        Self { store, bus, slack, checks: Arc::new(Semaphore::new(CONCURRENT_CHECKS)) }
    }

    /// Asks the platform about a connection that is new or changed, so that a wrong token shows before anybody waits
    /// for a reply.
    pub(crate) fn check_soon(&self, connection: Arc<Connection>) {
        let this = self.clone();
        tokio::spawn(async move {
            let Ok(_permit) = this.checks.acquire().await else { return };
            if let Some(slack) = connection.slack() {
                this.check(&connection, slack).await;
            }
        });
    }

    async fn check(&self, connection: &Connection, slack: &SlackSnapshot) {
        let token = match connection.bot_token(&self.store, slack).await {
            Ok(token) => token,
            Err(error) => {
                tracing::warn!(tenant = %connection.tenant, connection = connection.name(), %error, "cannot read a bot token");
                return;
            }
        };
        match self.slack.identity(token).await {
            Ok(identity) if identity.team_id == slack.team_id => self.accepted(connection).await,
            Ok(identity) if identity.enterprise_id.as_ref() == Some(&slack.team_id) => {
                self.accepted(connection).await;
            }
            Ok(identity) => {
                let message = format!(
                    "the bot token belongs to workspace {} and spec.slack.teamId is {}: use the token of that workspace",
                    identity.team_id, slack.team_id
                );
                self.observe(connection, false, "CredentialsRejected", message).await;
            }
            Err(SendError::CredentialsRejected { reason }) => self.rejected(connection, &reason).await,
            // Says nothing about the token. The first reply will show.
            Err(error) => {
                tracing::info!(connection = connection.name(), %error, "cannot check a bot token now");
            }
        }
    }

    pub(crate) async fn accepted(&self, connection: &Connection) {
        self.observe(connection, true, "CredentialsAccepted", "Slack accepts the bot token".to_owned()).await;
    }

    pub(crate) async fn rejected(&self, connection: &Connection, reason: &str) {
        let message = format!(
            "Slack refuses the bot token ({reason}): reinstall the app if needed, and put its Bot User OAuth Token \
             into the Secret that spec.slack.botTokenRef names"
        );
        self.observe(connection, false, "CredentialsRejected", message).await;
    }

    async fn observe(&self, connection: &Connection, ok: bool, reason: &str, message: String) {
        if *connection.accepted.lock().unwrap_or_else(PoisonError::into_inner) == Some(ok) {
            return;
        }
        let observation =
            Observation { condition: Condition::CredentialsValid, ok, reason: reason.to_owned(), message };
        let (tenant, name) = (connection.tenant, connection.name());
        match self.store.observe(tenant, Kind::ChannelConnection, name, &observation).await {
            Ok(changed) => {
                *connection.accepted.lock().unwrap_or_else(PoisonError::into_inner) = Some(ok);
                if changed {
                    self.bus.publish(Signal::Loaded(tenant)).await;
                }
            }
            Err(error) => tracing::warn!(%tenant, connection = name, %error, "cannot record an observation"),
        }
    }
}
