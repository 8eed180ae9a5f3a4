//! Can this agent answer? Pure.

use konstruct_crds::{Agent, AgentSpec, ModelEntry, Reason};
use konstruct_domain::ids::{AgentName, ProviderName};
use konstruct_domain::snapshot::{ModelChoice, ProviderOwner};
use kube::ResourceExt;

use super::dereference::{Dereferenced, ProviderFacts};
use crate::Problem;

/// Longer lists of models do not help in a message.
const MODELS_NAMED: usize = 10;

#[derive(Clone, Debug)]
pub struct Validated {
    pub(super) name: AgentName,
    pub(super) spec: AgentSpec,
    pub(super) models: Vec<ModelChoice>,
    /// Why no model of the chain can answer now, if that is known. Not part of the snapshot.
    pub(super) fault: Option<String>,
}

pub fn validate(agent: &Agent, found: &Dereferenced) -> Result<Validated, Vec<Problem>> {
    let mut problems = Vec::new();
    let name = agent.name_any().parse::<AgentName>();
    if let Err(error) = &name {
        problems.push(Problem::new(Reason::InvalidSpec, "metadata.name", error.to_string()));
    }
    if agent.spec.models.is_empty() {
        problems.push(Problem::new(Reason::InvalidSpec, "spec.models", "is empty: name at least one model"));
    }
    problems.extend(found.over_limit.map(|limit| Problem::too_many("agents", limit)));
    if found.without_room {
        problems.push(no_room());
    }
    let mut links = Vec::new();
    for (index, entry) in agent.spec.models.iter().enumerate() {
        match link(index, entry, found) {
            Ok(link) => links.push(link),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() && !links.iter().any(|(_, facts)| facts.compiled) {
        problems.push(not_compiled(&agent.spec));
    }
    match name {
        Ok(name) if problems.is_empty() => {
            let fault = fault(&links);
            let models = links.into_iter().map(|(choice, _)| choice).collect();
            Ok(Validated { name, spec: agent.spec.clone(), models, fault })
        }
        _ => Err(problems),
    }
}

/// What it did before goes on: it is no reason to leave anybody without an answer.
fn no_room() -> Problem {
    Problem::new(
        Reason::NoRoomForPod,
        "spec.isolation",
        "the quota of the namespace has no room for a pod of its own: ask for a larger quota, delete an older dedicated agent, \
         or set isolation to Shared",
    )
}

/// The provider that one entry of the chain means.
fn link<'a>(
    index: usize,
    entry: &ModelEntry,
    found: &'a Dereferenced,
) -> Result<(ModelChoice, &'a ProviderFacts), Problem> {
    let field = |name: &str| format!("spec.models[{index}].{name}");
    let name = &entry.provider;
    let (owner, facts) = match (found.own.get(name), found.shared.get(name)) {
        (Some(own), _) => (ProviderOwner::Tenant, own),
        (None, Some(shared)) if shared.allowed_tenants.allows(&found.slug) => {
            (ProviderOwner::Platform, shared)
        }
        (None, Some(_)) => {
            return Err(Problem::new(
                Reason::ProviderNotAllowed,
                field("provider"),
                format!(
                    "shared LLMProvider {name:?} does not allow tenant {:?}: ask the platform's administrator to add it to \
                     allowedTenants, or name another provider",
                    found.slug.as_str()
                ),
            ));
        }
        (None, None) => {
            return Err(Problem::new(
                Reason::MissingProvider,
                field("provider"),
                format!(
                    "LLMProvider {name:?} does not exist in this namespace or among the shared ones: create it or name another"
                ),
            ));
        }
    };
    if !facts.models.contains(&entry.model) {
        return Err(Problem::new(
            Reason::UnknownModel,
            field("model"),
            format!(
                "LLMProvider {name:?} does not list the model {:?}: name one of {}, or add it to the provider's spec.models",
                entry.model,
                list(&facts.models)
            ),
        ));
    }
    let provider = name
        .parse::<ProviderName>()
        .map_err(|error| Problem::new(Reason::InvalidSpec, field("provider"), error.to_string()))?;
    let choice = ModelChoice {
        provider,
        owner,
        model: entry.model.clone(),
        max_output_tokens: entry.max_output_tokens,
        temperature_milli: entry.temperature_milli,
    };
    Ok((choice, facts))
}

/// One provider that works is enough to serve; the others say for themselves what is wrong with them.
fn not_compiled(spec: &AgentSpec) -> Problem {
    let names: Vec<String> = spec.models.iter().map(|entry| entry.provider.clone()).collect();
    Problem::new(
        Reason::ProviderNotReady,
        "spec.models",
        format!(
            "no LLMProvider of the chain has been compiled yet: look at the conditions of {}",
            list(&names)
        ),
    )
}

fn fault(links: &[(ModelChoice, &ProviderFacts)]) -> Option<String> {
    let (first, facts) = links.first()?;
    let all_faulty = links.iter().all(|(_, facts)| facts.fault.is_some() || !facts.compiled);
    let why = facts.fault.as_deref().unwrap_or("it has not been compiled yet");
    all_faulty.then(|| format!("no LLMProvider of the chain is ready; {}: {why}", first.provider))
}

fn list(names: &[String]) -> String {
    let mut text: Vec<&str> = Vec::new();
    for name in names {
        if !text.contains(&name.as_str()) {
            text.push(name);
        }
    }
    let more = text.len().saturating_sub(MODELS_NAMED);
    text.truncate(MODELS_NAMED);
    let text = text.join(", ");
    if more == 0 { text } else { format!("{text} and {more} more") }
}
