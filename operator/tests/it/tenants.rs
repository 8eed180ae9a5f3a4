//! A Tenant becomes a namespace with walls, logins and a runtime.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{LimitRange, Namespace, ResourceQuota, Secret, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use konstruct_crds::{ConditionType, Tenant};
use konstruct_store::TenantStore;
use kube::api::ListParams;
use kube::{Resource, ResourceExt};
use serde_json::json;

use crate::world::{change, condition, create, delete, gone, ready, until, world};

fn version(object: &impl Resource) -> u64 {
    let first = object.meta().managed_fields.as_ref().map_or(0, Vec::len);
    assert!(first > 0);
    object.meta().resource_version.as_ref().unwrap().parse().unwrap()
}

#[tokio::test]
#[ignore = "needs a control plane: make test-operator"]
async fn a_tenant_gets_its_walls_first_and_logins_that_work() {
    let world = world();
    let (_, slug) = world.tenant("walls").await;
    let namespace = slug.namespace();
    let space = world.everywhere::<Namespace>().get(&namespace).await.unwrap();
    assert_eq!(space.labels()["pod-security.kubernetes.io/enforce"], "restricted");

    let policies = world.api::<NetworkPolicy>(&namespace).list(&ListParams::default()).await.unwrap();
    assert_eq!(policies.items.len(), 6);
    let walls = policies.items.iter().map(version).max().unwrap();
    let account = world.api::<ServiceAccount>(&namespace).get("konstruct-runtime").await.unwrap();
    let secret = world.api::<Secret>(&namespace).get("konstruct-runtime").await.unwrap();
    assert!(walls < version(&account) && version(&account) < version(&secret));
    assert!(world.api::<ResourceQuota>(&namespace).get("konstruct-tenant").await.is_ok());
    assert!(world.api::<LimitRange>(&namespace).get("konstruct-tenant").await.is_ok());

    // The password of the Secret opens the database as the tenant.
    let url = String::from_utf8(secret.data.unwrap()["database-url"].0.clone()).unwrap();
    let login = url.strip_prefix("postgres://").unwrap().split_once('@').unwrap().0;
    let (role, password) = login.split_once(':').unwrap();
    assert_eq!(role, slug.database_role());
    let store = TenantStore::connect(&world.database.url_for(role, password)).unwrap();
    store.ping().await.unwrap();
}

#[tokio::test]
#[ignore = "needs a control plane: make test-operator"]
async fn a_namespace_that_somebody_else_made_is_not_touched() {
    let world = world();
    let slug = konstruct_testkit::unique_slug("foreign");
    let spaces = world.everywhere::<Namespace>();
    let labels = json!({"app.kubernetes.io/managed-by": "konstruct", "konstruct.dev/tenant": slug});
    create(&spaces, json!({"metadata": {"name": slug.namespace(), "labels": labels}})).await;
    let tenants = world.everywhere::<Tenant>();
    let tenant = json!({"metadata": {"name": slug}, "spec": {"displayName": "F", "slug": slug}});
    create(&tenants, tenant).await;
    let said = condition(&tenants, slug.as_str(), ConditionType::Ready, "False", "NamespaceConflict").await;
    assert!(said.message.contains(&slug.namespace()), "{}", said.message);
    let policies = world.api::<NetworkPolicy>(&slug.namespace()).list(&ListParams::default()).await.unwrap();
    assert!(policies.items.is_empty());

    // It goes with nothing but itself.
    delete(&tenants, slug.as_str()).await;
    gone(&tenants, slug.as_str()).await;
    assert!(spaces.get(&slug.namespace()).await.unwrap().metadata.deletion_timestamp.is_none());
    delete(&spaces, &slug.namespace()).await;
}

#[tokio::test]
#[ignore = "needs a control plane: make test-operator"]
async fn of_two_tenants_with_one_slug_the_first_has_it_and_the_next_takes_over() {
    let world = world();
    let (_, slug) = world.tenant("twins").await;
    let tenants = world.everywhere::<Tenant>();
    let second = format!("{slug}-second");
    create(&tenants, json!({"metadata": {"name": second}, "spec": {"displayName": "S", "slug": slug}})).await;
    condition(&tenants, &second, ConditionType::Ready, "False", "SlugConflict").await;
    assert!(ready(&tenants, slug.as_str()).await.status.is_some());
    delete(&tenants, slug.as_str()).await;
    gone(&tenants, slug.as_str()).await;
    ready(&tenants, &second).await;
}

#[tokio::test]
#[ignore = "needs a control plane: make test-operator"]
async fn a_changed_quota_is_in_force_and_an_impossible_one_is_refused() {
    let world = world();
    let (_, slug) = world.tenant("quota").await;
    let tenants = world.everywhere::<Tenant>();
    change(&tenants, slug.as_str(), json!({"spec": {"quota": {"memory": "3Gi"}}})).await;
    let quotas = world.api::<ResourceQuota>(&slug.namespace());
    until("the new quota", async || {
        let quota = quotas.get("konstruct-tenant").await.unwrap();
        let hard = quota.spec.unwrap().hard.unwrap();
        if hard["limits.memory"].0 == "3Gi" { Ok(()) } else { Err(hard) }
    })
    .await;
    change(&tenants, slug.as_str(), json!({"spec": {"quota": {"memory": "1Mi"}}})).await;
    condition(&tenants, slug.as_str(), ConditionType::Stalled, "True", "InvalidSpec").await;
    change(&tenants, slug.as_str(), json!({"spec": {"quota": {"memory": "2Gi"}}})).await;
    ready(&tenants, slug.as_str()).await;
}

#[tokio::test]
#[ignore = "needs a control plane: make test-operator"]
async fn passwords_survive_and_a_broken_secret_is_made_anew_with_a_restart() {
    let world = world();
    let (_, slug) = world.tenant("secret").await;
    let (secrets, deployments) =
        (world.api::<Secret>(&slug.namespace()), world.api::<Deployment>(&slug.namespace()));
    let before = secrets.get("konstruct-runtime").await.unwrap().data;
    let tenants = world.everywhere::<Tenant>();
    change(&tenants, slug.as_str(), json!({"spec": {"displayName": "Renamed"}})).await;
    ready(&tenants, slug.as_str()).await;
    assert_eq!(secrets.get("konstruct-runtime").await.unwrap().data, before);

    let hash = |deployment: &Deployment| {
        let template = deployment.spec.as_ref().unwrap().template.metadata.clone().unwrap();
        template.annotations.unwrap()["konstruct.dev/secret-hash"].clone()
    };
    let old = hash(&deployments.get("konstruct-runtime").await.unwrap());
    delete(&secrets, "konstruct-runtime").await;
    // No watch of ours may read secrets: an edit, or the next look in some minutes, finds out.
    change(&tenants, slug.as_str(), json!({"spec": {"displayName": "Again"}})).await;
    until("a restart", async || {
        let new = hash(&deployments.get("konstruct-runtime").await.unwrap());
        if new == old { Err(new) } else { Ok(()) }
    })
    .await;
    ready(&tenants, slug.as_str()).await;
}
