//! What a ChannelConnection refers to: its Agent, its Secrets, and who else wants the same account.

use konstruct_crds::conditions::ResourceStatus;
use konstruct_crds::{Agent, ChannelConnection, Slack, Tenant, TenantState};
use konstruct_domain::snapshot::{Pause, SecretField};
use kube::ResourceExt;

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
    /// What stands behind the references of `spec.slack`; None where the spec names none.
    pub bot_token: Option<SecretLookup>,
    pub signing_secret: Option<SecretLookup>,
    /// An older connection that has the same channel account.
    pub rival: Option<Rival>,
    /// The tenant's limit, if older connections fill it.
    pub over_limit: Option<u16>,
    /// What stands behind `spec.webChat.identitySecretRef`; None where the spec names none.
    pub identity_secret: Option<SecretLookup>,
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
    let slack = connection.spec.slack.as_ref();
    let keyring = context.store.keyring();
    let namespace = tenant.namespace();
    let limits = context.entitlement(tenant).map(|entitlement| entitlement.limits).unwrap_or_default();
    let bot_token = slack.map(|slack| (&slack.bot_token_ref, SecretField::SlackBotToken));
    let signing_secret =
        slack.and_then(|slack| Some((slack.signing_secret_ref.as_ref()?, SecretField::SlackSigningSecret)));
    let identity = connection.spec.web_chat.as_ref().and_then(|chat| chat.identity_secret_ref.as_ref());
    let identity = identity.map(|reference| (reference, SecretField::WebChatIdentity));
    let mut lookups = Vec::new();
    for reference in [bot_token, signing_secret, identity] {
        lookups.push(match reference {
            None => None,
            Some((reference, field)) => {
                Some(secrets::read(&context.client, keyring, &namespace, field, reference).await?)
            }
        });
    }
    let identity_secret = lookups.pop().flatten();
    let signing_secret = lookups.pop().flatten();
    let bot_token = lookups.pop().flatten();
    Ok(Dereferenced {
        public_id: keyring.public_id(tenant.id, &connection.name_any())?,
        agent: agent_state(context, &namespace, &connection.spec.agent),
        bot_token,
        signing_secret,
        rival: slack.and_then(|slack| rival(context, connection, slack)),
        over_limit: over_limit(connection, limits.channels, || {
            context.caches.connections.in_namespace(&namespace)
        }),
        identity_secret,
        pause: pause_of(context, &namespace, tenant, &connection.spec.agent),
        messages_per_minute: limits.messages_per_minute,
    })
}

fn pause_of(context: &Context, namespace: &str, tenant: &TenantRef, agent: &str) -> Option<Pause> {
    let tenant = context.caches.tenants.get("", &tenant.name)?;
    pause(&tenant)
        .or_else(|| agent_pause(&*context.caches.agents.get(namespace, agent)?, &tenant.spec.display_name))
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

fn agent_state(context: &Context, namespace: &str, name: &str) -> AgentState {
    match context.caches.agents.get(namespace, name) {
        Some(agent) if agent.metadata.deletion_timestamp.is_some() => AgentState::Missing,
        None => AgentState::Missing,
        Some(agent) if agent.status.as_ref().is_some_and(|status| status.revision().is_some()) => {
            AgentState::Compiled
        }
        Some(_) => AgentState::NotCompiled,
    }
}

fn rival(context: &Context, connection: &ChannelConnection, slack: &Slack) -> Option<Rival> {
    let all = context.caches.connections.all();
    let claimants = all.iter().filter(|other| {
        let same_account = other.spec.slack.as_ref().is_some_and(|other| other.team_id == slack.team_id);
        let in_force = matches!(context.tenancy(namespace_of(&***other)), Tenancy::Tenant(_));
        same_account && in_force
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
