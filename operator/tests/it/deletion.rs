//! A deleted tenant leaves nothing, in the order that is safe.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use konstruct_crds::{Agent, ConditionType, LLMProvider, Tenant};
use konstruct_domain::Kind;
use konstruct_store::TenantStore;
use serde_json::json;

use crate::world::{change, create, delete, gone, ready, until, world};

#[tokio::test]
#[ignore = "needs a control plane: make test-operator"]
async fn nothing_is_left() {
    let world = world();
    let (id, slug) = world.tenant("leaver").await;
    let namespace = slug.namespace();
    let provider = json!({"metadata": {"name": "demo"}, "spec": {
        "scripted": {"rules": [{"reply": "Hi"}]}, "models": ["demo"],
    }});
    create(&world.api::<LLMProvider>(&namespace), provider).await;
    let agent = json!({"metadata": {"name": "ada"}, "spec": {
        "displayName": "Ada", "models": [{"provider": "demo", "model": "demo"}],
    }});
    create(&world.api::<Agent>(&namespace), agent).await;
    ready(&world.api::<Agent>(&namespace), "ada").await;
    let secret = world.api::<Secret>(&namespace).get("konstruct-runtime").await.unwrap();
    let url = String::from_utf8(secret.data.unwrap()["database-url"].0.clone()).unwrap();
    let password =
        url.split_once("://").unwrap().1.split_once('@').unwrap().0.split_once(':').unwrap().1.to_owned();

    let tenants = world.everywhere::<Tenant>();
    delete(&tenants, slug.as_str()).await;
    gone(&tenants, slug.as_str()).await;
    gone(&world.everywhere::<Namespace>(), &namespace).await;
    assert!(world.store.tenant_of_namespace(&namespace).await.unwrap().is_none());
    assert!(world.store.tenants().await.unwrap().iter().all(|tenant| tenant.id != id));
    let store = TenantStore::connect(&world.database.url_for(&slug.database_role(), &password)).unwrap();
    assert!(store.ping().await.is_err(), "the login role is gone");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-operator"]
async fn a_foreign_finalizer_holds_it_up_and_is_named() {
    let world = world();
    let (_, slug) = world.tenant("held").await;
    let maps = world.api::<ConfigMap>(&slug.namespace());
    create(&maps, json!({"metadata": {"name": "held", "finalizers": ["example.com/hold"]}})).await;
    let tenants = world.everywhere::<Tenant>();
    delete(&tenants, slug.as_str()).await;
    until("the reason for waiting", async || {
        let tenant = tenants.get(slug.as_str()).await.unwrap();
        let ready = konstruct_crds::conditions::find(
            &tenant.status.as_ref().unwrap().conditions,
            ConditionType::Ready,
        )
        .cloned()
        .unwrap();
        if ready.reason == "Deleting" && ready.message.contains("example.com/hold") {
            Ok(())
        } else {
            Err(ready)
        }
    })
    .await;
    change(&maps, "held", json!({"metadata": {"finalizers": null}})).await;
    gone(&tenants, slug.as_str()).await;
}

/// A finalizer does not hold what was being deleted when it was added, nor what somebody takes it away from.
#[tokio::test]
#[ignore = "needs a control plane: make test-operator"]
async fn what_is_in_force_without_an_object_is_withdrawn() {
    let world = world();
    let (id, slug) = world.tenant("strays").await;
    let in_force = async || world.store.named(id).await.unwrap();
    let stray = async |name: &str| {
        world.store.publish(id, Kind::Agent, name, &json!({}), &[]).await.unwrap();
        world.store.claim_channel_account(id, name, "slack", &format!("T-{slug}")).await.unwrap();
    };
    let only_the_tenant = async || match in_force().await {
        named if named == [(Kind::Tenant, slug.to_string())] => Ok(()),
        named => Err(named),
    };
    until("the tenant's own snapshot", only_the_tenant).await;

    // Whatever makes a pass over the tenant finds them.
    stray("ghost").await;
    let tenants = world.everywhere::<Tenant>();
    change(&tenants, slug.as_str(), json!({"metadata": {"annotations": {"look": "again"}}})).await;
    until("the stray being withdrawn after a change of its tenant", only_the_tenant).await;

    // An object that goes has its namespace looked at.
    stray("ghost").await;
    let agents = world.api::<Agent>(&slug.namespace());
    let agent = json!({"metadata": {"name": "ada"}, "spec": {
        "displayName": "Ada", "models": [{"provider": "none", "model": "demo"}],
    }});
    create(&agents, agent).await;
    delete(&agents, "ada").await;
    gone(&agents, "ada").await;
    until("the stray being withdrawn after another agent went", only_the_tenant).await;
}
