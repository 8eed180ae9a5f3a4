//! Every field of the spec lands in the snapshot, and every mistake is said with its field.
#![allow(clippy::needless_pass_by_value, reason = "a fixture reads best as `agent(json!(…))`")]

use konstruct_crds::{LLMProvider, Reason};
use konstruct_domain::snapshot::{AllowedTenants, ProviderEndpoint, SecretField};
use konstruct_store::Keyring;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::dereference::{Dereferenced, api_key_ref};
use super::{build, validate};
use crate::Problem;
use crate::framework::secrets::{SecretLookup, look_up};

fn provider(spec: Value) -> LLMProvider {
    serde_json::from_value(json!({"metadata": {"name": "main", "namespace": "kt-acme"}, "spec": spec}))
        .unwrap()
}

fn key(value: &str) -> SecretLookup {
    let keyring = Keyring::new(None, Some([2; 32]));
    let data = [("key".to_owned(), value.as_bytes().to_vec())].into();
    let reference = konstruct_crds::SecretKeyRef { name: "secret".to_owned(), key: "key".to_owned() };
    look_up(&keyring, SecretField::ProviderApiKey, Some(&data), &reference).unwrap()
}

fn validated(
    spec: Value,
    shared: bool,
    api_key: Option<SecretLookup>,
) -> Result<super::Validated, Vec<Problem>> {
    validate::validate(&provider(spec), &Dereferenced { shared, api_key })
}

fn problems(spec: Value, api_key: Option<SecretLookup>) -> Vec<(Reason, String)> {
    let problems = validated(spec, true, api_key).unwrap_err();
    problems.into_iter().map(|problem| (problem.reason, problem.field)).collect()
}

fn anthropic() -> Value {
    json!({
        "anthropic": {"baseUrl": "https://models.example.com/", "apiKeyRef": {"name": "secret", "key": "key"}},
        "models": ["claude-1", "claude-2"],
        "timeoutSeconds": 7,
    })
}

#[test]
fn every_field_of_a_provider_lands_in_its_snapshot() {
    let valid = validated(anthropic(), false, Some(key("sk-1"))).unwrap();
    let snapshot = build::snapshot(&valid);
    assert_eq!(snapshot.name.as_str(), "main");
    assert_eq!(snapshot.models, ["claude-1", "claude-2"]);
    assert_eq!(snapshot.image_models, ["claude-1", "claude-2"], "all of Anthropic's see");
    let mut one = anthropic();
    one["imageModels"] = json!(["claude-2"]);
    let seeing = build::snapshot(&validated(one.clone(), false, Some(key("sk-1"))).unwrap());
    assert_eq!(seeing.image_models, ["claude-2"]);
    one["imageModels"] = json!(["claude-2", "claude-9"]);
    assert_eq!(problems(one, Some(key("sk-1"))), [(Reason::InvalidSpec, "spec.imageModels[1]".to_owned())]);
    assert_eq!(snapshot.timeout_seconds, 7);
    let ProviderEndpoint::Anthropic { base_url, api_key } = &snapshot.endpoint else {
        panic!("{snapshot:?}")
    };
    assert_eq!(base_url, "https://models.example.com", "a path is appended");
    assert_eq!(api_key.field, SecretField::ProviderApiKey);
    let secrets = build::secrets(&valid);
    assert_eq!(secrets.len(), 1);
    assert_eq!(secrets[0].1.expose_secret(), "sk-1");
    assert!(!serde_json::to_string(&snapshot).unwrap().contains("sk-1"), "no secret in a snapshot");
}

#[test]
fn a_rotated_key_is_another_snapshot() {
    let snapshot = |value| build::snapshot(&validated(anthropic(), false, Some(key(value))).unwrap());
    assert_eq!(snapshot("sk-1"), snapshot("sk-1"));
    assert_ne!(snapshot("sk-1"), snapshot("sk-2"));
}

#[test]
fn openai_and_scripted_providers() {
    let spec = json!({"openai": {"baseUrl": "http://ollama:11434/v1"}, "models": ["llama"]});
    let snapshot = build::snapshot(&validated(spec, false, None).unwrap());
    assert_eq!(
        snapshot.endpoint,
        ProviderEndpoint::OpenAi { base_url: "http://ollama:11434/v1".to_owned(), api_key: None }
    );

    let spec = json!({
        "scripted": {"rules": [{"match": "(?i)hello", "reply": "Hi"}, {"reply": "What?"}]}, "models": ["demo"]
    });
    let snapshot = build::snapshot(&validated(spec, false, None).unwrap());
    let ProviderEndpoint::Scripted { rules } = snapshot.endpoint else { panic!() };
    assert_eq!(rules[0].pattern.as_deref(), Some("(?i)hello"));
    assert_eq!((rules[1].pattern.as_deref(), rules[1].reply.as_str()), (None, "What?"));
}

#[test]
fn a_provider_is_shared_only_from_the_operators_namespace_and_only_with_whom_it_names() {
    let allowed = |allowed: Value, shared: bool| {
        let mut spec = anthropic();
        spec["allowedTenants"] = allowed;
        build::snapshot(&validated(spec, shared, Some(key("sk"))).unwrap()).allowed_tenants
    };
    assert_eq!(allowed(Value::Null, true), AllowedTenants::None);
    assert_eq!(allowed(json!({"all": true}), true), AllowedTenants::All);
    assert_eq!(allowed(json!({"all": true}), false), AllowedTenants::None);
    let some = allowed(json!({"slugs": ["acme"]}), true);
    assert!(some.allows(&"acme".parse().unwrap()) && !some.allows(&"globex".parse().unwrap()));
}

