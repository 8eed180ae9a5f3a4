//! Every CEL rule of the schemas has an accepted and a refused case in the corpus.

use std::collections::{BTreeMap, BTreeSet};

use konstruct_crds::admission::{review, schema};
use kube::core::cel::compile_schema;
use serde_json::Value;

use crate::corpus::{self, Case};

const KINDS: [&str; 5] = ["Plan", "Tenant", "Agent", "ChannelConnection", "LLMProvider"];

/// A rule: its kind, the field it is about with `[]` for any entry, and its message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rule {
    kind: String,
    field: String,
    message: String,
    transition: bool,
}

fn collect(kind: &str, schema: &Value, field: &str, rules: &mut BTreeSet<Rule>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let message = rule["message"].as_str().expect("every rule has a message").to_owned();
        let transition = rule["rule"].as_str().is_some_and(|text| text.contains("oldSelf"));
        rules.insert(Rule { kind: kind.to_owned(), field: field.to_owned(), message, transition });
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = if field.is_empty() { name.clone() } else { format!("{field}.{name}") };
        collect(kind, property, &path, rules);
    }
    if schema["items"].is_object() {
        collect(kind, &schema["items"], &format!("{field}[]"), rules);
    }
}

fn all_rules() -> BTreeSet<Rule> {
    let mut rules = BTreeSet::new();
    for kind in KINDS {
        collect(kind, schema(kind).unwrap(), "", &mut rules);
    }
    rules
}

fn kind_of(case: &Case) -> &str {
    case.object["kind"].as_str().unwrap()
}

/// `spec.models[3].provider` as the schema names it.
fn without_indices(field: &str) -> String {
    let mut depth = false;
    field
        .chars()
        .filter(|character| {
            let keep = !depth || *character == ']';
            depth = (depth || *character == '[') && *character != ']';
            keep
        })
        .collect()
}

/// Whether the object has a value at a field as the schema names it.
fn has(object: &Value, field: &str) -> bool {
    let Some((first, rest)) = field.split_once('.') else { return has_one(object, field, "") };
    has_one(object, first, rest)
}

fn has_one(object: &Value, name: &str, rest: &str) -> bool {
    if name.is_empty() {
        return true;
    }
    let reached = |value: &Value| !value.is_null() && (rest.is_empty() || has(value, rest));
    match name.strip_suffix("[]") {
        Some(list) => object[list].as_array().is_some_and(|items| items.iter().any(reached)),
        None => reached(&object[name]),
    }
}

#[test]
fn every_rule_compiles() {
    for kind in KINDS {
        let compiled = compile_schema(schema(kind).unwrap());
        assert!(!compiled.has_errors(), "{kind}: {:?}", compiled.compilation_errors());
    }
}

#[test]
fn every_rule_has_a_refused_case() {
    let mut refused: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for case in corpus::load("refused") {
        for refusal in review(&case.object, case.previous.as_ref()) {
            let key = (kind_of(&case).to_owned(), without_indices(&refusal.field));
            refused.entry(key).or_default().insert(refusal.message);
        }
    }
    for rule in all_rules() {
        let messages = refused.get(&(rule.kind.clone(), rule.field.clone()));
        assert!(
            messages.is_some_and(|messages| messages.contains(&rule.message)),
            "no refused case: {rule:?}"
        );
    }
}

#[test]
fn every_rule_has_an_accepted_case() {
    let accepted = corpus::load("accepted");
    for rule in all_rules() {
        // A default counts: the rule judges it as it judges a written value.
        let field = rule.field.rsplit_once(".baseUrl").map_or(rule.field.as_str(), |(endpoint, _)| endpoint);
        let judged = |case: &Case| {
            kind_of(case) == rule.kind
                && has(&case.object, field)
                && (!rule.transition || case.previous.as_ref().is_some_and(|previous| has(previous, field)))
        };
        assert!(accepted.iter().any(judged), "no accepted case: {rule:?}");
    }
}
