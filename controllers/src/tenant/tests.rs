//! Every field of the spec lands in a child object; the children as a whole are compared with what was reviewed.
#![allow(clippy::needless_pass_by_value, reason = "a fixture reads best as `agent(json!(…))`")]

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use konstruct_crds::conditions::ResourceStatus;
use konstruct_crds::{Condition, ConditionType, Reason, Tenant, TenantStatus};
use konstruct_domain::TenantId;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use super::apply::{Outcome, Step};
use super::build::{self, Boundary, Credentials, Workload};
use super::delete::Afterlife;
use super::dereference::{self, Dereferenced, PlanLookup, RuntimeNeeds, Surplus};
use super::egress::{Fault, Hosts, Resolved};
use super::{boundary, status, validate};
use crate::Error;
use crate::framework::compare;
use crate::framework::ownership::Ownership;
use crate::framework::publish;
use crate::recorded::{recorded, recorded_new};
use crate::settings::{NetworkSettings, RuntimeSettings, Settings, TenantNamespaces};

const UID: &str = "11111111-2222-3333-4444-555555555555";

fn tenant(spec: Value) -> Tenant {
    serde_json::from_value(
        json!({"metadata": {"name": "acme-inc", "uid": UID, "generation": 2}, "spec": spec}),
    )
    .unwrap()
}

fn full() -> Tenant {
    tenant(json!({
        "displayName": "Acme", "slug": "acme", "plan": "team",
        "limits": {"channels": 3, "concurrentTurns": 2, "tokensPerMonth": 9},
        "quota": {"pods": 7, "cpu": "1500m", "memory": "3Gi", "secrets": 30, "configMaps": 4},
        "scheduling": {
            "runtimeClassName": "gvisor",
            "nodeSelector": {"pool": "tenants"},
            "tolerations": [{"key": "dedicated", "value": "tenants", "effect": "NoSchedule"}, {"key": "spot"}],
        },
    }))
}

fn plan() -> PlanLookup {
    let spec = json!({"limits": {"agents": 5}, "quota": {"pods": 20, "ephemeralStorage": "3Gi"},
        "runtime": {"cpu": "400m", "memory": "96Mi"}});
    PlanLookup::Found(serde_json::from_value(spec).unwrap())
}

/// The same in another state.
fn in_state(state: &str) -> Tenant {
    let mut tenant = full();
    tenant.spec.state = serde_json::from_value(json!(state)).unwrap();
    tenant
}

fn world() -> Dereferenced {
    Dereferenced {
        id: TenantId::new(UID.parse::<Uuid>().unwrap()),
        namespace: Ownership::Vacant,
        slug_taken_by: None,
        runtime: Some(RuntimeNeeds { cpu: "500m".to_owned(), memory: "128Mi".to_owned() }),
        plan: plan(),
        surplus: Surplus::default(),
        hosts: Hosts::default(),
        dedicated: vec![],
    }
}

fn settings() -> Settings {
    Settings {
        system_namespace: "konstruct-system".to_owned(),
        service_account: "konstruct-operator".to_owned(),
        namespaces: TenantNamespaces::All,
        runtime: RuntimeSettings {
            image: "registry.example/konstruct:1".to_owned(),
            image_pull_policy: "IfNotPresent".to_owned(),
            ai_gateway_url: "http://konstruct-ai-gateway.konstruct-system:8081".to_owned(),
            cpu_request: "10m".to_owned(),
            cpu_limit: "500m".to_owned(),
            memory_request: "40Mi".to_owned(),
            memory_limit: "128Mi".to_owned(),
        },
        network: NetworkSettings {
            postgres: "data/app=postgres:5432".parse().unwrap(),
            redis: "10.0.0.6/32:6380".parse().unwrap(),
            ai_gateway: "konstruct-system/app.kubernetes.io/name=konstruct-ai-gateway:8081".parse().unwrap(),
            dns_namespace: "kube-system".to_owned(),
            monitoring_namespace: "monitoring".to_owned(),
        },
        tenant_database_url: "postgres://db.data:5432/konstruct?sslmode=require".to_owned(),
        tenant_redis_url: "rediss://cache.data:6380".to_owned(),
        concurrency: 4,
    }
}

fn credentials() -> Credentials {
    Credentials { database: SecretString::from("d".repeat(64)), cache: SecretString::from("c".repeat(64)) }
}

