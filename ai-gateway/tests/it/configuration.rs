use std::time::{Duration, Instant};

use konstruct_domain::observation::{Condition, Observation};
use konstruct_domain::snapshot::{AllowedTenants, ProviderEndpoint, ProviderOwner, ScriptedRule};
use konstruct_domain::{Kind, TenantId};
use konstruct_queue::Signal;
use konstruct_testkit::llm::{API_KEY, Fault, LlmDouble};
use serde_json::json;

use crate::world::{Setup, Tenant, World, anthropic, choice, eventually, openai, provider, scripted, text};

async fn until_observed(
    world: &World,
    owner: TenantId,
    name: &str,
    condition: Condition,
    ok: bool,
) -> Observation {
    eventually("an observation", async || {
        let observations = world.observations(owner, name).await;
        observations
            .into_iter()
            .find(|observation| observation.condition == condition && observation.ok == ok)
    })
    .await
}

async fn one_provider(world: &World, endpoint: ProviderEndpoint, key: &str) -> Tenant {
    let tenant = world.tenant().await;
    world.load_provider(tenant.id(), &provider("main", endpoint), key).await;
    world.publish_agent(&tenant, "ada", vec![choice("main", ProviderOwner::Tenant)]).await;
    tenant
}

#[tokio::test]
async fn a_wrong_key_shows_before_the_first_call_and_a_new_one_heals_it() {
    let world = World::start().await;
    let double = LlmDouble::anthropic().await;
    let tenant = one_provider(&world, anthropic(&double, &world.key_version("wrong")), "wrong").await;
    let wrong = until_observed(&world, tenant.id(), "main", Condition::CredentialsValid, false).await;
    assert!(wrong.message.contains("put a valid one in the Secret"), "{}", wrong.message);
    assert!(!wrong.message.contains("wrong-key") && double.requests().is_empty());
    let (status, body) = world.ask_ada(&tenant).await;
    assert_eq!((status, &body["error"]["code"]), (502, &json!("provider_rejected")));

    let right = provider("main", anthropic(&double, &world.key_version(API_KEY)));
    world.load_provider(tenant.id(), &right, API_KEY).await;
    until_observed(&world, tenant.id(), "main", Condition::CredentialsValid, true).await;
    assert_eq!(world.ask_ada(&tenant).await.0, 200);
}

#[tokio::test]
async fn a_key_revoked_later_and_a_provider_gone_are_observed_and_so_is_their_return() {
    let world = World::start().await;
    let double = LlmDouble::openai().await;
    let tenant = one_provider(&world, openai(&double, &world.key_version(API_KEY)), API_KEY).await;
    until_observed(&world, tenant.id(), "main", Condition::CredentialsValid, true).await;
    double.fail_next(Fault::Status(401));
    assert_eq!(world.ask_ada(&tenant).await.0, 502);
    until_observed(&world, tenant.id(), "main", Condition::CredentialsValid, false).await;
    assert_eq!(world.ask_ada(&tenant).await.0, 200);
    until_observed(&world, tenant.id(), "main", Condition::CredentialsValid, true).await;
    for fault in [Fault::Reset, Fault::Hang] {
        double.fail_next(fault);
        assert_eq!(world.ask_ada(&tenant).await.0, 502);
        let gone = until_observed(&world, tenant.id(), "main", Condition::Reachable, false).await;
        assert!(!gone.message.contains("127.0.0.1"), "{}", gone.message);
        assert_eq!(world.ask_ada(&tenant).await.0, 200);
        until_observed(&world, tenant.id(), "main", Condition::Reachable, true).await;
    }
}

