//! Can this provider be asked? Pure.

use std::collections::BTreeMap;

use konstruct_crds::{Anthropic, Endpoint, LLMProvider, LLMProviderSpec, OpenAi, Reason, Scripted};
use konstruct_domain::ids::ProviderName;
use konstruct_domain::money::Price;
use konstruct_domain::snapshot::{AllowedTenants, ScriptedRule};
use konstruct_domain::{Money, Slug};
use kube::ResourceExt;
use regex::RegexBuilder;

use super::dereference::{Dereferenced, api_key_ref};
use crate::Problem;
use crate::framework::secrets::{self, ResolvedSecret};

/// Keeps one tenant's pattern from taking the memory of all.
const PATTERN_SIZE_MAX: usize = 256 * 1024;

#[derive(Clone, Debug)]
pub struct Validated {
    pub(super) name: ProviderName,
    pub(super) endpoint: ValidEndpoint,
    pub(super) models: Vec<String>,
    pub(super) image_models: Vec<String>,
    pub(super) timeout_seconds: u16,
    pub(super) allowed_tenants: AllowedTenants,
    pub(super) prices: BTreeMap<String, Price>,
}

#[derive(Clone, Debug)]
pub(super) enum ValidEndpoint {
    Anthropic { base_url: String, api_key: ResolvedSecret },
    OpenAi { base_url: String, api_key: Option<ResolvedSecret> },
    Scripted { rules: Vec<ScriptedRule> },
}

pub fn validate(provider: &LLMProvider, found: &Dereferenced) -> Result<Validated, Vec<Problem>> {
    let mut problems = Vec::new();
    let name = provider.name_any().parse::<ProviderName>();
    if let Err(error) = &name {
        problems.push(Problem::new(Reason::InvalidSpec, "metadata.name", error.to_string()));
    }
    let endpoint = endpoint(provider, found, &mut problems);
    let allowed_tenants = match shared_with(&provider.spec, found.shared) {
        Ok(allowed) => allowed,
        Err(more) => {
            problems.extend(more);
            AllowedTenants::None
        }
    };
    let spec = &provider.spec;
    if spec.models.is_empty() {
        problems.push(Problem::new(Reason::InvalidSpec, "spec.models", "is empty: list at least one model"));
    }
    let image_models = match image_models(spec) {
        Ok(models) => models,
        Err(problem) => {
            problems.push(problem);
            Vec::new()
        }
    };
    let prices = prices(spec, &mut problems);
    match (name, endpoint) {
        (Ok(name), Some(endpoint)) if problems.is_empty() => Ok(Validated {
            name,
            endpoint,
            image_models,
            models: spec.models.clone(),
            timeout_seconds: spec.timeout_seconds,
            allowed_tenants,
            prices,
        }),
        _ => Err(problems),
    }
}

/// Those that see pictures: all of Anthropic's do.
fn image_models(spec: &LLMProviderSpec) -> Result<Vec<String>, Problem> {
    let Some(declared) = &spec.image_models else {
        let all = spec.anthropic.is_some();
        return Ok(if all { spec.models.clone() } else { Vec::new() });
    };
    match declared.iter().enumerate().find(|(_, model)| !spec.models.contains(model)) {
        None => Ok(declared.clone()),
        Some((index, model)) => Err(Problem::new(
            Reason::InvalidSpec,
            format!("spec.imageModels[{index}]"),
            format!("{model:?} is not one of spec.models: add it there or remove it here"),
        )),
    }
}

