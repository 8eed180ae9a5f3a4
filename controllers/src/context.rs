//! What every controller works with, and who has to be looked at again when something changes.

use std::ops::Deref;
use std::sync::Arc;

use konstruct_crds::conditions::ResourceStatus;
use konstruct_crds::{Agent, ChannelConnection, ConditionType, LLMProvider, Reason, Tenant, TenantState};
use konstruct_queue::Bus;
use konstruct_store::Store;
use kube::{Client, ResourceExt};

use crate::framework::cache::{Cache, namespace_of};
use crate::framework::caches::Caches;
use crate::framework::fence::Fence;
use crate::framework::names::{TenantRef, dedicated_name};
use crate::framework::queue::Queue;
use crate::framework::status::Root;
use crate::framework::tenancy::{self, Tenancy};
use crate::settings::Settings;
use crate::tenant::dedicated;
use crate::tenant::entitlement::{Entitlement, entitlement};

/// The cluster: all that the provisioner works with.
pub struct Cluster {
    pub client: Client,
    pub settings: Settings,
    pub caches: Caches,
    pub queues: Queues,
    pub fence: Fence,
}

/// The cluster, and where tenants' data is.
pub struct Context {
    pub cluster: Arc<Cluster>,
    pub store: Store,
    pub bus: Bus,
}

impl Deref for Context {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

pub struct Queues {
    /// Read by both controllers of Tenants.
    pub tenants: Queue<Tenant>,
    pub boundaries: Queue<Tenant>,
    pub workloads: Queue<Tenant>,
    pub agents: Queue<Agent>,
    pub connections: Queue<ChannelConnection>,
    pub providers: Queue<LLMProvider>,
}

impl Cluster {
    pub fn tenancy(&self, namespace: &str) -> Tenancy {
        Tenancy::of_namespace(&self.caches, &self.settings.system_namespace, namespace)
    }

    /// Under which id the rows of a namespace's objects are stored. What is deleted while its Tenant is not valid must not
    /// stay in force.
    pub fn rows_of(&self, namespace: &str) -> Option<konstruct_domain::TenantId> {
        self.tenancy(namespace).id().or_else(|| tenancy::made_for(&self.caches, namespace))
    }

    /// What a tenant may have. None while that is not known: its plan is missing, or it asks for more than the plan.
    pub fn entitlement(&self, tenant: &TenantRef) -> Option<Entitlement> {
        let tenant = self.caches.tenants.get("", &tenant.name)?;
        let plan = match &tenant.spec.plan {
            Some(name) => Some(self.caches.plans.get("", name)?),
            None => None,
        };
        entitlement(&tenant.spec, plan.as_deref().map(|plan| &plan.spec)).ok()
    }

    /// Whether a tenant's employees work. One that is not seen yet counts as active.
    pub fn state(&self, tenant: &TenantRef) -> TenantState {
        self.caches.tenants.get("", &tenant.name).map_or(TenantState::Active, |tenant| tenant.spec.state)
    }

    /// The tenants on a plan, and what they have.
    pub fn requeue_tenants_on(&self, plan: &str) {
        for tenant in self.caches.tenants.all() {
            if tenant.spec.plan.as_deref() == Some(plan) {
                self.queues.tenants.add_object(&tenant);
                self.requeue_objects_in(&tenant.spec.namespace());
            }
        }
    }

    /// Objects of a kind whose number is limited: one that leaves makes room for the next in line, and one that came
    /// in the same second as another may be the older one. The tenant says which are too many.
    pub fn requeue_competitors<K: Root>(&self, cache: &Cache<K>, queue: &Queue<K>, changed: &K) {
        let namespace = namespace_of(changed);
        if !self.has_limits(namespace) {
            return;
        }
        // One without a finalizer is gone without having been seen to leave.
        let leaves = changed.meta().deletion_timestamp.is_some()
            || cache.get(namespace, &changed.name_any()).is_none();
        let is_new = changed.status().is_none_or(|status| status.observed_generation().is_none());
        if !leaves && !is_new {
            return;
        }
        let flagged = |object: &K| {
            let ready = object.status().and_then(|status| status.condition(ConditionType::Ready));
            ready.is_some_and(|ready| ready.reason == Reason::PlanExceeded.as_str())
        };
        let age = &changed.meta().creation_timestamp;
        let all = cache.in_namespace(namespace);
        let mut anybody = false;
        for other in all.iter().filter(|other| other.uid() != changed.uid()) {
            if (leaves && flagged(other)) || (is_new && other.meta().creation_timestamp == *age) {
                queue.add_object(other);
                anybody = true;
            }
        }
        if anybody && leaves {
            self.requeue_tenant_of(namespace);
        }
    }

