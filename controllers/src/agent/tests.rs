//! Every field of the spec lands in the snapshot, and every mistake is said with its field.
#![allow(clippy::needless_pass_by_value, reason = "a fixture reads best as `agent(json!(…))`")]

use konstruct_crds::conditions::ResourceStatus;
use konstruct_crds::{Agent, ConditionType, LLMProvider, Reason};
use konstruct_domain::snapshot::{AllowedTenants, ModelChoice, ProviderOwner};
use serde_json::{Value, json};

use super::dereference::{Dereferenced, ProviderFacts};
use super::{build, status, validate};
use crate::Error;
use crate::framework::publish::Applied;
use crate::framework::status::after_failure;
use crate::recorded::{recorded, recorded_new};

fn agent(spec: Value) -> Agent {
    serde_json::from_value(
        json!({"metadata": {"name": "ada", "namespace": "kt-acme", "generation": 3}, "spec": spec}),
    )
    .unwrap()
}

fn full() -> Value {
    json!({
        "displayName": "Ada", "role": "support", "persona": "calm", "instructions": "help",
        "models": [
            {"provider": "own", "model": "m1", "maxOutputTokens": 99, "temperatureMilli": 700},
            {"provider": "shared", "model": "m2"},
        ],
        "memory": {"windowMessages": 12},
    })
}

fn facts(models: &[&str], allowed_tenants: AllowedTenants) -> ProviderFacts {
    let models = models.iter().map(|&model| model.to_owned()).collect();
    ProviderFacts { models, allowed_tenants, compiled: true, fault: None }
}

fn world() -> Dereferenced {
    Dereferenced {
        slug: "acme".parse().unwrap(),
        own: [("own".to_owned(), facts(&["m1"], AllowedTenants::None))].into(),
        shared: [
            ("shared".to_owned(), facts(&["m2"], AllowedTenants::All)),
            ("private".to_owned(), facts(&["m3"], AllowedTenants::Slugs(vec!["globex".parse().unwrap()]))),
            ("own".to_owned(), facts(&["other"], AllowedTenants::All)),
        ]
        .into(),
        over_limit: None,
        without_room: false,
    }
}

fn problems(models: Value, found: &Dereferenced) -> Vec<(Reason, String)> {
    let mut spec = full();
    spec["models"] = models;
    let problems = validate::validate(&agent(spec), found).unwrap_err();
    problems.into_iter().map(|problem| (problem.reason, problem.field)).collect()
}

#[test]
fn every_field_of_an_agent_lands_in_its_snapshot() {
    let snapshot = build::snapshot(&validate::validate(&agent(full()), &world()).unwrap());
    assert_eq!(snapshot.name.as_str(), "ada");
    assert_eq!(
        (
            snapshot.display_name.as_str(),
            snapshot.role.as_str(),
            snapshot.persona.as_str(),
            snapshot.instructions.as_str()
        ),
        ("Ada", "support", "calm", "help")
    );
    assert_eq!(snapshot.window_messages, 12);
    assert!(!snapshot.paused);
    let mut paused = full();
    paused["state"] = json!("Paused");
    assert!(build::snapshot(&validate::validate(&agent(paused), &world()).unwrap()).paused);
    let choice = |provider: &str, owner, model: &str, max_output_tokens, temperature_milli| ModelChoice {
        provider: provider.parse().unwrap(),
        owner,
        model: model.to_owned(),
        max_output_tokens,
        temperature_milli,
    };
    assert_eq!(
        snapshot.models,
        [
            choice("own", ProviderOwner::Tenant, "m1", 99, Some(700)),
            choice("shared", ProviderOwner::Platform, "m2", 1024, None),
        ],
        "the tenant's own provider hides a shared one of the same name"
    );
}

#[test]
fn references_that_lead_nowhere_are_said_with_their_field() {
    let world = world();
    assert_eq!(
        problems(json!([{"provider": "own", "model": "m1"}, {"provider": "nobody", "model": "m"}]), &world),
        [(Reason::MissingProvider, "spec.models[1].provider".to_owned())]
    );
    assert_eq!(
        problems(json!([{"provider": "own", "model": "m9"}]), &world),
        [(Reason::UnknownModel, "spec.models[0].model".to_owned())]
    );
    assert_eq!(
        problems(json!([{"provider": "private", "model": "m3"}]), &world),
        [(Reason::ProviderNotAllowed, "spec.models[0].provider".to_owned())]
    );
    for path in ["../konstruct-system/shared", "konstruct-system/shared", ""] {
        assert_eq!(
            problems(json!([{"provider": path, "model": "m2"}]), &world)[0].0,
            Reason::MissingProvider
        );
    }
    assert_eq!(problems(json!([]), &world)[0], (Reason::InvalidSpec, "spec.models".to_owned()));
}

#[test]
fn one_compiled_provider_is_enough() {
    let mut world = world();
    world.own.get_mut("own").unwrap().compiled = false;
    assert!(validate::validate(&agent(full()), &world).is_ok());
    world.shared.get_mut("shared").unwrap().compiled = false;
    let problems = validate::validate(&agent(full()), &world).unwrap_err();
    assert_eq!(problems[0].reason, Reason::ProviderNotReady);
    assert!(problems[0].resolves_itself());
}

