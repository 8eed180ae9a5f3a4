//! What a tenant may spend in a month.

use std::time::{Duration, Instant};

use futures::future::join_all;
use konstruct_domain::Kind;
use konstruct_domain::money::Price;
use konstruct_domain::snapshot::{ProviderSnapshot, TenantSnapshot};
use konstruct_queue::Signal;
use konstruct_testkit::llm::{API_KEY, LlmDouble, MODEL};
use serde_json::{Value, json};

use crate::world::{Tenant, World, eventually, hello, openai, provider};

/// What the operator does when the limit changes, and waits until it counts.
async fn limit(world: &World, tenant: &Tenant, tokens_per_month: Option<u64>, status: u16) -> Value {
    publish(world, tenant, tokens_per_month, None).await;
    answered_with(world, tenant, status).await
}

async fn answered_with(world: &World, tenant: &Tenant, status: u16) -> Value {
    eventually("the limit to count", async || {
        let (answered, body) = world.ask_ada(tenant).await;
        (answered == status).then_some(body)
    })
    .await
}

async fn publish(
    world: &World,
    tenant: &Tenant,
    tokens_per_month: Option<u64>,
    spend_per_month: Option<&str>,
) {
    let snapshot = TenantSnapshot {
        slug: tenant.record.slug.clone(),
        display_name: "Acme".into(),
        concurrent_turns: None,
        tokens_per_month,
        spend_per_month: spend_per_month.map(|money| money.parse().unwrap()),
    };
    let name = tenant.record.slug.as_str();
    world.operator.publish(tenant.id(), Kind::Tenant, name, &snapshot, &[]).await.unwrap();
    world.bus.publish(Signal::Config(tenant.id())).await;
}

async fn spent(world: &World, tenant: &Tenant) -> i64 {
    world.calls(tenant).await.iter().map(|(_, _, tokens_in, tokens_out)| tokens_in + tokens_out).sum()
}

#[tokio::test]
async fn a_month_that_is_used_up_is_refused_with_limit_and_day_until_the_limit_is_raised() {
    let world = World::start().await;
    let double = LlmDouble::openai().await;
    let tenant = world.with_chain(&[&double]).await;
    assert_eq!(world.ask_ada(&tenant).await.0, 200);
    world.until_calls(&tenant, 1).await;
    let one_call = spent(&world, &tenant).await;
    assert!(one_call > 0);

    let refused = limit(&world, &tenant, Some(1), 429).await;
    let asked = double.requests().len();
    assert_eq!(world.ask_ada(&tenant).await.0, 429);
    assert_eq!(double.requests().len(), asked, "no provider is asked");
    let error = &refused["error"];
    assert_eq!(
        (&error["type"], &error["code"], &error["details"]["limit"]),
        (&json!("insufficient_quota"), &json!("tokens_per_month_used_up"), &json!(1))
    );
    assert!(error["details"]["used"].as_i64().unwrap() >= one_call);
    let mut admin = world.database.admin().await;
    let next_month: String = sqlx::query_scalar(
        "select to_char(date_trunc('month', now() at time zone 'UTC') + interval '1 month', 'YYYY-MM-DD')",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    assert_eq!(error["details"]["resets_on"], json!(next_month));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("limits.tokensPerMonth is 1") && message.contains(&next_month), "{message}");
    let response = world.post(&tenant, &hello()).send().await.unwrap();
    assert!(!response.headers().contains_key("retry-after"), "a second later it is the same month");

    let raised = Instant::now();
    limit(&world, &tenant, Some(1_000_000), 200).await;
    assert!(raised.elapsed() < Duration::from_secs(5), "it does not wait for the next count");
    limit(&world, &tenant, Some(0), 429).await;
    limit(&world, &tenant, None, 200).await;
}