fn valid() -> super::Validated {
    validate::validate(&full(), &world()).unwrap()
}

#[test]
fn the_whole_set_of_children() {
    let Boundary {
        namespace,
        network_policies,
        resource_quota,
        limit_range,
        service_account,
        role_binding,
        stage: _,
    } = build::boundary(&valid(), &settings());
    let Workload { secret, deployment, dedicated: _, stage: _ } =
        build::workload(&valid(), &settings(), &credentials());
    insta::assert_yaml_snapshot!("namespace", namespace);
    insta::assert_yaml_snapshot!("network_policies", network_policies);
    insta::assert_yaml_snapshot!("resource_quota", resource_quota);
    insta::assert_yaml_snapshot!("limit_range", limit_range);
    insta::assert_yaml_snapshot!("service_account", service_account);
    insta::assert_yaml_snapshot!("role_binding", role_binding);
    insta::assert_yaml_snapshot!("deployment", deployment);
    let text: BTreeMap<String, String> = secret
        .data
        .iter()
        .flatten()
        .map(|(key, value)| (key.clone(), String::from_utf8(value.0.clone()).unwrap()))
        .collect();
    insta::assert_yaml_snapshot!("secret", (secret.metadata, text));
}

#[test]
fn every_field_of_a_tenant_lands_somewhere() {
    let children = build::boundary(&valid(), &settings());
    assert_eq!(children.namespace.metadata.name.as_deref(), Some("kt-acme"));
    let hard = children.resource_quota.spec.unwrap().hard.unwrap();
    assert_eq!(
        (hard["pods"].0.as_str(), hard["limits.cpu"].0.as_str(), hard["requests.memory"].0.as_str()),
        ("7", "1500m", "3Gi")
    );
    assert_eq!(hard["count/agents.konstruct.dev"].0, "5", "from the plan");
    assert_eq!(hard["count/channelconnections.konstruct.dev"].0, "3");
    assert_eq!((hard["secrets"].0.as_str(), hard["limits.ephemeral-storage"].0.as_str()), ("30", "3Gi"));
    assert_eq!(
        (hard["services.loadbalancers"].0.as_str(), hard["services.nodeports"].0.as_str()),
        ("0", "0")
    );
    let snapshot = build::snapshot(&valid());
    assert_eq!((snapshot.concurrent_turns, snapshot.tokens_per_month), (Some(2), Some(9)));
    assert_eq!((snapshot.slug.as_str(), snapshot.display_name.as_str()), ("acme", "Acme"));
}

#[test]
fn passwords_are_read_back_and_never_made_anew_while_they_are_valid() {
    let tenant = &valid().tenant;
    let secret = build::workload(&valid(), &settings(), &Credentials::generate()).secret;
    let read = Credentials::read(&secret, tenant).unwrap();
    assert_eq!(read.database.expose_secret().len(), 64);
    let again = build::workload(&valid(), &settings(), &read).secret;
    assert_eq!(secret.data, again.data);

    let broken = |key: &str, value: &str| {
        let mut secret: Secret = secret.clone();
        secret.data.as_mut().unwrap().get_mut(key).unwrap().0 = value.as_bytes().to_vec();
        Credentials::read(&secret, tenant)
    };
    assert!(broken("database-url", "").is_none());
    assert!(
        broken("database-url", &format!("postgres://postgres:{}@db/x", "a".repeat(64))).is_none(),
        "another user"
    );
    assert!(broken("redis-url", "redis://kt-acme:short@cache").is_none());
    assert!(Credentials::read(&Secret::default(), tenant).is_none());
}

#[test]
fn another_password_or_address_restarts_the_runtime() {
    let deployment = |settings: &Settings, credentials: &Credentials| {
        serde_json::to_value(build::workload(&valid(), settings, credentials).deployment).unwrap()
    };
    let before = deployment(&settings(), &credentials());
    assert_eq!(before, deployment(&settings(), &credentials()));
    assert_ne!(before, deployment(&settings(), &Credentials::generate()));
    let moved = Settings { tenant_redis_url: "redis://elsewhere:6379".to_owned(), ..settings() };
    assert_ne!(before, deployment(&moved, &credentials()));
    assert!(!before.to_string().contains(&"d".repeat(64)), "no password outside the Secret");
}

