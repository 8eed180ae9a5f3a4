//! What an Agent refers to: LLMProviders of its own namespace, then shared ones.

use std::collections::BTreeMap;

use konstruct_crds::conditions::ResourceStatus;
use konstruct_crds::{Agent, ConditionStatus, ConditionType, LLMProvider};
use konstruct_domain::Slug;
use konstruct_domain::snapshot::AllowedTenants;
use kube::ResourceExt;

use crate::Context;
use crate::framework::names::TenantRef;
use crate::framework::surplus::over_limit;
use crate::llm_provider::validate::shared_with;
use crate::tenant::dedicated;

#[derive(Clone, Debug)]
pub struct Dereferenced {
    /// The tenant whose agent it is.
    pub slug: Slug,
    /// Providers of the tenant's own namespace, by name. Those that the agent names suffice.
    pub own: BTreeMap<String, ProviderFacts>,
    /// Providers of the operator's namespace, whether or not they allow the tenant.
    pub shared: BTreeMap<String, ProviderFacts>,
    /// The tenant's limit, if older agents fill it.
    pub over_limit: Option<u16>,
    /// It asks for a pod of its own and the tenant's quota has none left.
    pub without_room: bool,
}

/// What an agent needs to know of a provider.
#[derive(Clone, Debug)]
pub struct ProviderFacts {
    pub models: Vec<String>,
    pub allowed_tenants: AllowedTenants,
    /// A snapshot of it is in force.
    pub compiled: bool,
    /// Why it cannot answer now, if that is known.
    pub fault: Option<String>,
}

impl ProviderFacts {
    /// What the object says of itself. A provider whose list of tenants is not valid is shared with nobody.
    pub fn of(provider: &LLMProvider, shared: bool) -> Self {
        let status = provider.status.as_ref();
        let ready = status.and_then(|status| status.condition(ConditionType::Ready));
        Self {
            models: provider.spec.models.clone(),
            allowed_tenants: shared_with(&provider.spec, shared).unwrap_or(AllowedTenants::None),
            compiled: status.is_some_and(|status| status.revision.is_some()),
            fault: ready
                .filter(|ready| ready.status == ConditionStatus::False)
                .map(|ready| ready.message.clone()),
        }
    }
}

pub(super) fn dereference(context: &Context, agent: &Agent, tenant: &TenantRef) -> Dereferenced {
    let system = &context.settings.system_namespace;
    let limit = context.entitlement(tenant).and_then(|entitlement| entitlement.limits.agents);
    let named = |namespace: &str, shared: bool| {
        let facts = agent.spec.models.iter().filter_map(|entry| {
            let provider = context.caches.providers.get(namespace, &entry.provider)?;
            let leaves = provider.metadata.deletion_timestamp.is_some();
            (!leaves).then(|| (provider.name_any(), ProviderFacts::of(&provider, shared)))
        });
        facts.collect()
    };
    let name = agent.name_any();
    let in_vain =
        || dedicated::allotted(context, tenant).without_room.iter().any(|other| other.as_str() == name);
    Dereferenced {
        without_room: dedicated::asks(agent) && in_vain(),
        slug: tenant.slug.clone(),
        own: named(&tenant.namespace(), false),
        shared: named(system, true),
        over_limit: over_limit(agent, limit, || context.caches.agents.in_namespace(&tenant.namespace())),
    }
}