#[test]
fn mistakes_are_said_with_their_field() {
    let missing = Some(SecretLookup::MissingSecret);
    assert_eq!(
        problems(anthropic(), missing),
        [(Reason::MissingSecret, "spec.anthropic.apiKeyRef.name".to_owned())]
    );
    assert_eq!(
        problems(anthropic(), Some(SecretLookup::MissingKey)),
        [(Reason::MissingSecretKey, "spec.anthropic.apiKeyRef.key".to_owned())]
    );
    assert_eq!(
        problems(anthropic(), Some(key("two words"))),
        [(Reason::InvalidSecret, "spec.anthropic.apiKeyRef".to_owned())]
    );
    let url = json!({"openai": {"baseUrl": "ftp://x"}, "models": ["m"]});
    assert_eq!(problems(url, None), [(Reason::InvalidSpec, "spec.openai.baseUrl".to_owned())]);
    let pattern = json!({"scripted": {"rules": [{"match": "(", "reply": "x"}]}, "models": ["m"]});
    assert_eq!(problems(pattern, None), [(Reason::InvalidSpec, "spec.scripted.rules[0].match".to_owned())]);
    let huge = json!({"scripted": {"rules": [{"match": "(a{1000}){1000}", "reply": "x"}]}, "models": ["m"]});
    assert_eq!(problems(huge, None), [(Reason::InvalidSpec, "spec.scripted.rules[0].match".to_owned())]);
    assert_eq!(problems(json!({"models": ["m"]}), None), [(Reason::InvalidSpec, "spec".to_owned())]);
    let mut slug = anthropic();
    slug["allowedTenants"] = json!({"slugs": ["acme", "Not a slug"]});
    assert_eq!(
        problems(slug, Some(key("sk"))),
        [(Reason::InvalidSpec, "spec.allowedTenants.slugs[1]".to_owned())]
    );
}

#[test]
fn the_key_is_found_where_the_spec_names_it() {
    let openai = json!({"openai": {"apiKeyRef": {"name": "a", "key": "b"}}, "models": ["m"]});
    assert_eq!(api_key_ref(&provider(openai)).unwrap().0, "spec.openai.apiKeyRef");
    assert_eq!(api_key_ref(&provider(anthropic())).unwrap().0, "spec.anthropic.apiKeyRef");
    let scripted = json!({"scripted": {"rules": [{"reply": "x"}]}, "models": ["m"]});
    assert!(api_key_ref(&provider(scripted)).is_none());
}

mod statuses {
    use konstruct_crds::conditions::ResourceStatus;
    use konstruct_crds::{ConditionStatus, ConditionType};
    use konstruct_domain::observation::{Condition, Observation};

    use super::*;
    use crate::framework::publish::Applied;
    use crate::llm_provider::status;
    use crate::recorded::{recorded, recorded_new};

    fn observation(condition: Condition, ok: bool, reason: &str) -> Observation {
        Observation { condition, ok, reason: reason.to_owned(), message: "look here".to_owned() }
    }

    #[test]
    fn ready_waits_for_the_ai_gateway_and_believes_what_it_saw() {
        let provider = provider(anthropic());
        let waiting = status::published(&provider, &Applied::for_test("r1", false, vec![]));
        assert_eq!(waiting.condition(ConditionType::Ready).unwrap().reason, "WaitingForLoad");
        assert!(waiting.condition(ConditionType::Reconciling).unwrap().is_true());

        let ready = status::published(&provider, &Applied::for_test("r1", true, vec![]));
        assert!(ready.condition(ConditionType::Ready).unwrap().is_true());
        assert_eq!(
            ready.condition(ConditionType::CredentialsValid).unwrap().status,
            ConditionStatus::Unknown
        );

        let refused = observation(Condition::CredentialsValid, false, "CredentialsRejected");
        let refused = status::published(&provider, &Applied::for_test("r1", true, vec![refused]));
        let condition = refused.condition(ConditionType::Ready).unwrap();
        assert_eq!(
            (condition.status, condition.reason.as_str()),
            (ConditionStatus::False, "CredentialsRejected")
        );
        assert_eq!(condition.message, "look here");
        assert!(refused.condition(ConditionType::Stalled).unwrap().is_true());
    }

    #[test]
    fn recorded_for_health_checks() {
        let mut provider = provider(anthropic());
        provider.metadata.generation = Some(1);
        recorded_new("progressing_new", &provider);
        let published = |loaded, seen| status::published(&provider, &Applied::for_test("r1", loaded, seen));
        recorded("healthy", &provider, &published(true, vec![]));
        recorded("progressing_load", &provider, &published(false, vec![]));
        let refused = observation(Condition::CredentialsValid, false, "CredentialsRejected");
        recorded("degraded_credentials_rejected", &provider, &published(true, vec![refused]));
    }

    #[test]
    fn a_reason_of_another_version_is_replaced_by_one_that_is_documented() {
        let seen = observation(Condition::Reachable, false, "SolarFlare");
        let status = status::published(&provider(anthropic()), &Applied::for_test("r1", true, vec![seen]));
        assert_eq!(status.condition(ConditionType::Reachable).unwrap().reason, "ProviderUnreachable");
    }
}