#[test]
fn an_agent_is_ready_when_its_runtime_has_it_and_one_provider_works() {
    let mut world = world();
    let subject = agent(full());
    let valid = validate::validate(&subject, &world).unwrap();
    let ready = status::published(&subject, &valid, &Applied::for_test("r", true, vec![]), None);
    assert!(ready.is_ready(3));
    assert_eq!(ready.revision.as_deref(), Some("r"));
    let waiting = status::published(&subject, &valid, &Applied::for_test("r", false, vec![]), None);
    assert_eq!(waiting.condition(ConditionType::Ready).unwrap().reason, "WaitingForLoad");

    for provider in [world.own.get_mut("own"), world.shared.get_mut("shared")] {
        provider.unwrap().fault = Some("the key was refused".to_owned());
    }
    let valid = validate::validate(&subject, &world).unwrap();
    let faulty = status::published(&subject, &valid, &Applied::for_test("r", true, vec![]), None);
    let condition = faulty.condition(ConditionType::Ready).unwrap();
    assert_eq!(condition.reason, "ProviderNotReady");
    assert!(condition.message.contains("the key was refused"), "{}", condition.message);
}

#[test]
fn an_edit_that_cannot_work_leaves_the_last_revision_serving_and_says_so() {
    let mut subject = agent(full());
    let valid = validate::validate(&subject, &world()).unwrap();
    subject.status = Some(status::published(&subject, &valid, &Applied::for_test("r", true, vec![]), None));
    subject.spec.models[0].model = "nope".to_owned();
    subject.metadata.generation = Some(4);
    let problems = validate::validate(&subject, &world()).unwrap_err();
    let status = status::invalid(&subject, &problems);
    assert_eq!(status.revision.as_deref(), Some("r"));
    let ready = status.condition(ConditionType::Ready).unwrap();
    assert_eq!((ready.is_true(), ready.reason.as_str()), (false, "UnknownModel"));
    assert!(ready.message.contains("keeps serving") && ready.message.contains("m1"), "{}", ready.message);
    assert!(!status.condition(ConditionType::ResolvedRefs).unwrap().is_true());
    assert!(status.condition(ConditionType::Stalled).unwrap().is_true());
}

#[test]
fn recorded_for_health_checks() {
    let mut subject = agent(full());
    recorded_new("progressing_new", &subject);
    let valid = validate::validate(&subject, &world()).unwrap();
    let published =
        |loaded| status::published(&subject, &valid, &Applied::for_test("r1", loaded, vec![]), None);
    recorded("healthy", &subject, &published(true));
    recorded("progressing_load", &subject, &published(false));
    let applied = Applied::for_test("r1", true, vec![]);
    for (name, reason) in
        [("suspended", Reason::TenantSuspended), ("suspended_archived", Reason::TenantArchived)]
    {
        recorded(name, &subject, &status::stopped(&subject, &applied, reason));
    }

    subject.status = Some(published(true));
    recorded("progressing_failure_of_ours", &subject, &after_failure(&subject, &Error::Deadline(30)));
    subject.metadata.generation = Some(4);
    recorded("progressing_edited", &subject, subject.status.as_ref().unwrap());
    subject.spec.models[0].model = "nope".to_owned();
    let problems = validate::validate(&subject, &world()).unwrap_err();
    recorded("degraded_unknown_model", &subject, &status::invalid(&subject, &problems));
}

#[test]
fn facts_come_from_what_the_provider_says_of_itself() {
    let provider: LLMProvider = serde_json::from_value(json!({
        "metadata": {"name": "p"},
        "spec": {"openai": {}, "models": ["m"], "allowedTenants": {"all": true}},
    }))
    .unwrap();
    let facts = ProviderFacts::of(&provider, true);
    assert_eq!((facts.compiled, facts.fault, facts.allowed_tenants), (false, None, AllowedTenants::All));
}

#[test]
fn a_dedicated_agent_is_ready_when_its_own_pod_has_it() {
    let mut spec = full();
    spec["isolation"] = json!("Dedicated");
    let subject = agent(spec);
    let valid = validate::validate(&subject, &world()).unwrap();
    assert!(build::snapshot(&valid).dedicated);
    assert!(!build::snapshot(&validate::validate(&agent(full()), &world()).unwrap()).dedicated, "by default");

    let status = |loaded, pod| {
        let status = status::published(&subject, &valid, &Applied::for_test("r", loaded, vec![]), pod);
        let ready = status.condition(ConditionType::Ready).unwrap();
        (ready.is_true(), ready.reason.clone(), ready.message.clone())
    };
    let waiting = status(true, Some("exceeded quota"));
    assert_eq!(
        (waiting.0, waiting.1.as_str(), waiting.2.as_str()),
        (false, "WaitingForRuntime", "exceeded quota")
    );
    assert!(status(false, None).2.contains("own runtime"));
    assert!(status(true, None).0);
}

#[test]
fn an_agent_without_room_for_its_pod_keeps_doing_what_it_did() {
    let found = Dereferenced { without_room: true, ..world() };
    let problems = validate::validate(&agent(full()), &found).unwrap_err();
    assert_eq!(
        (problems[0].reason, problems[0].field.as_str(), problems[0].stops_serving()),
        (Reason::NoRoomForPod, "spec.isolation", false)
    );
}