#[test]
fn children_that_the_api_server_has_completed_are_up_to_date() {
    let deployment =
        serde_json::to_value(build::workload(&valid(), &settings(), &credentials()).deployment).unwrap();
    let mut live = deployment.clone();
    live["spec"]["progressDeadlineSeconds"] = json!(600);
    live["spec"]["template"]["spec"]["dnsPolicy"] = json!("ClusterFirst");
    live["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["httpGet"]["scheme"] = json!("HTTP");
    assert!(compare::covers(&live, &deployment));
    live["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] =
        json!(false);
    assert!(!compare::covers(&live, &deployment));
}

#[test]
fn whose_namespace_stands_has_the_slug_else_the_oldest() {
    let made = |name: &str, uid: u128, second: u8| -> Arc<Tenant> {
        let metadata = json!({
            "name": name, "uid": Uuid::from_u128(uid), "creationTimestamp": format!("2026-01-01T00:00:{second:02}Z"),
        });
        let spec = json!({"displayName": "A", "slug": "acme"});
        Arc::new(serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap())
    };
    let of = |uid: u128| -> Namespace {
        let annotations = json!({"konstruct.dev/tenant-uid": Uuid::from_u128(uid)});
        serde_json::from_value(json!({"metadata": {"name": "kt-acme", "annotations": annotations}})).unwrap()
    };
    let all = [made("first", 9, 1), made("same-second", 3, 1), made("later", 1, 2)];
    let taken = |tenant: &Arc<Tenant>, namespace: Option<&Namespace>| {
        dereference::slug_taken_by(tenant, namespace, &all)
    };
    let [first, same, later] = &all;
    assert_eq!(taken(first, None).as_deref(), Some("same-second"), "the UID decides");
    assert_eq!(taken(same, None), None);
    assert_eq!(taken(later, None).as_deref(), Some("same-second"));
    let namespace = of(9);
    assert_eq!(taken(first, Some(&namespace)), None, "it works already");
    assert_eq!(taken(same, Some(&namespace)).as_deref(), Some("first"));
    assert_eq!(taken(later, Some(&namespace)).as_deref(), Some("first"));
    // Somebody else's: the oldest is told so.
    assert_eq!(taken(same, Some(&of(77))), None);
    let other = tenant(json!({"displayName": "B", "slug": "other"}));
    assert_eq!(taken(&Arc::new(other), None), None);
}

fn reasons(tenant: &Tenant, found: &Dereferenced) -> Vec<(Reason, String)> {
    let problems = validate::validate(tenant, found).unwrap_err();
    problems.into_iter().map(|problem| (problem.reason, problem.field)).collect()
}

#[test]
fn mistakes_and_conflicts_are_said_with_their_field() {
    let slug = |slug: &str| tenant(json!({"displayName": "A", "slug": slug}));
    for bad in ["Not-a-slug", "konstruct-system", "", "ä", &"a".repeat(64)] {
        assert_eq!(reasons(&slug(bad), &world()), [(Reason::InvalidSpec, "spec.slug".to_owned())], "{bad}");
    }
    let field = "spec.slug".to_owned();
    let foreign = Dereferenced { namespace: Ownership::Foreign, ..world() };
    assert_eq!(reasons(&full(), &foreign), [(Reason::NamespaceConflict, field.clone())]);
    let terminating = Dereferenced { namespace: Ownership::Terminating, ..world() };
    assert_eq!(reasons(&full(), &terminating), [(Reason::NamespaceTerminating, field.clone())]);
    let missing = Dereferenced { namespace: Ownership::Missing, ..world() };
    assert_eq!(reasons(&full(), &missing), [(Reason::NamespaceMissing, field.clone())]);
    let given = Dereferenced { namespace: Ownership::Given, ..world() };
    assert!(validate::validate(&full(), &given).is_ok());
    let taken =
        Dereferenced { slug_taken_by: Some("first".to_owned()), namespace: Ownership::Foreign, ..world() };
    assert_eq!(reasons(&full(), &taken), [(Reason::SlugConflict, field)]);

    let quota = |cpu: &str, memory: &str| {
        tenant(json!({"displayName": "A", "slug": "a", "quota": {"pods": 2, "cpu": cpu, "memory": memory}}))
    };
    let (cpu, memory) = ("spec.quota.cpu".to_owned(), "spec.quota.memory".to_owned());
    assert_eq!(reasons(&quota("two", "1Gi"), &world()), [(Reason::InvalidSpec, cpu.clone())]);
    assert_eq!(
        reasons(&quota("100m", "1Gi"), &world()),
        [(Reason::InvalidSpec, cpu.clone())],
        "no room for the runtime"
    );
    assert_eq!(
        reasons(&quota("-1", "0"), &world()),
        [(Reason::InvalidSpec, cpu), (Reason::InvalidSpec, memory)]
    );
    assert!(validate::validate(&quota("100m", "1Mi"), &Dereferenced { runtime: None, ..world() }).is_ok());
}

#[test]
fn a_conflict_leaves_nothing_that_looks_ready() {
    let found = Dereferenced { namespace: Ownership::Foreign, ..world() };
    let problems = validate::validate(&full(), &found).unwrap_err();
    let walls = boundary::status::invalid(&full(), &problems);
    assert_eq!(walls.condition(ConditionType::NamespaceReady).unwrap().reason, "NamespaceConflict");
    assert!(walls.namespace.is_none());
    let status = status::invalid(&full(), &problems);
    assert!(status.condition(ConditionType::Stalled).unwrap().is_true());
}

#[test]
fn a_plan_must_exist_and_is_not_exceeded() {
    let missing = Dereferenced { plan: PlanLookup::Missing("team".to_owned()), ..world() };
    assert_eq!(reasons(&full(), &missing), [(Reason::MissingPlan, "spec.plan".to_owned())]);
    let greedy = tenant(json!({"displayName": "A", "slug": "a", "plan": "team", "limits": {"agents": 6}}));
    assert_eq!(reasons(&greedy, &world()), [(Reason::AbovePlan, "spec.limits.agents".to_owned())]);
}

#[test]
fn too_many_agents_are_named_and_do_not_take_readiness_away() {
    let found = Dereferenced {
        surplus: Surplus { agents: vec!["kim".to_owned(), "lee".to_owned()], channels: vec![] },
        ..world()
    };
    let valid = validate::validate(&full(), &found).unwrap();
    let status = status::applied(&full(), &valid, &outcome(Some(running()), true));
    let within = status.condition(ConditionType::WithinPlan).unwrap();
    assert!(!within.is_true());
    assert!(within.message.contains("5 agents are allowed; not running: kim, lee"), "{}", within.message);
    assert!(status.condition(ConditionType::Ready).unwrap().is_true());
}

#[test]
fn admins_above_the_seats_are_named_from_the_end() {
    let mut tenant = full();
    tenant.spec.admins =
        ["kim@example.com", "lee@example.com", "max@example.com"].map(str::to_owned).to_vec();
    tenant.spec.limits.seats = Some(2);
    let within = |tenant: &Tenant| {
        let valid = validate::validate(tenant, &world()).unwrap();
        let status = status::applied(tenant, &valid, &outcome(Some(running()), true));
        status.condition(ConditionType::WithinPlan).unwrap().clone()
    };
    let above = within(&tenant);
    assert!(!above.is_true());
    assert!(
        above.message.starts_with("2 seats are allowed; without one: max@example.com. "),
        "{}",
        above.message
    );
    tenant.spec.limits.seats = Some(3);
    assert!(within(&tenant).is_true());
    tenant.spec.limits.seats = None;
    assert!(within(&tenant).is_true());
}

#[test]
fn a_suspended_tenant_is_ready_when_nothing_runs_any_more() {
    let tenant = in_state("Suspended");
    let valid = validate::validate(&tenant, &world()).unwrap();
    let workload = build::workload(&valid, &settings(), &credentials());
    assert_eq!(workload.deployment.spec.unwrap().replicas, Some(0));

    let with = |status: Value| {
        let mut outcome = outcome(Some(status), false);
        outcome.deployment.as_mut().unwrap().spec.as_mut().unwrap().replicas = Some(0);
        outcome
    };
    let stopping = status::applied(&tenant, &valid, &with(json!({"observedGeneration": 1, "replicas": 1})));
    assert!(!stopping.condition(ConditionType::Ready).unwrap().is_true());
    let stopped = status::applied(&tenant, &valid, &with(json!({"observedGeneration": 1})));
    let ready = stopped.condition(ConditionType::Ready).unwrap();
    assert_eq!((ready.is_true(), ready.reason.as_str()), (true, "TenantSuspended"));
    assert!(!stopped.condition(ConditionType::RuntimeReady).unwrap().is_true());
}

#[test]
fn recorded_for_health_checks() {
    let subject = full();
    recorded_new("progressing_new", &subject);
    let is = |tenant: &Tenant, deployment, replicas| {
        let valid = validate::validate(tenant, &world()).unwrap();
        let mut outcome = outcome(Some(deployment), true);
        outcome.deployment.as_mut().unwrap().spec.as_mut().unwrap().replicas = Some(replicas);
        status::applied(tenant, &valid, &outcome)
    };
    recorded("healthy", &subject, &is(&subject, running(), 1));
    recorded("progressing_runtime", &subject, &is(&subject, json!({}), 1));
    for (name, state) in [("suspended", "Suspended"), ("suspended_archived", "Archived")] {
        let tenant = in_state(state);
        recorded(name, &tenant, &is(&tenant, json!({"observedGeneration": 1}), 0));
    }
    let stopping = in_state("Suspended");
    let deployment = json!({"observedGeneration": 1, "replicas": 1});
    recorded("progressing_suspending", &stopping, &is(&stopping, deployment, 0));
    let missing = Dereferenced { plan: PlanLookup::Missing("team".to_owned()), ..world() };
    let problems = validate::validate(&subject, &missing).unwrap_err();
    recorded("degraded_missing_plan", &subject, &status::invalid(&subject, &problems));
    recorded(
        "progressing_deleting",
        &subject,
        &status::deleting(&subject, false, "waiting for the pods to stop"),
    );
}

#[test]
fn a_legal_hold_counts_more_than_the_policy() {
    let afterlife = |spec: Value| {
        let mut full = json!({"displayName": "A", "slug": "a"});
        full.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        Afterlife::of(&tenant(full).spec)
    };
    assert_eq!(afterlife(json!({})), Afterlife::Retained { legal_hold: false });
    assert_eq!(afterlife(json!({"deletionPolicy": "Delete"})), Afterlife::Erased);
    let both = json!({"deletionPolicy": "Delete", "legalHold": true});
    assert_eq!(afterlife(both), Afterlife::Retained { legal_hold: true });
}

#[test]
fn extra_egress_opens_what_was_found_and_nothing_else() {
    let mut open = full();
    open.spec.extra_egress = serde_json::from_value(json!([
        {"cidr": "8.8.8.0/24", "port": 443},
        {"host": "api.example.com", "port": 8443},
        {"host": "gone.example.com", "port": 443},
    ]))
    .unwrap();
    let resolved = |address: &str, fault| {
        let addresses = address.parse().into_iter().collect();
        Resolved { addresses, fault }
    };
    let lost = Fault::NotResolved("no answer".to_owned());
    let found = |address: &str| Dereferenced {
        hosts: [
            ("api.example.com".to_owned(), resolved("1.1.1.1", None)),
            ("gone.example.com".to_owned(), resolved(address, Some(lost.clone()))),
        ]
        .into(),
        ..world()
    };
    let policies = |found: &Dereferenced| {
        build::boundary(&validate::validate(&open, found).unwrap(), &settings()).network_policies
    };
    let before = build::boundary(&valid(), &settings()).network_policies.len();
    let extra = policies(&found("")).split_off(before);
    insta::assert_yaml_snapshot!("extra_egress", extra);
    assert_eq!(policies(&world()).len(), before + 1, "the block is open though no host was found");
    open.spec.extra_egress.remove(0);
    assert_eq!(
        build::boundary(&validate::validate(&open, &world()).unwrap(), &settings()).network_policies.len(),
        before,
        "no policy without an address: it would open the port to everywhere"
    );

    // What the provisioner says is in the Tenant that the workload controller reads.
    let told = |found: &Dereferenced| {
        let valid = validate::validate(&open, found).unwrap();
        let mut tenant = open.clone();
        tenant.status = Some(boundary::status::applied(&open, &valid.egress, &standing(&valid)));
        tenant
    };
    let conditions = |found: &Dereferenced| {
        let tenant = told(found);
        let valid = validate::validate(&tenant, found).unwrap();
        let ready = status::applied(&tenant, &valid, &outcome(Some(running()), true));
        let ready = ready.condition(ConditionType::Ready).unwrap().clone();
        (tenant.status.unwrap().condition(ConditionType::EgressResolved).unwrap().clone(), ready)
    };
    let (resolved, ready) = conditions(&found(""));
    assert!(!resolved.is_true() && resolved.message.contains("gone.example.com"), "{resolved:?}");
    assert_eq!((ready.is_true(), ready.reason.as_str()), (false, "HostNotResolved"));
    let (kept, ready) = conditions(&found("1.0.0.1"));
    assert!(kept.is_true() && ready.is_true(), "what was found before stays open");
    assert_eq!(kept.reason, "HostNotResolved");
    let failed = boundary::status::after_failure(&told(&found("")), &Error::NotCounted("kt-acme".to_owned()));
    assert!(failed.condition(ConditionType::NamespaceReady).unwrap().is_true());
    assert!(!failed.condition(ConditionType::EgressResolved).unwrap().is_true(), "a failure opens nothing");
    let without = boundary::status::applied(&full(), &valid().egress, &standing(&valid()));
    assert!(without.condition(ConditionType::EgressResolved).is_none());
}

#[test]
fn a_dedicated_agent_has_a_pod_like_the_tenants_and_stops_with_it() {
    let found = Dereferenced { dedicated: vec!["ada".parse().unwrap()], ..world() };
    let workload = |tenant: &Tenant| {
        build::workload(&validate::validate(tenant, &found).unwrap(), &settings(), &credentials())
    };
    let Workload { deployment: shared, dedicated, .. } = workload(&full());
    assert_eq!(
        serde_json::to_value(&shared).unwrap(),
        serde_json::to_value(&build::workload(&valid(), &settings(), &credentials()).deployment).unwrap(),
        "the shared pod is not restarted"
    );
    let own = &dedicated[0];
    assert_eq!(own.metadata.name.as_deref(), Some("konstruct-agent-ada"));
    let (shared, own) = (shared.spec.unwrap(), own.spec.clone().unwrap());
    let (shared, own) = (shared.template, own.template);
    let labels = own.metadata.unwrap().labels.unwrap();
    assert_eq!(
        (labels["app.kubernetes.io/component"].as_str(), labels["konstruct.dev/agent"].as_str()),
        ("runtime", "ada")
    );
    let (shared, mut own) = (shared.spec.unwrap(), own.spec.unwrap());
    let args = own.containers[0].args.as_mut().unwrap();
    assert_eq!(args.pop().as_deref(), Some("--agent=ada"));
    assert_eq!(shared, own, "all the rest is the same");

    let suspended = in_state("Suspended");
    let stopping = workload(&suspended);
    assert_eq!(stopping.dedicated[0].spec.as_ref().unwrap().replicas, Some(0));
    let valid = validate::validate(&suspended, &found).unwrap();
    let gone = json!({"observedGeneration": 1});
    let stopped = |of_the_agent: Value| {
        let mut outcome = outcome(Some(gone.clone()), false);
        outcome.deployment.as_mut().unwrap().spec.as_mut().unwrap().replicas = Some(0);
        let mut own = stopping.dedicated[0].clone();
        own.metadata.generation = Some(1);
        own.status = Some(serde_json::from_value(of_the_agent).unwrap());
        outcome.dedicated = vec![own];
        status::applied(&suspended, &valid, &outcome).condition(ConditionType::Ready).unwrap().is_true()
    };
    assert!(!stopped(json!({"observedGeneration": 1, "replicas": 1})));
    assert!(stopped(gone.clone()));
}

/// The walls as if they had been applied.
fn standing(valid: &validate::Validated) -> Boundary<build::Applied> {
    let Boundary {
        namespace,
        network_policies,
        resource_quota,
        limit_range,
        service_account,
        role_binding,
        stage: _,
    } = build::boundary(valid, &settings());
    Boundary {
        namespace,
        network_policies,
        resource_quota,
        limit_range,
        service_account,
        role_binding,
        stage: std::marker::PhantomData,
    }
}

fn outcome(deployment: Option<Value>, loaded: bool) -> Outcome {
    let deployment = deployment.map(|status| {
        let mut deployment: Deployment = build::workload(&valid(), &settings(), &credentials()).deployment;
        deployment.metadata.generation = Some(1);
        deployment.status = Some(serde_json::from_value(status).unwrap());
        deployment
    });
    Outcome {
        database: Step::Done,
        cache: Step::Done,
        deployment,
        dedicated: vec![],
        snapshot: Some(publish::Applied::for_test("r", loaded, vec![])),
    }
}

fn running() -> Value {
    json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1})
}