#[tokio::test]
async fn a_change_is_in_force_within_two_seconds() {
    let world = World::start().await;
    let tenant = one_provider(&world, scripted("Old."), "").await;
    assert!(text(&world.ask_ada(&tenant).await.1).starts_with("Old."));
    let started = Instant::now();
    world.publish_provider(tenant.id(), &provider("main", scripted("New.")), "").await;
    eventually("the new reply", async || {
        text(&world.ask_ada(&tenant).await.1).starts_with("New.").then_some(())
    })
    .await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_young_tenant_and_agent_are_found_without_a_signal() {
    let world = World::start().await;
    eventually("readiness", async || world.readiness.is_ready().then_some(())).await;
    let tenant = world.tenant().await;
    let demo = provider("main", scripted("Here."));
    world.operator.publish(tenant.id(), Kind::LLMProvider, "main", &demo, &[]).await.unwrap();
    eventually("a tenant that nobody announced", async || {
        (world.ask_ada(&tenant).await.0 == 404).then_some(())
    })
    .await;
    world.publish_agent(&tenant, "ada", vec![choice("main", ProviderOwner::Tenant)]).await;
    eventually("the agent", async || (world.ask_ada(&tenant).await.0 == 200).then_some(())).await;
}

#[tokio::test]
async fn a_provider_withdrawn_and_put_back_is_reported_again() {
    let world = World::start().await;
    let tenant = one_provider(&world, scripted("Here."), "").await;
    assert!(world.operator.withdraw(tenant.id(), Kind::LLMProvider, "main").await.unwrap());
    world.load_provider(tenant.id(), &provider("main", scripted("Here.")), "").await;
    assert_eq!(world.ask_ada(&tenant).await.0, 200);
    assert!(world.operator.withdraw(tenant.id(), Kind::LLMProvider, "main").await.unwrap());
    world.bus.publish(Signal::Config(tenant.id())).await;
    let (_, body) = eventually("the end of the provider", async || {
        let answer = world.ask_ada(&tenant).await;
        (answer.0 != 200).then_some(answer)
    })
    .await;
    assert_eq!(body["error"]["details"][0]["reason"], "skipped", "{body}");
}

#[tokio::test]
async fn a_shared_provider_serves_whom_it_allows_for_as_long_as_it_allows_them() {
    let world = World::start().await;
    let (invited, stranger) = (world.tenant().await, world.tenant().await);
    let name = format!("shared-{}", invited.record.slug);
    let double = LlmDouble::openai().await;
    let mut shared = provider(&name, openai(&double, &world.key_version(API_KEY)));
    shared.allowed_tenants = AllowedTenants::Slugs(vec![invited.record.slug.clone()]);
    world.load_provider(TenantId::PLATFORM, &shared, API_KEY).await;
    for tenant in [&invited, &stranger] {
        world.publish_agent(tenant, "ada", vec![choice(&name, ProviderOwner::Platform)]).await;
    }
    eventually("the agent", async || (world.ask_ada(&invited).await.0 == 200).then_some(())).await;
    let (status, body) = world.ask_ada(&stranger).await;
    assert_eq!((status, &body["error"]["details"][0]["reason"]), (502, &json!("skipped")), "{body}");
    assert!(body["error"]["message"].as_str().unwrap().contains("does not share"), "{body}");

    shared.allowed_tenants = AllowedTenants::Slugs(vec![]);
    world.load_provider(TenantId::PLATFORM, &shared, API_KEY).await;
    assert_eq!(world.ask_ada(&invited).await.0, 502, "the grant was taken back");
    shared.allowed_tenants = AllowedTenants::All;
    world.load_provider(TenantId::PLATFORM, &shared, API_KEY).await;
    assert_eq!((world.ask_ada(&invited).await.0, world.ask_ada(&stranger).await.0), (200, 200));
    let sent = world.until_calls(&stranger, 1).await;
    assert_eq!(sent[0].0, name, "the tenant pays for what it used of the platform's");
}

#[tokio::test]
async fn scripted_models_are_refused_unless_allowed() {
    let world = Setup { allow_scripted: false, ..Setup::usual().await }.start().await;
    let tenant = one_provider(&world, scripted("Hi."), "").await;
    let (status, body) = world.ask_ada(&tenant).await;
    assert_eq!((status, &body["error"]["code"]), (502, &json!("all_providers_failed")));
    assert!(body["error"]["message"].as_str().unwrap().contains("--allow-scripted-models"), "{body}");
    let observed = until_observed(&world, tenant.id(), "main", Condition::Reachable, false).await;
    assert_eq!(observed.reason, "ScriptedNotAllowed");
}

#[tokio::test]
async fn a_provider_that_cannot_be_set_up_says_why() {
    let world = World::start().await;
    let rules = vec![ScriptedRule { pattern: Some("(".into()), reply: "x".into() }];
    let tenant = one_provider(&world, ProviderEndpoint::Scripted { rules }, "").await;
    let observed = until_observed(&world, tenant.id(), "main", Condition::Reachable, false).await;
    assert!(observed.message.contains("scripted.rules[0].match"), "{}", observed.message);

    let double = LlmDouble::openai().await;
    let broken = provider("main", openai(&double, &world.key_version("two\nlines")));
    world.load_provider(tenant.id(), &broken, "two\nlines").await;
    let observed = until_observed(&world, tenant.id(), "main", Condition::CredentialsValid, false).await;
    assert_eq!(observed.reason, "InvalidSecret");
    assert!(!observed.message.contains("two"), "{}", observed.message);
}

#[tokio::test]
async fn a_model_that_the_provider_no_longer_offers_is_skipped() {
    let world = World::start().await;
    let double = LlmDouble::openai().await;
    let tenant = one_provider(&world, openai(&double, &world.key_version(API_KEY)), API_KEY).await;
    let mut fewer = provider("main", openai(&double, &world.key_version(API_KEY)));
    fewer.models = vec!["another".into()];
    world.load_provider(tenant.id(), &fewer, API_KEY).await;
    let (_, body) = world.ask_ada(&tenant).await;
    assert!(body["error"]["message"].as_str().unwrap().contains("does not offer this model"), "{body}");
}