    /// Whether anything of a tenant is limited in number.
    fn has_limits(&self, namespace: &str) -> bool {
        let tenancy = self.tenancy(namespace);
        let entitlement = tenancy.tenant().and_then(|tenant| self.entitlement(tenant));
        entitlement
            .is_some_and(|entitlement| entitlement.limits.agents.or(entitlement.limits.channels).is_some())
    }

    pub fn requeue_all_tenants(&self) {
        self.queues.tenants.add_all(&self.caches.tenants.all());
    }

    pub fn requeue_all_agents(&self) {
        self.queues.agents.add_all(&self.caches.agents.all());
    }

    pub fn requeue_all_connections(&self) {
        self.queues.connections.add_all(&self.caches.connections.all());
    }

    pub fn requeue_all_providers(&self) {
        self.queues.providers.add_all(&self.caches.providers.all());
    }

    /// A child changed: its tenant repairs it.
    pub fn requeue_tenant_of(&self, namespace: &str) {
        if let Some(tenant) = self.tenancy(namespace).tenant() {
            self.queues.tenants.add("", &tenant.name);
        }
    }

    /// Tenants that compete for a slug: the next one in line takes over.
    pub fn requeue_tenants_with_slug(&self, slug: &str) {
        let all = self.caches.tenants.all();
        self.queues.tenants.add_all(all.iter().filter(|tenant| tenant.spec.slug == slug));
    }

    /// Everything of ours in a namespace.
    pub fn requeue_objects_in(&self, namespace: &str) {
        self.queues.agents.add_all(&self.caches.agents.in_namespace(namespace));
        self.queues.connections.add_all(&self.caches.connections.in_namespace(namespace));
        self.queues.providers.add_all(&self.caches.providers.in_namespace(namespace));
    }

    /// Agents whose chain names the provider: those of its namespace, or of all if it is shared.
    pub fn requeue_agents_naming(&self, provider: &LLMProvider) {
        let (namespace, name) = (namespace_of(provider), provider.name_any());
        let agents = if namespace == self.settings.system_namespace {
            self.caches.agents.all()
        } else {
            self.caches.agents.in_namespace(namespace)
        };
        let names_it = |agent: &&Arc<Agent>| agent.spec.models.iter().any(|entry| entry.provider == name);
        self.queues.agents.add_all(agents.iter().filter(names_it));
    }

    /// The tenant makes and removes the pods that its agents have of their own, and one that goes makes room for another.
    pub fn requeue_about_own_pod(&self, agent: &Agent) {
        let namespace = namespace_of(agent);
        let Ok(name) = agent.name_any().parse() else { return };
        let has_pod = self.caches.deployments.get(namespace, &dedicated_name(&name)).is_some();
        if !has_pod && !dedicated::asks(agent) {
            return;
        }
        self.requeue_tenant_of(namespace);
        let waits = |agent: &&Arc<Agent>| {
            let ready = agent.status.as_ref().and_then(|status| status.condition(ConditionType::Ready));
            ready.is_some_and(|ready| ready.reason == Reason::NoRoomForPod.as_str())
        };
        self.queues.agents.add_all(self.caches.agents.in_namespace(namespace).iter().filter(waits));
    }

    pub fn requeue_connections_naming(&self, agent: &Agent) {
        let name = agent.name_any();
        let connections = self.caches.connections.in_namespace(namespace_of(agent));
        self.queues
            .connections
            .add_all(connections.iter().filter(|connection| connection.spec.agent == name));
    }

    /// Connections that compete for the account of this one.
    pub fn requeue_connections_claiming(&self, of: &ChannelConnection) {
        let Some(account) = of.spec.account() else { return };
        let connections = self.caches.connections.all();
        let claims_it = |connection: &&Arc<ChannelConnection>| connection.spec.account() == Some(account);
        self.queues.connections.add_all(connections.iter().filter(claims_it));
    }
}