#[test]
fn ready_waits_for_the_pod_and_for_what_it_has_loaded() {
    let ready = |outcome: &Outcome| {
        let status = status::applied(&full(), &valid(), outcome);
        let ready = status.condition(ConditionType::Ready).unwrap();
        (ready.is_true(), ready.reason.clone(), ready.message.clone())
    };
    assert_eq!(ready(&outcome(Some(running()), true)).1, "Succeeded");
    assert_eq!(ready(&outcome(Some(running()), false)).1, "WaitingForLoad");
    assert_eq!(ready(&outcome(Some(json!({})), true)).1, "WaitingForRuntime");
    let old_pod =
        json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 2});
    assert_eq!(ready(&outcome(Some(old_pod), true)).1, "WaitingForRuntime", "an old pod still runs");
    let stale = json!({"observedGeneration": 0, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1});
    assert_eq!(ready(&outcome(Some(stale), true)).1, "WaitingForRuntime");
    let refused =
        json!({"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]});
    assert!(ready(&outcome(Some(refused), true)).2.contains("exceeded quota"));

    let message = "PostgreSQL cannot be reached".to_owned();
    let down = Outcome {
        database: Step::Failed { reason: Reason::DatabaseUnavailable, message },
        snapshot: None,
        ..outcome(None, false)
    };
    let status = status::applied(&full(), &valid(), &down);
    assert_eq!(status.condition(ConditionType::Ready).unwrap().reason, "DatabaseUnavailable");
    assert!(!status.condition(ConditionType::RuntimeReady).unwrap().is_true());
    assert!(!status::is_complete(&valid(), &down));
}

/// A Tenant with what the provisioner says of this generation and of another one.
fn provisioned(ready: bool, generation: i64) -> Tenant {
    let mut tenant = full();
    let reason = if ready { Reason::Succeeded } else { Reason::ApplyFailed };
    let mut status = TenantStatus::default();
    status.set_condition(Condition::new(ConditionType::NamespaceReady, ready, reason, "why", generation));
    tenant.status = Some(status);
    tenant
}

#[test]
fn nothing_goes_inside_before_the_walls_stand_as_this_spec_wants_them() {
    let handed_over = |tenant: &Tenant, namespace| status::handed_over(tenant, namespace);
    assert!(handed_over(&provisioned(true, 2), Ownership::Ours).is_ok());
    assert!(handed_over(&provisioned(true, 2), Ownership::Vacant).is_err_and(|said| said.is_none()));
    assert!(handed_over(&provisioned(true, 1), Ownership::Ours).is_err_and(|said| said.is_none()));
    let failed = handed_over(&provisioned(false, 2), Ownership::Ours).unwrap_err().unwrap();
    assert_eq!(failed.condition(ConditionType::Ready).unwrap().message, "why");
    // Without a time of creation it is as old as can be: somebody should be told.
    let alone = handed_over(&full(), Ownership::Vacant).unwrap_err().unwrap();
    assert!(alone.condition(ConditionType::Ready).unwrap().message.contains("provisioner"));
}

#[test]
fn the_walls_stay_until_it_is_said_that_nothing_runs() {
    let after = |stopped| {
        let mut tenant = full();
        tenant.status = Some(status::deleting(&tenant, stopped, "waiting"));
        status::is_stopped(&tenant)
    };
    assert!(!status::is_stopped(&full()));
    assert!(!after(false));
    assert!(after(true));
}

#[test]
fn the_two_identities_write_no_field_of_each_other() {
    let mut status = provisioned(true, 2).status.unwrap();
    status.namespace = Some("kt-acme".to_owned());
    status.revision = Some("r".to_owned());
    status.observed_generation = Some(2);
    status.set_condition(Condition::new(ConditionType::Ready, true, Reason::Succeeded, "", 2));
    let fields = |status: &TenantStatus| {
        let value = serde_json::to_value(status).unwrap();
        let mut fields: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        fields.retain(|field| field != "conditions");
        fields.extend(status.conditions.iter().map(|condition| condition.type_.clone()));
        fields
    };
    let (walls, inside) = (boundary::status::share(&status), status::share(&status));
    assert_eq!(fields(&walls), ["namespace", "NamespaceReady"]);
    assert_eq!(fields(&inside), ["observedGeneration", "revision", "Ready"]);
}
