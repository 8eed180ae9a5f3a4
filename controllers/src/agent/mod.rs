//! Agent: one AI employee. Compiled into a snapshot that the tenant's runtime reads.

mod apply;
pub mod build;
pub mod dereference;
mod status;
pub mod validate;

use std::sync::Arc;

use konstruct_crds::{Agent, AgentStatus, Reason, TenantState};
use konstruct_domain::{AgentName, Kind};
use kube::{Api, ResourceExt};

pub use dereference::{Dereferenced, ProviderFacts};
pub use validate::Validated;

use crate::framework::cache::{Cache, namespace_of};
use crate::framework::controller::{Next, Reconciler};
use crate::framework::names::{TenantRef, dedicated_name};
use crate::framework::rollout::{is_rolled_out, why_not};
use crate::framework::status::Share;
use crate::framework::tenancy::Tenancy;
use crate::framework::{finalizer, publish, report};
use crate::tenant::dedicated;
use crate::{Context, Error, Problem, leftovers};

pub(crate) struct Agents {
    pub(crate) context: Arc<Context>,
}

impl Reconciler for Agents {
    type Object = Agent;
    const NAME: &'static str = "agent";
    const SHARE: Share<AgentStatus> = Share::whole("konstruct-agent");

    fn cache(&self) -> &Cache<Agent> {
        &self.context.caches.agents
    }

    fn api(&self, agent: &Agent) -> Api<Agent> {
        Api::namespaced(self.context.client.clone(), namespace_of(agent))
    }

    async fn reconcile(&self, agent: Arc<Agent>) -> Result<Next, Error> {
        if agent.metadata.deletion_timestamp.is_some() {
            return self.clean_up(&agent).await;
        }
        match self.context.tenancy(namespace_of(&*agent)) {
            Tenancy::Tenant(tenant) | Tenancy::Archived(tenant) => self.compile(agent, &tenant).await,
            Tenancy::Leaving(_) => Ok(Next::Gone),
            Tenancy::Platform | Tenancy::Nobody => {
                self.write(&agent, &status::nobodys(&agent)).await?;
                Ok(Next::Gone)
            }
        }
    }

    async fn gone(&self, namespace: &str) -> Result<(), Error> {
        leftovers::of_namespace(&self.context, namespace).await
    }

    fn requeue_dependents(&self, agent: &Agent) {
        self.context.requeue_connections_naming(agent);
    }
}

impl Agents {
    async fn compile(&self, agent: Arc<Agent>, tenant: &TenantRef) -> Result<Next, Error> {
        let found = dereference::dereference(&self.context, &agent, tenant);
        match validate::validate(&agent, &found) {
            Ok(valid) => {
                let agent = finalizer::ensure(&self.api(&agent), self.cache(), agent).await?;
                let applied = apply::apply(&self.context, &apply::prepare(tenant.id, &valid)).await?;
                if let Some(reason) = stopped(self.context.state(tenant)) {
                    self.write(&agent, &status::stopped(&agent, &applied, reason)).await?;
                    return Ok(report::next_anyway());
                }
                if let Some(next) = report::is_loading(&applied) {
                    return Ok(next);
                }
                let pod = self.missing_pod(&agent);
                self.write(&agent, &status::published(&agent, &valid, &applied, pod.as_deref())).await?;
                Ok(report::next_after(&applied, false))
            }
            Err(problems) => {
                if problems.iter().any(Problem::stops_serving) {
                    publish::withdraw(&self.context, tenant.id, Kind::Agent, &agent.name_any()).await?;
                }
                self.write(&agent, &status::invalid(&agent, &problems)).await?;
                Ok(report::next_with_problems(&problems))
            }
        }
    }

    /// What keeps the agent's own pod from running. None too for an agent that shares one: the Tenant speaks for that.
    fn missing_pod(&self, agent: &Agent) -> Option<String> {
        let name: AgentName = agent.name_any().parse().ok().filter(|_| dedicated::asks(agent))?;
        match self.context.caches.deployments.get(namespace_of(agent), &dedicated_name(&name)) {
            None => Some("waiting for the agent's own pod to be made".to_owned()),
            Some(deployment) => (!is_rolled_out(&deployment)).then(|| why_not(&deployment)),
        }
    }

    async fn clean_up(&self, agent: &Agent) -> Result<Next, Error> {
        if let Some(tenant) = self.context.rows_of(namespace_of(agent)) {
            publish::withdraw(&self.context, tenant, Kind::Agent, &agent.name_any()).await?;
        }
        finalizer::release(&self.api(agent), self.cache(), agent).await?;
        Ok(Next::Gone)
    }

    async fn write(&self, agent: &Agent, status: &AgentStatus) -> Result<(), Error> {
        crate::framework::status::write(&self.api(agent), self.cache(), &Self::SHARE, agent, status)
            .await
            .map(drop)
    }
}

/// Why nothing of the tenant runs, if nothing does.
const fn stopped(state: TenantState) -> Option<Reason> {
    match state {
        TenantState::Active => None,
        TenantState::Suspended => Some(Reason::TenantSuspended),
        TenantState::Archived => Some(Reason::TenantArchived),
    }
}

#[cfg(test)]
mod tests;
