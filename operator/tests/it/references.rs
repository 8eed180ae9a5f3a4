//! Agents, providers and connections: what they wait for, and what they say meanwhile.

use k8s_openapi::api::core::v1::Secret;
use konstruct_crds::{Agent, ChannelConnection, ConditionType, LLMProvider};
use konstruct_domain::Kind;
use konstruct_domain::observation::{Condition, Observation};
use konstruct_domain::snapshot::{AgentSnapshot, ConnectionSnapshot, ProviderSnapshot};
use konstruct_queue::Signal;
use kube::Api;
use serde_json::{Value, json};

use crate::world::{World, change, condition, create, delete, gone, ready, world};

fn scripted(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"scripted": {"rules": [{"reply": "Hi"}]}, "models": ["demo"]}})
}

fn agent(name: &str, provider: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "displayName": "Ada", "models": [{"provider": provider, "model": "demo"}],
    }})
}

fn slack(name: &str, team: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"agent": "ada", "slack": {
        "teamId": team, "botTokenRef": {"name": "slack", "key": "token"},
    }}})
}

async fn slack_secret(world: &World, namespace: &str) {
    let secret = json!({"metadata": {"name": "slack"}, "stringData": {"token": "xoxb-1"}});
    create(&world.api::<Secret>(namespace), secret).await;
}

#[tokio::test]
#[ignore = "needs a control plane: make test-operator"]
async fn an_agent_waits_for_its_provider_and_a_connection_for_its_agent() {
    let world = world();
    let (id, slug) = world.tenant("refs").await;
    let namespace = slug.namespace();
    let (agents, connections) = (world.api::<Agent>(&namespace), world.api::<ChannelConnection>(&namespace));
    let providers = world.api::<LLMProvider>(&namespace);
    create(&connections, json!({"metadata": {"name": "web"}, "spec": {"agent": "ada", "webChat": {}}})).await;
    let said = condition(&connections, "web", ConditionType::ResolvedRefs, "False", "MissingAgent").await;
    assert!(said.message.contains("spec.agent") && said.message.contains("ada"), "{}", said.message);
    create(&agents, agent("ada", "demo")).await;
    condition(&agents, "ada", ConditionType::ResolvedRefs, "False", "MissingProvider").await;
    condition(&connections, "web", ConditionType::Ready, "False", "AgentNotReady").await;

    create(&providers, scripted("demo")).await;
    ready(&providers, "demo").await;
    ready(&agents, "ada").await;
    let web = ready(&connections, "web").await;
    assert!(web.status.unwrap().chat_path.unwrap().starts_with("/chat/"));

    // A change of the provider reaches the agent; what was valid keeps serving.
    change(&providers, "demo", json!({"spec": {"models": ["other"]}})).await;
    let said = condition(&agents, "ada", ConditionType::Ready, "False", "UnknownModel").await;
    assert!(said.message.contains("other") && said.message.contains("keeps serving"), "{}", said.message);
    assert!(world.store.head::<AgentSnapshot>(id, Kind::Agent, "ada").await.unwrap().is_some());
    change(&providers, "demo", json!({"spec": {"models": ["demo"]}})).await;
    ready(&agents, "ada").await;

    // Deleting withdraws.
    delete(&agents, "ada").await;
    gone(&agents, "ada").await;
    assert!(world.store.head::<AgentSnapshot>(id, Kind::Agent, "ada").await.unwrap().is_none());
    condition(&connections, "web", ConditionType::ResolvedRefs, "False", "MissingAgent").await;
    assert!(
        world.store.head::<ConnectionSnapshot>(id, Kind::ChannelConnection, "web").await.unwrap().is_some()
    );
}

