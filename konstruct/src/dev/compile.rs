//! From declared objects to snapshots, with the operator's own code.

use std::collections::{BTreeMap, BTreeSet};

use konstruct_controllers::channel_connection::dereference::AgentState;
use konstruct_controllers::tenant::TenantLimits;
use konstruct_controllers::{agent, channel_connection, llm_provider, tenant};
use konstruct_crds::TenantState;
use konstruct_domain::snapshot::{
    AgentSnapshot, ConnectionSnapshot, Pause, ProviderEndpoint, ProviderOwner, ProviderSnapshot, SecretField,
    TenantSnapshot,
};
use konstruct_domain::{Kind, Slug, TenantId};
use konstruct_store::{KeyError, Keyring};
use kube::ResourceExt;
use secrecy::SecretString;

use super::admission::{Object, Objects};
use super::document::Source;
use super::lookup;
use super::model::FoundModel;
use super::problem::Problem;

/// The operator's own namespace, where shared LLMProviders live.
pub(crate) const SYSTEM_NAMESPACE: &str = "konstruct-system";

/// Whose object it is, and which.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) tenant: TenantId,
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

#[derive(Clone, Debug)]
pub(crate) enum Snapshot {
    Tenant(TenantSnapshot),
    Provider(ProviderSnapshot),
    Agent(AgentSnapshot),
    Connection(Box<ConnectionSnapshot>),
}

/// A snapshot to put in force, with what it needs.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) snapshot: Snapshot,
    pub(crate) secrets: Vec<(SecretField, SecretString)>,
    /// Channel type and account that nobody else may have.
    pub(crate) account: Option<(String, String)>,
    /// Where it is declared; None for what dev adds itself.
    pub(crate) source: Option<Source>,
}

/// A tenant that is declared and valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CompiledTenant {
    pub(crate) id: TenantId,
    pub(crate) display_name: String,
    pub(crate) state: TenantState,
    pub(crate) limits: TenantLimits,
    /// Present while the tenant is suspended.
    pub(crate) pause: Option<Pause>,
}

/// What the declared objects come to.
#[derive(Debug, Default)]
pub(crate) struct Compiled {
    /// Of every declared tenant, also of those that cannot be set up.
    pub(crate) slugs: BTreeSet<Slug>,
    pub(crate) tenants: BTreeMap<Slug, CompiledTenant>,
    pub(crate) items: BTreeMap<Key, Item>,
    /// Everything that is declared, whether or not it compiles: the last good version of it stays in force.
    pub(crate) declared: BTreeSet<Key>,
    pub(crate) problems: Vec<Problem>,
}

/// What is known from elsewhere.
pub(crate) struct Known<'a> {
    pub(crate) keyring: &'a Keyring,
    /// What is in force, perhaps since an earlier run.
    pub(crate) in_force: &'a BTreeSet<Key>,
    pub(crate) model: Option<&'a FoundModel>,
}

impl Compiled {
    fn tenant_of(&self, namespace: &str) -> Option<(Slug, CompiledTenant)> {
        let owner = self.tenants.iter().find(|(slug, _)| slug.namespace() == namespace);
        owner.map(|(slug, tenant)| (slug.clone(), tenant.clone()))
    }

    /// Whether a role runs that loads it: the runtime of a suspended tenant does not.
    pub(crate) fn is_served(&self, key: &Key) -> bool {
        let stopped = self
            .tenants
            .values()
            .any(|tenant| tenant.id == key.tenant && tenant.state != TenantState::Active);
        !(stopped && matches!(key.kind, Kind::Tenant | Kind::Agent))
    }

    /// The tenant's name for people; the platform's own word for what it shares.
    pub(crate) fn tenant_name(&self, id: TenantId) -> String {
        let tenant = self.tenants.values().find(|tenant| tenant.id == id);
        tenant.map_or_else(|| "the platform".to_owned(), |tenant| tenant.display_name.clone())
    }

    /// The agent's name for people.
    pub(crate) fn agent_name(&self, tenant: TenantId, name: &str) -> String {
        let key = Key { tenant, kind: Kind::Agent, name: name.to_owned() };
        match self.items.get(&key).map(|item| &item.snapshot) {
            Some(Snapshot::Agent(agent)) => agent.display_name.clone(),
            _ => key.name,
        }
    }