fn endpoint(
    provider: &LLMProvider,
    found: &Dereferenced,
    problems: &mut Vec<Problem>,
) -> Option<ValidEndpoint> {
    let api_key = match key(provider, found) {
        Ok(api_key) => api_key,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let result = match provider.spec.endpoint() {
        None => Err(vec![Problem::new(
            Reason::InvalidSpec,
            "spec",
            "set exactly one of anthropic, openai and scripted",
        )]),
        Some(Endpoint::Anthropic(Anthropic { base_url, .. })) => {
            let api_key = api_key.ok_or_else(|| {
                vec![Problem::new(
                    Reason::InvalidSpec,
                    "spec.anthropic.apiKeyRef",
                    "is missing: Anthropic needs an API key",
                )]
            });
            valid_url("spec.anthropic.baseUrl", base_url)
                .and_then(|base_url| Ok(ValidEndpoint::Anthropic { base_url, api_key: api_key? }))
        }
        Some(Endpoint::OpenAi(OpenAi { base_url, .. })) => valid_url("spec.openai.baseUrl", base_url)
            .map(|base_url| ValidEndpoint::OpenAi { base_url, api_key }),
        Some(Endpoint::Scripted(Scripted { rules })) => {
            valid_rules(rules).map(|rules| ValidEndpoint::Scripted { rules })
        }
    };
    result.map_err(|more| problems.extend(more)).ok()
}

fn key(provider: &LLMProvider, found: &Dereferenced) -> Result<Option<ResolvedSecret>, Problem> {
    match (api_key_ref(provider), &found.api_key) {
        (Some((field, reference)), Some(lookup)) => {
            secrets::require(lookup, reference, field).cloned().map(Some)
        }
        _ => Ok(None),
    }
}

/// The schema checks more; this keeps a manifest that never saw an API server from failing later and less clearly.
fn valid_url(field: &str, url: &str) -> Result<String, Vec<Problem>> {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'))
        && !url.contains(['?', '#', '@', ' '])
    {
        // A path is appended to it.
        return Ok(url.trim_end_matches('/').to_owned());
    }
    let message = format!(
        "{url:?} cannot be used: write an http or https URL without query, fragment and credentials, such as \
         https://api.openai.com/v1"
    );
    Err(vec![Problem::new(Reason::InvalidSpec, field, message)])
}

fn valid_rules(rules: &[konstruct_crds::ScriptedRule]) -> Result<Vec<ScriptedRule>, Vec<Problem>> {
    let mut problems = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let Some(pattern) = &rule.pattern else { continue };
        if let Err(error) = RegexBuilder::new(pattern).size_limit(PATTERN_SIZE_MAX).build() {
            let field = format!("spec.scripted.rules[{index}].match");
            problems.push(Problem::new(
                Reason::InvalidSpec,
                field,
                format!("is no regular expression: {error}"),
            ));
        }
    }
    if rules.is_empty() {
        problems.push(Problem::new(
            Reason::InvalidSpec,
            "spec.scripted.rules",
            "is empty: write at least one rule",
        ));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(rules
        .iter()
        .map(|rule| ScriptedRule { pattern: rule.pattern.clone(), reply: rule.reply.clone() })
        .collect())
}

fn prices(spec: &LLMProviderSpec, problems: &mut Vec<Problem>) -> BTreeMap<String, Price> {
    let mut prices = BTreeMap::new();
    for (index, price) in spec.prices.iter().enumerate() {
        let mut amount = |field: &str, text: &str| {
            text.parse::<Money>().unwrap_or_else(|error| {
                let field = format!("spec.prices[{index}].{field}");
                problems.push(Problem::new(Reason::InvalidSpec, field, format!("{text:?} {error}")));
                Money::default()
            })
        };
        let input = amount("inputPerMillion", &price.input_per_million);
        let output = amount("outputPerMillion", &price.output_per_million);
        prices.insert(price.model.clone(), Price { input, output });
    }
    prices
}

/// Who may use the provider besides its own tenant.
pub fn shared_with(spec: &LLMProviderSpec, shared: bool) -> Result<AllowedTenants, Vec<Problem>> {
    let Some(allowed) = spec.allowed_tenants.as_ref().filter(|_| shared) else {
        return Ok(AllowedTenants::None);
    };
    if allowed.all == Some(true) {
        return Ok(AllowedTenants::All);
    }
    let mut problems = Vec::new();
    let mut slugs: Vec<Slug> = Vec::new();
    for (index, slug) in allowed.slugs.iter().flatten().enumerate() {
        match slug.parse() {
            Ok(slug) => slugs.push(slug),
            Err(error) => {
                let field = format!("spec.allowedTenants.slugs[{index}]");
                problems.push(Problem::new(Reason::InvalidSpec, field, format!("{slug:?} {error}")));
            }
        }
    }
    if problems.is_empty() { Ok(AllowedTenants::Slugs(slugs)) } else { Err(problems) }
}
