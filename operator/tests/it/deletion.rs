//! A deleted tenant leaves nothing, in the order that is safe.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use konstruct_crds::{Agent, ConditionType, LLMProvider, Tenant};
use konstruct_store::TenantStore;
use serde_json::json;

use crate::world::{change, create, delete, gone, ready, until, world};

#[tokio::test]
#[ignore = "needs a control plane"]
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
#[ignore = "needs a control plane"]
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
