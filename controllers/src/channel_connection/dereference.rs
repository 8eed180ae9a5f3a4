//! What a ChannelConnection refers to: its Agent, its Secrets, and who else wants the same account.

use konstruct_crds::conditions::ResourceStatus;
use konstruct_crds::{Agent, ChannelConnection, Tenant, TenantState};
use konstruct_domain::snapshot::{Pause, SecretField};
use kube::ResourceExt;

use super::channel::{SecretRef, secret_refs};
use crate::framework::cache::namespace_of;
use crate::framework::names::TenantRef;
use crate::framework::secrets::{self, SecretLookup};
use crate::framework::surplus::{age, over_limit};
use crate::framework::tenancy::Tenancy;
use crate::{Context, Error};

#[derive(Clone, Debug)]
pub struct Dereferenced {
    /// Unguessable and stable: `keyring.public_id(tenant, name)`.
    pub public_id: String,
    pub agent: AgentState,
    /// What the Agent does for the business, if it says so.
    pub business_function: Option<String>,
    /// The Agent's display name, where there is one.
    pub agent_name: Option<String>,
    /// The Tenant's display name.
    pub business_name: String,
    /// What stands behind the references that the spec names.
    pub secrets: Vec<(SecretField, SecretLookup)>,
    /// An older connection that has the same channel account.
    pub rival: Option<Rival>,
    /// The tenant's limit, if older connections fill it.
    pub over_limit: Option<u16>,
    /// Present while the tenant is suspended or the agent paused.
    pub pause: Option<Pause>,
    /// Of the tenant: how many messages all its connections take.
    pub messages_per_minute: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentState {
    Missing,
    /// It exists, and no snapshot of it is in force.
    NotCompiled,
    Compiled,
}

/// Who keeps the account. Another tenant's names are nobody's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rival {
    SameTenant { connection: String },
    AnotherTenant,
}

pub(super) async fn dereference(
    context: &Context,
    connection: &ChannelConnection,
    tenant: &TenantRef,
) -> Result<Dereferenced, Error> {
    let keyring = context.store.keyring();
    let namespace = tenant.namespace();
    let limits = context.entitlement(tenant).map(|entitlement| entitlement.limits).unwrap_or_default();
    let mut found = Vec::new();
    for SecretRef { field, reference, .. } in secret_refs(&connection.spec) {
        let lookup = secrets::read(&context.client, keyring, &namespace, field, reference).await?;
        found.push((field, lookup));
    }
    let agent = context.caches.agents.get(&namespace, &connection.spec.agent);
    let owner = context.caches.tenants.get("", &tenant.name);
    Ok(Dereferenced {
        public_id: keyring.public_id(tenant.id, &connection.name_any())?,
        agent: agent_state(agent.as_deref()),
        business_function: agent.as_ref().and_then(|agent| agent.spec.business_function.clone()),
        agent_name: agent.as_ref().map(|agent| agent.spec.display_name.clone()),
        business_name: owner.as_ref().map(|owner| owner.spec.display_name.clone()).unwrap_or_default(),
        secrets: found,
        rival: rival(context, connection),
        over_limit: over_limit(connection, limits.channels, || {
            context.caches.connections.in_namespace(&namespace)
        }),
        pause: owner.as_deref().and_then(|owner| pause_of(owner, agent.as_deref())),
        messages_per_minute: limits.messages_per_minute,
    })
}

fn pause_of(tenant: &Tenant, agent: Option<&Agent>) -> Option<Pause> {
    pause(tenant).or_else(|| agent_pause(agent?, &tenant.spec.display_name))
}

/// What senders are told while the tenant is suspended. An edit of the Tenant in between is told anew.
pub fn pause(tenant: &Tenant) -> Option<Pause> {
    (tenant.spec.state == TenantState::Suspended).then(|| Pause {
        id: tenant.metadata.generation.unwrap_or(0).to_string(),
        notice: format!(
            "Thank you for your message. The AI assistant of {} is paused at the moment. Your message is kept, and you \
             get an answer here when it is back.",
            tenant.spec.display_name
        ),
    })
}

/// What senders are told while the agent is paused.
pub fn agent_pause(agent: &Agent, company: &str) -> Option<Pause> {
    (agent.spec.state == konstruct_crds::AgentState::Paused).then(|| Pause {
        id: format!("agent-{}", agent.metadata.generation.unwrap_or(0)),
        notice: format!(
            "Thank you for your message. {}, an AI employee of {}, is paused at the moment. Your message is kept, and you \
             get an answer here later.",
            agent.spec.display_name, company
        ),
    })
}

fn agent_state(agent: Option<&Agent>) -> AgentState {
    match agent {
        Some(agent) if agent.metadata.deletion_timestamp.is_some() => AgentState::Missing,
        None => AgentState::Missing,
        Some(agent) if agent.status.as_ref().is_some_and(|status| status.revision().is_some()) => {
            AgentState::Compiled
        }
        Some(_) => AgentState::NotCompiled,
    }
}

fn rival(context: &Context, connection: &ChannelConnection) -> Option<Rival> {
    let account = connection.spec.account()?;
    let all = context.caches.connections.all();
    let claimants = all.iter().filter(|other| {
        let in_force = matches!(context.tenancy(namespace_of(&***other)), Tenancy::Tenant(_));
        other.spec.account() == Some(account) && in_force
    });
    older(connection, claimants.map(|claimant| &**claimant))
}

/// The oldest of the claimants, if that is not this connection.
pub fn older<'a>(
    connection: &ChannelConnection,
    claimants: impl Iterator<Item = &'a ChannelConnection>,
) -> Option<Rival> {
    let oldest = claimants
        .filter(|claimant| {
            claimant.metadata.deletion_timestamp.is_none() && claimant.uid() != connection.uid()
        })
        .min_by(|one, other| age(*one).cmp(&age(*other)))?;
    (age(oldest) < age(connection)).then(|| {
        if oldest.namespace() == connection.namespace() {
            Rival::SameTenant { connection: oldest.name_any() }
        } else {
            Rival::AnotherTenant
        }
    })
}
