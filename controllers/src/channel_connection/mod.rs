//! ChannelConnection: where people reach an agent. Compiled into a snapshot that the gateway reads.

mod apply;
pub mod build;
mod channel;
pub mod dereference;
mod hours;
mod status;
pub mod validate;

use std::sync::Arc;

use konstruct_crds::{ChannelConnection, ChannelConnectionStatus};
use konstruct_domain::{Kind, TenantId};
use kube::{Api, ResourceExt};

pub use channel::secret_refs;
pub use dereference::{AgentState, Dereferenced, Rival};
pub use validate::Validated;

use apply::Outcome;

use crate::framework::cache::{Cache, namespace_of};
use crate::framework::controller::{Next, Reconciler};
use crate::framework::names::TenantRef;
use crate::framework::status::Share;
use crate::framework::tenancy::Tenancy;
use crate::framework::{finalizer, publish, report};
use crate::{Context, Error, Problem, leftovers};

pub(crate) struct ChannelConnections {
    pub(crate) context: Arc<Context>,
}

impl Reconciler for ChannelConnections {
    type Object = ChannelConnection;
    const NAME: &'static str = "channel_connection";
    const SHARE: Share<ChannelConnectionStatus> = Share::whole("konstruct-channel-connection");

    fn cache(&self) -> &Cache<ChannelConnection> {
        &self.context.caches.connections
    }

    fn api(&self, connection: &ChannelConnection) -> Api<ChannelConnection> {
        Api::namespaced(self.context.client.clone(), namespace_of(connection))
    }

    async fn reconcile(&self, connection: Arc<ChannelConnection>) -> Result<Next, Error> {
        if connection.metadata.deletion_timestamp.is_some() {
            return self.clean_up(&connection).await;
        }
        match self.context.tenancy(namespace_of(&*connection)) {
            Tenancy::Tenant(tenant) => self.compile(connection, &tenant).await,
            Tenancy::Archived(tenant) => {
                self.withdraw(&connection, tenant.id).await?;
                self.write(&connection, &status::archived(&connection)).await?;
                Ok(report::next_anyway())
            }
            Tenancy::Leaving(_) => Ok(Next::Gone),
            Tenancy::Platform | Tenancy::Nobody => {
                self.write(&connection, &status::nobodys(&connection)).await?;
                Ok(Next::Gone)
            }
        }
    }

    async fn gone(&self, namespace: &str) -> Result<(), Error> {
        leftovers::of_namespace(&self.context, namespace).await
    }

    /// Nothing refers to a connection.
    fn requeue_dependents(&self, _: &ChannelConnection) {}
}

impl ChannelConnections {
    async fn compile(&self, connection: Arc<ChannelConnection>, tenant: &TenantRef) -> Result<Next, Error> {
        let found = dereference::dereference(&self.context, &connection, tenant).await?;
        let valid = match validate::validate(&connection, &found) {
            Ok(valid) => valid,
            Err(problems) => return self.refuse(&connection, tenant, &problems).await,
        };
        let connection = finalizer::ensure(&self.api(&connection), self.cache(), connection).await?;
        let prepared = apply::prepare(tenant.id, &valid);
        match apply::apply(&self.context, valid.account(), &prepared).await? {
            Outcome::InForce(applied) => {
                if let Some(next) = report::is_loading(&applied) {
                    return Ok(next);
                }
                self.write(&connection, &status::published(&connection, &valid, &applied)).await?;
                Ok(report::next_after(&applied, !found.secrets.is_empty()))
            }
            Outcome::AccountTaken => {
                let problem = validate::account_problem(&connection, &Rival::AnotherTenant);
                self.refuse(&connection, tenant, &[problem]).await?;
                // Whoever has the row is not to be seen, so nobody tells when it is free.
                Ok(Next::Retry)
            }
        }
    }

    /// The last valid revision keeps serving, unless the account is an older connection's.
    async fn refuse(
        &self,
        connection: &ChannelConnection,
        tenant: &TenantRef,
        problems: &[Problem],
    ) -> Result<Next, Error> {
        if problems.iter().any(Problem::stops_serving) {
            self.withdraw(connection, tenant.id).await?;
        }
        self.write(connection, &status::invalid(connection, problems)).await?;
        Ok(report::next_with_problems(problems))
    }

    async fn clean_up(&self, connection: &ChannelConnection) -> Result<Next, Error> {
        if let Some(tenant) = self.context.rows_of(namespace_of(connection)) {
            self.withdraw(connection, tenant).await?;
        }
        finalizer::release(&self.api(connection), self.cache(), connection).await?;
        Ok(Next::Gone)
    }

    async fn withdraw(&self, connection: &ChannelConnection, tenant: TenantId) -> Result<(), Error> {
        publish::withdraw(&self.context, tenant, Kind::ChannelConnection, &connection.name_any()).await?;
        if connection.metadata.deletion_timestamp.is_some() {
            self.context.requeue_connections_claiming(connection);
        }
        Ok(())
    }

    async fn write(
        &self,
        connection: &ChannelConnection,
        status: &ChannelConnectionStatus,
    ) -> Result<(), Error> {
        let api = self.api(connection);
        crate::framework::status::write(&api, self.cache(), &Self::SHARE, connection, status).await.map(drop)
    }
}

#[cfg(test)]
mod tests;