    /// "Agent ada of Acme Tools".
    pub(crate) fn describe(&self, key: &Key) -> String {
        format!("{} {} of {}", key.kind, key.name, self.tenant_name(key.tenant))
    }

    fn refuse<K>(&mut self, object: &Object<K>, problems: Vec<konstruct_controllers::Problem>) {
        let located =
            problems.into_iter().map(|problem| object.source.problem(&problem.field, problem.message));
        self.problems.extend(located);
    }

    fn refuse_namespace<K>(&mut self, object: &Object<K>, namespace: &str) {
        let message = format!(
            "no Tenant has the namespace {namespace:?}: declare the Tenant, or write kt- and the slug of one that is declared"
        );
        self.problems.push(object.source.problem("metadata.namespace", message));
    }
}

impl<K> Object<K> {
    fn item(
        &self,
        snapshot: Snapshot,
        secrets: Vec<(SecretField, SecretString)>,
        account: Option<(String, String)>,
    ) -> Item {
        Item { snapshot, secrets, account, source: Some(self.source.clone()) }
    }
}

/// Compiles in the order of dependence, so that each step knows what the ones before it have come to.
pub(crate) fn compile(objects: &Objects, known: &Known<'_>) -> Result<Compiled, KeyError> {
    let mut compiled = Compiled::default();
    compile_tenants(objects, &mut compiled);
    if let Some(model) = known.model {
        let (snapshot, secrets) = model.snapshot(known.keyring)?;
        let key = Key { tenant: TenantId::PLATFORM, kind: Kind::LLMProvider, name: model.name().to_string() };
        compiled.declared.insert(key.clone());
        compiled.items.insert(
            key,
            Item { snapshot: Snapshot::Provider(snapshot), secrets, account: None, source: None },
        );
    }
    compile_providers(objects, known, &mut compiled)?;
    compile_agents(objects, known, &mut compiled);
    compile_connections(objects, known, &mut compiled)?;
    Ok(compiled)
}

fn compile_tenants(objects: &Objects, compiled: &mut Compiled) {
    for declared in &objects.tenants {
        compiled.slugs.extend(declared.object.spec.slug.parse::<Slug>());
        let found = lookup::of_tenant(&declared.object, objects);
        match tenant::validate::validate(&declared.object, &found) {
            Ok(valid) => {
                let snapshot = tenant::build::snapshot(&valid);
                let key = Key { tenant: found.id, kind: Kind::Tenant, name: snapshot.slug.to_string() };
                let tenant = CompiledTenant {
                    id: found.id,
                    display_name: snapshot.display_name.clone(),
                    state: declared.object.spec.state,
                    limits: valid.limits(),
                    pause: channel_connection::dereference::pause(&declared.object),
                };
                compiled.tenants.insert(snapshot.slug.clone(), tenant);
                compiled.declared.insert(key.clone());
                compiled.items.insert(key, declared.item(Snapshot::Tenant(snapshot), Vec::new(), None));
            }
            Err(problems) => compiled.refuse(declared, problems),
        }
    }
}

fn compile_providers(objects: &Objects, known: &Known<'_>, compiled: &mut Compiled) -> Result<(), KeyError> {
    for declared in &objects.providers {
        let namespace = declared.object.namespace().unwrap_or_default();
        let shared = namespace == SYSTEM_NAMESPACE;
        let owner = if shared {
            Some(TenantId::PLATFORM)
        } else {
            compiled.tenant_of(&namespace).map(|(_, tenant)| tenant.id)
        };
        let Some(tenant) = owner else {
            compiled.refuse_namespace(declared, &namespace);
            continue;
        };
        let key = Key { tenant, kind: Kind::LLMProvider, name: declared.object.name_any() };
        compiled.declared.insert(key.clone());
        let found = lookup::of_provider(&declared.object, shared, &objects.secrets, known.keyring)?;
        match llm_provider::validate::validate(&declared.object, &found) {
            Ok(valid) => {
                let snapshot = Snapshot::Provider(llm_provider::build::snapshot(&valid));
                let secrets = llm_provider::build::secrets(&valid);
                compiled.items.insert(key, declared.item(snapshot, secrets, None));
            }
            Err(problems) => compiled.refuse(declared, problems),
        }
    }
    Ok(())
}

