//! What a tenant's month came to.

use konstruct_domain::snapshot::ProviderOwner;
use konstruct_domain::{Money, TenantId};
use konstruct_store::ModelCall;
use uuid::Uuid;

use crate::world::World;

async fn record(world: &World, tenant: TenantId, tokens_in: i64, tokens_out: i64) {
    let call = ModelCall {
        request_id: Uuid::now_v7(),
        agent: "ada".parse().unwrap(),
        owner: ProviderOwner::Tenant,
        provider: "demo".parse().unwrap(),
        model: "m".to_owned(),
        tokens_in,
        tokens_out,
        cost: Money::from_micros(5),
        outcome: "answered",
    };
    world.ai_gateway.record_model_call(tenant, &call).await.unwrap();
}

#[tokio::test]
async fn a_month_is_the_tenants_own_and_begins_in_utc_wherever_the_server_is() {
    let world = World::new().await;
    let (acme, globex) = (world.acme.id, world.globex.id);
    assert_eq!(world.ai_gateway.monthly_use(acme).await.unwrap().tokens, 0);
    record(&world, globex, 1000, 1000).await;
    record(&world, acme, 3, 4).await;
    let mut admin = world.database.admin().await;
    sqlx::query("update konstruct.monthly_use set month = month - interval '1 month' where tenant_id = $1")
        .bind(acme.as_uuid())
        .execute(&mut admin)
        .await
        .unwrap();
    record(&world, acme, 10, 20).await;
    let month = world.ai_gateway.monthly_use(acme).await.unwrap();
    assert_eq!((month.tokens, month.cost_micros), (30, 5));
    let next: String = sqlx::query_scalar(
        "select to_char(date_trunc('month', now() at time zone 'UTC') + interval '1 month', 'YYYY-MM-DD')",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    assert_eq!(month.resets_on, next);

    record(&world, acme, i64::MAX, i64::MAX).await;
    assert_eq!(
        world.ai_gateway.monthly_use(acme).await.unwrap().tokens,
        i64::MAX,
        "what a provider claims is counted"
    );
}
