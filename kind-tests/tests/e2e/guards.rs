//! What nobody but the operator may change of a tenant's namespace: the ValidatingAdmissionPolicies. Needs no pods.

use anyhow::{Result, ensure};
use konstruct_kind_tests::{Cluster, TestTenant, kubectl};

/// Runs kubectl as the cluster's administrator; it must be refused with these words.
async fn refused(arguments: &[&str], input: Option<&str>, words: &str) -> Result<()> {
    let output = kubectl::output(arguments, input).await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success(), "kubectl {} was accepted", arguments.join(" "));
    ensure!(errors.contains(words), "kubectl {}: {errors}", arguments.join(" "));
    Ok(())
}

#[tokio::test]
async fn nobody_makes_a_namespace_with_our_prefix_or_our_label() -> Result<()> {
    let _cluster = Cluster::shared().await?;
    refused(
        &["create", "namespace", "kt-e2e-forged"],
        None,
        "create a Tenant instead of namespace kt-e2e-forged",
    )
    .await?;
    let labelled = "apiVersion: v1\nkind: Namespace\nmetadata: {name: e2e-forged, labels: {konstruct.dev/tenant: acme}}\n";
    refused(&["create", "-f", "-"], Some(labelled), "only the operator creates namespaces").await
}

#[tokio::test]
async fn the_marks_of_a_tenants_namespace_are_the_operators() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::made(&cluster, "marks").await?;
    let namespace = tenant.namespace();
    for label in [
        "pod-security.kubernetes.io/enforce=privileged",
        "pod-security.kubernetes.io/enforce-",
        "konstruct.dev/tenant=other",
        "app.kubernetes.io/managed-by-",
    ] {
        refused(&["label", "namespace", &namespace, label, "--overwrite"], None, "are the operator's")
            .await?;
    }
    let uid = "konstruct.dev/tenant-uid=00000000-0000-0000-0000-000000000001";
    refused(&["annotate", "namespace", &namespace, uid, "--overwrite"], None, "are the operator's").await?;
    let owner = r#"{"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "y"}]}}"#;
    refused(&["patch", "namespace", &namespace, "-p", owner], None, "owner references").await?;
    // What is not ours is nobody's business of ours.
    kubectl::run(&["label", "namespace", &namespace, "team=blue"]).await?;
    kubectl::run(&["annotate", "namespace", &namespace, "note=hello"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_role_binding_lets_no_stranger_in() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::made(&cluster, "bindings").await?;
    let namespace = tenant.namespace();
    let bind = |subject: &str| {
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {{name: guest, namespace: {namespace}}}\n\
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}}\nsubjects: [{subject}]\n"
        )
    };
    let api = "apiGroup: rbac.authorization.k8s.io";
    for stranger in [
        "{kind: ServiceAccount, name: default, namespace: default}".to_owned(),
        format!("{{kind: Group, name: system:authenticated, {api}}}"),
        format!("{{kind: Group, name: system:serviceaccounts, {api}}}"),
        format!("{{kind: User, name: system:serviceaccount:default:default, {api}}}"),
        format!("{{kind: User, name: system:anonymous, {api}}}"),
    ] {
        let words = "a RoleBinding in a tenant's namespace";
        refused(&["create", "-f", "-"], Some(&bind(&stranger)), words).await?;
    }
    for friend in [
        format!("{{kind: ServiceAccount, name: default, namespace: {namespace}}}"),
        format!("{{kind: Group, name: acme-support, {api}}}"),
    ] {
        kubectl::with_input(&["create", "--dry-run=server", "-f", "-"], &bind(&friend)).await?;
    }
    Ok(())
}