#[tokio::test]
async fn calls_at_the_same_time_spend_what_is_left_and_no_more_than_one_goes_above_it() {
    let world = World::start().await;
    let double = LlmDouble::openai().await;
    let tenant = world.with_chain(&[&double]).await;
    assert_eq!(world.ask_ada(&tenant).await.0, 200);
    limit(&world, &tenant, Some(0), 429).await;
    world.until_calls(&tenant, double.requests().len()).await;
    let (spent, before) = (spent(&world, &tenant).await, double.requests().len());
    let one_call = spent / i64::try_from(before).unwrap();
    assert!(one_call > 0 && one_call < 100, "less than a call may come to: {one_call}");
    // Room for two calls and one token: the third goes above it. None is refused for what the others may come to.
    publish(&world, &tenant, Some(u64::try_from(spent + 2 * one_call + 1).unwrap()), None).await;
    let mut answered = 0;
    eventually("the limit to count", async || {
        let answers = join_all((0..20).map(|_| world.ask_ada(&tenant))).await;
        answered += answers.iter().filter(|(status, _)| *status == 200).count();
        (answered > 0).then_some(())
    })
    .await;
    assert_eq!((answered, double.requests().len()), (3, before + 3));
    assert_eq!(world.ask_ada(&tenant).await.0, 429);
    // A call whose record is written while PostgreSQL counts shows twice, until the next count.
    eventually("the exact number", async || {
        let (status, refused) = world.ask_ada(&tenant).await;
        assert_eq!(status, 429);
        (refused["error"]["details"]["used"] == json!(spent + 3 * one_call)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_new_month_begins_at_zero_and_no_tenant_spends_anothers() {
    let world = World::start().await;
    let double = LlmDouble::openai().await;
    let (tenant, other) = (world.with_chain(&[&double]).await, world.with_chain(&[&double]).await);
    assert_eq!(world.ask_ada(&tenant).await.0, 200);
    world.until_calls(&tenant, 1).await;
    limit(&world, &tenant, Some(1), 429).await;
    publish(&world, &other, Some(1), None).await;
    assert_eq!(world.ask_ada(&other).await.0, 200, "it has not spent anything");

    let mut admin = world.database.admin().await;
    sqlx::query("update konstruct.monthly_use set month = month - interval '1 month' where tenant_id = $1")
        .bind(tenant.id().as_uuid())
        .execute(&mut admin)
        .await
        .unwrap();
    eventually("the next count", async || (world.ask_ada(&tenant).await.0 == 200).then_some(())).await;
    limit(&world, &tenant, Some(1), 429).await;
}

#[tokio::test]
async fn money_is_reckoned_by_the_providers_prices_and_is_refused_when_it_is_spent() {
    let world = World::start().await;
    let double = LlmDouble::openai().await;
    let tenant = world.with_chain(&[&double]).await;
    publish(&world, &tenant, None, Some("0.01")).await;
    for _ in 0..3 {
        assert_eq!(world.ask_ada(&tenant).await.0, 200, "without a price nothing is spent");
    }

    // Five a thousand tokens: one call is more than a cent.
    let endpoint = openai(&double, &world.key_version(API_KEY));
    let price = Price { input: "5000".parse().unwrap(), output: "5000".parse().unwrap() };
    let priced = ProviderSnapshot { prices: [(MODEL.to_owned(), price)].into(), ..provider("p0", endpoint) };
    world.load_provider(tenant.id(), &priced, API_KEY).await;
    let refused = answered_with(&world, &tenant, 429).await;
    let asked = double.requests().len();
    assert_eq!(world.ask_ada(&tenant).await.0, 429);
    assert_eq!(double.requests().len(), asked, "no provider is asked");
    let error = &refused["error"];
    assert_eq!(
        (&error["code"], &error["details"]["limit"]),
        (&json!("spend_per_month_used_up"), &json!("0.01"))
    );

    // To the millionth what the recorded tokens cost.
    world.until_calls(&tenant, asked).await;
    let mut admin = world.database.admin().await;
    let costs: Vec<(i64, i64)> = sqlx::query_as(
        "select tokens_in + tokens_out, cost_micros from konstruct.model_call where tenant_id = $1 order by called_at",
    )
    .bind(tenant.id().as_uuid())
    .fetch_all(&mut admin)
    .await
    .unwrap();
    let (free, charged): (Vec<_>, Vec<_>) = costs.iter().partition(|(_, cost)| *cost == 0);
    assert!(free.len() >= 3 && charged.len() == 1, "{costs:?}");
    assert!(charged.iter().all(|(tokens, cost)| *cost == tokens * 5000), "{costs:?}");

    publish(&world, &tenant, None, Some("100")).await;
    answered_with(&world, &tenant, 200).await;
}
