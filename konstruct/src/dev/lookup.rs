//! What objects refer to, found among the declared ones: the counterpart of the operator's `dereference`.

use std::sync::Arc;

use konstruct_controllers::agent::{self, ProviderFacts};
use konstruct_controllers::channel_connection::dereference::{AgentState, older};
use konstruct_controllers::framework::ownership::Ownership;
use konstruct_controllers::framework::secrets::{self, SecretLookup};
use konstruct_controllers::framework::surplus;
use konstruct_controllers::tenant::PlanLookup;
use konstruct_controllers::{channel_connection, llm_provider, tenant};
use konstruct_crds::{Agent, ChannelConnection, LLMProvider, Plan, SecretKeyRef, Tenant};
use konstruct_domain::snapshot::{Pause, SecretField};
use konstruct_domain::{Kind, Slug, TenantId};
use konstruct_store::{KeyError, Keyring};
use kube::{Resource, ResourceExt};

use super::admission::{Object, Objects, Secrets};
use super::compile::{CompiledTenant, Key, SYSTEM_NAMESPACE};

/// No namespace is in the way and no pod needs room in a quota.
pub(crate) fn of_tenant(tenant: &Tenant, objects: &Objects) -> tenant::Dereferenced {
    let all = &objects.tenants;
    let same_slug = |other: &&Object<Tenant>| other.object.spec.slug == tenant.spec.slug;
    let oldest =
        all.iter().filter(same_slug).min_by_key(|other| other.object.metadata.creation_timestamp.clone());
    let taken_by = oldest.map(|oldest| oldest.object.name_any()).filter(|name| *name != tenant.name_any());
    let id = tenant.spec.slug.parse().map_or(TenantId::PLATFORM, |slug| TenantId::from_slug(&slug));
    tenant::Dereferenced {
        id,
        namespace: Ownership::Vacant,
        slug_taken_by: taken_by,
        runtime: None,
        plan: plan(tenant, &objects.plans),
        // Said on the agents and connections themselves: dev shows no status.
        surplus: tenant::Surplus::default(),
        // There are no policies to open.
        hosts: tenant::egress::Hosts::new(),
        dedicated: Vec::new(),
    }
}

fn plan(tenant: &Tenant, plans: &[Object<Plan>]) -> PlanLookup {
    let Some(name) = &tenant.spec.plan else { return PlanLookup::NotNamed };
    match plans.iter().find(|plan| plan.object.name_any() == *name) {
        Some(plan) => PlanLookup::Found(plan.object.spec.clone()),
        None => PlanLookup::Missing(name.clone()),
    }
}

/// The limit, if the older objects of the namespace fill it.
fn over_limit<K: Resource + Clone>(object: &K, limit: Option<u16>, all: &[Object<K>]) -> Option<u16> {
    let competitors = || {
        let of_namespace =
            all.iter().filter(|other| other.object.meta().namespace == object.meta().namespace);
        of_namespace.map(|other| Arc::new(other.object.clone())).collect()
    };
    surplus::over_limit(object, limit, competitors)
}

pub(crate) fn of_provider(
    provider: &LLMProvider,
    shared: bool,
    secrets: &Secrets,
    keyring: &Keyring,
) -> Result<llm_provider::Dereferenced, KeyError> {
    let namespace = provider.namespace().unwrap_or_default();
    let api_key = llm_provider::dereference::api_key_ref(provider)
        .map(|(_, reference)| secret(secrets, keyring, &namespace, SecretField::ProviderApiKey, reference))
        .transpose()?;
    Ok(llm_provider::Dereferenced { shared, api_key })
}

pub(crate) fn of_agent(
    agent: &Agent,
    slug: Slug,
    tenant: &CompiledTenant,
    objects: &Objects,
    in_force: impl Fn(&Key) -> bool,
) -> agent::Dereferenced {
    let in_namespace = |namespace: &str, owner: TenantId, shared: bool| {
        let of_it = objects
            .providers
            .iter()
            .filter(|declared| declared.object.namespace().as_deref() == Some(namespace));
        let facts = of_it.map(|declared| {
            let name = declared.object.name_any();
            let compiled = in_force(&Key { tenant: owner, kind: Kind::LLMProvider, name: name.clone() });
            (name, ProviderFacts { compiled, ..ProviderFacts::of(&declared.object, shared) })
        });
        facts.collect()
    };
    agent::Dereferenced {
        own: in_namespace(&slug.namespace(), tenant.id, false),
        shared: in_namespace(SYSTEM_NAMESPACE, TenantId::PLATFORM, true),
        over_limit: over_limit(agent, tenant.limits.agents, &objects.agents),
        without_room: false,
        slug,
    }
}

pub(crate) fn of_connection(
    connection: &ChannelConnection,
    tenant: &CompiledTenant,
    agent: AgentState,
    objects: &Objects,
    keyring: &Keyring,
) -> Result<channel_connection::Dereferenced, KeyError> {
    let namespace = connection.namespace().unwrap_or_default();
    let secrets = channel_connection::secret_refs(&connection.spec).into_iter().map(|wanted| {
        let lookup = secret(&objects.secrets, keyring, &namespace, wanted.field, wanted.reference)?;
        Ok((wanted.field, lookup))
    });
    let claimants = connection.spec.account().map(|account| {
        let all = objects.connections.iter().map(|declared| &declared.object);
        all.filter(move |other| other.spec.account() == Some(account))
    });
    let named = named_agent(connection, &namespace, objects);
    Ok(channel_connection::Dereferenced {
        public_id: keyring.public_id(tenant.id, &connection.name_any())?,
        agent,
        business_function: named.and_then(|agent| agent.spec.business_function.clone()),
        agent_name: named.map(|agent| agent.spec.display_name.clone()),
        business_name: tenant.display_name.clone(),
        secrets: secrets.collect::<Result<_, KeyError>>()?,
        rival: claimants.and_then(|claimants| older(connection, claimants)),
        over_limit: over_limit(connection, tenant.limits.channels, &objects.connections),
        pause: tenant.pause.clone().or_else(|| paused_agent(connection, &namespace, tenant, objects)),
        messages_per_minute: tenant.limits.messages_per_minute,
    })
}

fn paused_agent(
    connection: &ChannelConnection,
    namespace: &str,
    tenant: &CompiledTenant,
    objects: &Objects,
) -> Option<Pause> {
    let agent = named_agent(connection, namespace, objects)?;
    channel_connection::dereference::agent_pause(agent, &tenant.display_name)
}

fn named_agent<'a>(
    connection: &ChannelConnection,
    namespace: &str,
    objects: &'a Objects,
) -> Option<&'a Agent> {
    let mut agents = objects.agents.iter().map(|declared| &declared.object);
    let named = |agent: &&Agent| {
        agent.name_any() == connection.spec.agent && agent.namespace().as_deref() == Some(namespace)
    };
    agents.find(named)
}

fn secret(
    secrets: &Secrets,
    keyring: &Keyring,
    namespace: &str,
    field: SecretField,
    reference: &SecretKeyRef,
) -> Result<SecretLookup, KeyError> {
    let data = secrets.get(&(namespace.to_owned(), reference.name.clone()));
    secrets::look_up(keyring, field, data, reference)
}