fn compile_agents(objects: &Objects, known: &Known<'_>, compiled: &mut Compiled) {
    for declared in &objects.agents {
        let namespace = declared.object.namespace().unwrap_or_default();
        let Some((slug, tenant)) = compiled.tenant_of(&namespace) else {
            compiled.refuse_namespace(declared, &namespace);
            continue;
        };
        let key = Key { tenant: tenant.id, kind: Kind::Agent, name: declared.object.name_any() };
        let is_in_force = |key: &Key| in_force(compiled, known, key);
        let found = lookup::of_agent(&declared.object, slug, &tenant, objects, is_in_force);
        if found.over_limit.is_none() {
            compiled.declared.insert(key.clone());
        }
        match agent::validate::validate(&declared.object, &found) {
            Ok(valid) => {
                // All employees of a tenant run in this process.
                let mut snapshot = AgentSnapshot { dedicated: false, ..agent::build::snapshot(&valid) };
                if let Some(model) = known.model
                    && only_scripted(&snapshot, tenant.id, compiled)
                {
                    model.lead(&mut snapshot);
                }
                compiled.items.insert(key, declared.item(Snapshot::Agent(snapshot), Vec::new(), None));
            }
            Err(problems) => compiled.refuse(declared, problems),
        }
    }
}

fn compile_connections(
    objects: &Objects,
    known: &Known<'_>,
    compiled: &mut Compiled,
) -> Result<(), KeyError> {
    for declared in &objects.connections {
        let namespace = declared.object.namespace().unwrap_or_default();
        let Some((_, tenant)) = compiled.tenant_of(&namespace) else {
            compiled.refuse_namespace(declared, &namespace);
            continue;
        };
        if tenant.state == TenantState::Archived {
            continue;
        }
        let key = Key { tenant: tenant.id, kind: Kind::ChannelConnection, name: declared.object.name_any() };
        let agent = Key { tenant: tenant.id, kind: Kind::Agent, name: declared.object.spec.agent.clone() };
        let agent = match (compiled.declared.contains(&agent), in_force(compiled, known, &agent)) {
            (false, _) => AgentState::Missing,
            (true, false) => AgentState::NotCompiled,
            (true, true) => AgentState::Compiled,
        };
        let found = lookup::of_connection(&declared.object, &tenant, agent, objects, known.keyring)?;
        if found.over_limit.is_none() {
            compiled.declared.insert(key.clone());
        }
        match channel_connection::validate::validate(&declared.object, &found) {
            Ok(valid) => {
                let account = valid.account().map(|(kind, account)| (kind.to_owned(), account.to_owned()));
                let snapshot = Snapshot::Connection(Box::new(channel_connection::build::snapshot(&valid)));
                let secrets = channel_connection::build::secrets(&valid);
                compiled.items.insert(key, declared.item(snapshot, secrets, account));
            }
            Err(problems) => compiled.refuse(declared, problems),
        }
    }
    Ok(())
}

fn in_force(compiled: &Compiled, known: &Known<'_>, key: &Key) -> bool {
    compiled.items.contains_key(key) || known.in_force.contains(key)
}

/// Whether no model of the chain is a real one.
fn only_scripted(agent: &AgentSnapshot, tenant: TenantId, compiled: &Compiled) -> bool {
    agent.models.iter().all(|choice| {
        let owner = match choice.owner {
            ProviderOwner::Tenant => tenant,
            ProviderOwner::Platform => TenantId::PLATFORM,
        };
        let key = Key { tenant: owner, kind: Kind::LLMProvider, name: choice.provider.to_string() };
        compiled.items.get(&key).is_some_and(|item| {
            matches!(&item.snapshot, Snapshot::Provider(provider) if matches!(provider.endpoint, ProviderEndpoint::Scripted { .. }))
        })
    })
}
