//! An operator that is given namespaces, and has no right in others: `kind-tests/run --control-plane-only --namespaced`.

use anyhow::{Result, ensure};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use konstruct_kind_tests::objects::{Kind, await_gone, await_status, text};
use konstruct_kind_tests::tenant::PATIENCE;
use konstruct_kind_tests::{Cluster, TestTenant, kubectl};
use kube::api::{ListParams, PostParams};
use kube::{Api, ResourceExt};

const PROVISIONER: &str = "system:serviceaccount:konstruct-system:konstruct-provisioner";
const WORKLOAD: &str = "system:serviceaccount:konstruct-system:konstruct-operator";

#[tokio::test]
#[ignore = "needs an operator with rbac.namespaced: kind-tests/run --control-plane-only --namespaced"]
async fn a_given_namespace_becomes_its_tenants_and_nothing_else_is_touched() -> Result<()> {
    let cluster = Cluster::alone().await?;
    let tenants = cluster.cluster_api(Kind::Tenant);
    let of_others = TestTenant::new(&cluster, "others");
    kubectl::apply(&of_others.tenant_yaml()).await?;

    // The rights that came with it are gone, too: the operator started without.
    let gone = TestTenant::of_slug(&cluster, "given-and-gone");
    kubectl::apply(&gone.tenant_yaml()).await?;
    await_status(&tenants, &gone.slug, "NamespaceReady", "False", PATIENCE).await?;
    let said = await_status(&tenants, &gone.slug, "Stalled", "True", PATIENCE).await?;
    ensure!(text(&said, "reason") == "NamespaceMissing", "{said:#}");
    ensure!(text(&said, "message").contains("kt-given-and-gone"), "{said:#}");

    let tenant = TestTenant::of_slug(&cluster, "given");
    kubectl::apply(&tenant.tenant_yaml()).await?;
    tenant.namespace_made().await?;
    kubectl::apply(&tenant.provider_yaml("own", "model-key", "e2e-model-key")).await?;
    kubectl::apply(&tenant.agent_with("grace", "own", "Answer.")).await?;
    for part in ["DatabaseReady", "CacheReady"] {
        await_status(&tenants, &tenant.slug, part, "True", PATIENCE).await?;
    }
    await_status(&tenant.api(Kind::Agent), "grace", "ResolvedRefs", "True", PATIENCE).await?;
    let spaces: Api<Namespace> = Api::all(cluster.client.clone());
    let space = spaces.get(&tenant.namespace()).await?;
    ensure!(space.labels()["pod-security.kubernetes.io/enforce"] == "restricted", "{:?}", space.labels());
    ensure!(space.annotations()["konstruct.dev/tenant-uid"] == tenant.uid().await?, "another tenant's mark");
    let policies: Api<NetworkPolicy> = Api::namespaced(cluster.client.clone(), &tenant.namespace());
    ensure!(policies.list(&ListParams::default()).await?.items.len() == 6, "walls are missing");

    // What was declared before all this has been seen by nobody.
    let untouched = tenants.get(&of_others.slug).await?;
    ensure!(untouched.finalizers().is_empty(), "{:?}", untouched.finalizers());
    // The status that the definition gives every Tenant.
    ensure!(untouched.data["status"]["conditions"][0]["reason"] == "Pending", "{}", untouched.data);
    ensure!(spaces.get_opt(&of_others.namespace()).await?.is_none(), "a namespace was made");

    rights_end_at_the_namespace(&cluster, &tenant.namespace()).await?;

    // The rights inside go with the namespace, and the employee's finalizer is released all the same.
    tenants.delete(&tenant.slug, &kube::api::DeleteParams::default()).await?;
    await_gone(&tenants, &tenant.slug, PATIENCE).await?;
    ensure!(spaces.get_opt(&tenant.namespace()).await?.is_none(), "the namespace is left");
    Ok(())
}

async fn rights_end_at_the_namespace(cluster: &Cluster, given: &str) -> Result<()> {
    let asked = [
        (PROVISIONER, "create", "", "namespaces", None, false),
        (PROVISIONER, "list", "", "namespaces", None, false),
        (PROVISIONER, "delete", "", "namespaces", Some("kube-system"), false),
        (PROVISIONER, "create", "rbac.authorization.k8s.io", "rolebindings", Some("default"), false),
        (PROVISIONER, "create", "rbac.authorization.k8s.io", "rolebindings", Some(given), true),
        (PROVISIONER, "list", "networking.k8s.io", "networkpolicies", None, false),
        (PROVISIONER, "create", "networking.k8s.io", "networkpolicies", Some(given), true),
        (WORKLOAD, "list", "apps", "deployments", None, false),
        (WORKLOAD, "list", "apps", "deployments", Some(given), true),
        (WORKLOAD, "create", "events.k8s.io", "events", None, false),
        (WORKLOAD, "get", "", "secrets", Some("default"), false),
    ];
    for (user, verb, group, resource, namespace, expected) in asked {
        let is_object = resource == "namespaces";
        let name = |is: bool| namespace.filter(|_| is).map(str::to_owned);
        let attributes = ResourceAttributes {
            verb: Some(verb.to_owned()),
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            namespace: name(!is_object),
            name: name(is_object),
            ..ResourceAttributes::default()
        };
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(user.to_owned()),
                resource_attributes: Some(attributes),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let reviews: Api<SubjectAccessReview> = Api::all(cluster.client.clone());
        let answer = reviews.create(&PostParams::default(), &review).await?;
        let allowed = answer.status.is_some_and(|status| status.allowed);
        ensure!(allowed == expected, "{user} may {verb} {resource} in {namespace:?}: {allowed}");
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs an operator with rbac.namespaced: kind-tests/run --control-plane-only --namespaced"]
async fn whoever_gives_a_namespace_leaves_the_operators_marks_to_it() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let spaces: Api<Namespace> = Api::all(cluster.client.clone());
    let namespace = |labels: serde_json::Value| -> Result<Namespace> {
        let metadata = serde_json::json!({"name": "kt-given-by-hand", "labels": labels});
        Ok(serde_json::from_value(serde_json::json!({ "metadata": metadata }))?)
    };
    let marked = namespace(serde_json::json!({"konstruct.dev/tenant": "acme"}))?;
    let refused = spaces.create(&PostParams::default(), &marked).await.err().map(|error| error.to_string());
    ensure!(refused.as_deref().is_some_and(|said| said.contains("konstruct.dev/*")), "{refused:?}");
    let plain = namespace(serde_json::json!({"pod-security.kubernetes.io/enforce": "restricted"}))?;
    spaces.create(&PostParams::default(), &plain).await?;
    spaces.delete("kt-given-by-hand", &kube::api::DeleteParams::default()).await?;
    Ok(())
}
