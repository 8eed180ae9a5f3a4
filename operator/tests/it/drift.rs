//! What somebody changes is repaired; what somebody adds is left alone.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ResourceQuota};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::ResourceExt;
use serde_json::json;

use crate::world::{change, create, delete, until, world};

#[tokio::test]
#[ignore = "needs a control plane: make test-operator"]
async fn deleted_and_edited_children_come_back() {
    let world = world();
    let (_, slug) = world.tenant("drift").await;
    let namespace = slug.namespace();
    let policies = world.api::<NetworkPolicy>(&namespace);
    delete(&policies, "default-deny").await;
    until("the policy", async || policies.get("default-deny").await).await;

    change(&policies, "allow-redis", json!({"spec": {"egress": [{}]}})).await;
    until("the closed policy", async || {
        let policy = policies.get("allow-redis").await.unwrap();
        let open =
            policy.spec.as_ref().unwrap().egress.as_ref().unwrap().iter().any(|rule| rule.to.is_none());
        if open { Err(policy) } else { Ok(()) }
    })
    .await;

    let quotas = world.api::<ResourceQuota>(&namespace);
    change(&quotas, "konstruct-tenant", json!({"spec": {"hard": {"pods": "99"}}})).await;
    until("the quota", async || {
        let hard = quotas.get("konstruct-tenant").await.unwrap().spec.unwrap().hard.unwrap();
        if hard["pods"].0 == "10" { Ok(()) } else { Err(hard) }
    })
    .await;

    let spaces = world.everywhere::<Namespace>();
    let labels =
        json!({"pod-security.kubernetes.io/enforce": "privileged", "app.kubernetes.io/managed-by": null});
    change(&spaces, &namespace, json!({"metadata": {"labels": labels}})).await;
    until("the labels", async || {
        let space = spaces.get(&namespace).await.unwrap();
        let repaired = space.labels().get("pod-security.kubernetes.io/enforce").map(String::as_str)
            == Some("restricted")
            && space.labels().contains_key("app.kubernetes.io/managed-by");
        if repaired { Ok(()) } else { Err(space) }
    })
    .await;

    let bindings = world.api::<RoleBinding>(&namespace);
    let guest = json!({"subjects": [
        {"kind": "User", "name": "mallory", "apiGroup": "rbac.authorization.k8s.io"},
    ]});
    change(&bindings, "konstruct-operator", guest).await;
    until("the binding", async || {
        let subjects = bindings.get("konstruct-operator").await.unwrap().subjects.unwrap();
        if subjects.len() == 1 && subjects[0].name == "konstruct-operator" { Ok(()) } else { Err(subjects) }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a control plane: make test-operator"]
async fn what_others_add_stays_and_what_we_no_longer_want_goes() {
    let world = world();
    let (_, slug) = world.tenant("foreign").await;
    let namespace = slug.namespace();
    let maps = world.api::<ConfigMap>(&namespace);
    create(&maps, json!({"metadata": {"name": "theirs"}})).await;
    let deployments = world.api::<Deployment>(&namespace);
    change(&deployments, "konstruct-runtime", json!({"metadata": {"labels": {"gitops": "yes"}}})).await;
    let policies = world.api::<NetworkPolicy>(&namespace);
    create(&policies, json!({"metadata": {"name": "theirs"}, "spec": {"podSelector": {}}})).await;
    let labels = json!({"app.kubernetes.io/managed-by": "konstruct", "konstruct.dev/tenant": slug});
    let orphan =
        json!({"metadata": {"name": "from-an-older-version", "labels": labels}, "spec": {"podSelector": {}}});
    create(&policies, orphan).await;
    until("the orphan being gone", async || match policies.get_opt("from-an-older-version").await.unwrap() {
        None => Ok(()),
        Some(policy) => Err(policy),
    })
    .await;
    assert!(policies.get("theirs").await.is_ok());
    assert!(maps.get("theirs").await.is_ok());
    assert!(deployments.get("konstruct-runtime").await.unwrap().labels().contains_key("gitops"));
}