#[tokio::test]
#[ignore = "needs a control plane: make test-operator"]
async fn a_secret_that_comes_late_is_found_and_a_rotated_one_too() {
    let world = world();
    let (id, slug) = world.tenant("late").await;
    let providers = world.api::<LLMProvider>(&slug.namespace());
    let secrets = world.api::<Secret>(&slug.namespace());
    let provider = json!({"metadata": {"name": "main"}, "spec": {
        "anthropic": {"apiKeyRef": {"name": "keys", "key": "anthropic"}}, "models": ["m"],
    }});
    create(&providers, provider).await;
    condition(&providers, "main", ConditionType::Ready, "False", "MissingSecret").await;
    create(&secrets, json!({"metadata": {"name": "keys"}, "stringData": {"other": "x"}})).await;
    condition(&providers, "main", ConditionType::Ready, "False", "MissingSecretKey").await;
    change(&secrets, "keys", json!({"stringData": {"anthropic": "two words"}})).await;
    condition(&providers, "main", ConditionType::Ready, "False", "InvalidSecret").await;
    change(&secrets, "keys", json!({"stringData": {"anthropic": "sk-1"}})).await;
    ready(&providers, "main").await;
    let head = world.store.head::<ProviderSnapshot>(id, Kind::LLMProvider, "main").await.unwrap().unwrap();

    // What the ai-gateway saw becomes a condition, and a changed key wipes it.
    let refused = Observation {
        condition: Condition::CredentialsValid,
        ok: false,
        reason: "CredentialsRejected".to_owned(),
        message: "the provider answered 401".to_owned(),
    };
    world.store.observe(id, Kind::LLMProvider, "main", &refused).await.unwrap();
    world.bus.publish(Signal::Loaded(id)).await;
    condition(&providers, "main", ConditionType::Ready, "False", "CredentialsRejected").await;
    change(&secrets, "keys", json!({"stringData": {"anthropic": "sk-2"}})).await;
    change(&providers, "main", json!({"metadata": {"annotations": {"look": "again"}}})).await;
    ready(&providers, "main").await;
    let rotated = world.store.head::<ProviderSnapshot>(id, Kind::LLMProvider, "main").await.unwrap().unwrap();
    assert_ne!(head.revision, rotated.revision);
}

#[tokio::test]
#[ignore = "needs a control plane: make test-operator"]
async fn a_shared_provider_serves_whom_it_names() {
    let world = world();
    let ((_, one), (_, other)) = (world.tenant("guest").await, world.tenant("stranger").await);
    let shared: Api<LLMProvider> = world.api("konstruct-system");
    let name = format!("shared-{one}");
    let mut provider = scripted(&name);
    provider["spec"]["allowedTenants"] = json!({"slugs": [one]});
    create(&shared, provider).await;
    for tenant in [&one, &other] {
        create(&world.api::<Agent>(&tenant.namespace()), agent("ada", &name)).await;
    }
    ready(&world.api::<Agent>(&one.namespace()), "ada").await;
    let agents = world.api::<Agent>(&other.namespace());
    condition(&agents, "ada", ConditionType::Ready, "False", "ProviderNotAllowed").await;
    change(&shared, &name, json!({"spec": {"allowedTenants": {"all": true, "slugs": null}}})).await;
    ready(&agents, "ada").await;
    delete(&shared, &name).await;
    gone(&shared, &name).await;
    condition(&agents, "ada", ConditionType::Ready, "False", "MissingProvider").await;
}

#[tokio::test]
#[ignore = "needs a control plane: make test-operator"]
async fn the_oldest_connection_has_the_workspace_and_the_next_takes_over() {
    let world = world();
    let ((_, one), (_, other)) = (world.tenant("first").await, world.tenant("second").await);
    let team = format!("T{:010}", std::process::id());
    for tenant in [&one, &other] {
        slack_secret(&world, &tenant.namespace()).await;
        create(&world.api::<LLMProvider>(&tenant.namespace()), scripted("demo")).await;
        create(&world.api::<Agent>(&tenant.namespace()), agent("ada", "demo")).await;
    }
    let older = world.api::<ChannelConnection>(&one.namespace());
    let newer = world.api::<ChannelConnection>(&other.namespace());
    create(&older, slack("slack", &team)).await;
    let first = ready(&older, "slack").await;
    assert_eq!(first.status.unwrap().webhook_path.as_deref(), Some("/slack/events"));
    // Ages are told in whole seconds.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    create(&newer, slack("slack", &team)).await;
    let said = condition(&newer, "slack", ConditionType::Claimed, "False", "AccountConflict").await;
    assert!(!said.message.contains(one.as_str()), "another tenant is not named: {}", said.message);
    delete(&older, "slack").await;
    gone(&older, "slack").await;
    ready(&newer, "slack").await;
}

#[tokio::test]
#[ignore = "needs a control plane: make test-operator"]
async fn outside_of_a_tenant_nothing_is_compiled() {
    let world = world();
    let agents = world.api::<Agent>("default");
    let name = format!("stray-{}", std::process::id());
    create(&agents, agent(&name, "demo")).await;
    let said = condition(&agents, &name, ConditionType::Ready, "False", "NotInTenantNamespace").await;
    assert!(said.message.contains("kt-<slug>"), "{}", said.message);
    delete(&agents, &name).await;
    gone(&agents, &name).await;
}
