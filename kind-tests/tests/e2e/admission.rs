//! What the real API server lets through: the rules in the schemas, none of our processes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use konstruct_kind_tests::{Cluster, TestTenant, kubectl, platform};

fn corpus(which: &str) -> Result<Vec<PathBuf>> {
    let folder = platform::repository().join("crds/tests/corpus").join(which);
    let entries = std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    ensure!(!files.is_empty(), "{} has no manifests", folder.display());
    Ok(files)
}

/// Creates in dry-run, so that nothing stays and update rules have no say.
async fn create(file: &Path) -> Result<std::process::Output> {
    let path = file.to_str().context("a path that is not UTF-8")?;
    kubectl::output(&["create", "--dry-run=server", "--validate=strict", "-f", path], None).await
}

#[tokio::test]
async fn the_accepted_corpus_is_accepted() -> Result<()> {
    let _cluster = Cluster::shared().await?;
    for file in corpus("accepted")? {
        let output = create(&file).await?;
        ensure!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// A refused manifest says in its first comment line what the API server must say: `# refused: <part of the message>`.
#[tokio::test]
async fn the_refused_corpus_is_refused_for_the_stated_reason() -> Result<()> {
    let _cluster = Cluster::shared().await?;
    for file in corpus("refused")? {
        let text = std::fs::read_to_string(&file)?;
        let wanted = text
            .lines()
            .find_map(|line| line.strip_prefix("# refused: "))
            .with_context(|| format!("{} does not say why it is refused", file.display()))?;
        let output = create(&file).await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(!output.status.success(), "{} was accepted", file.display());
        ensure!(
            said.contains(wanted),
            "{}: expected {wanted:?}, the API server said: {said}",
            file.display()
        );
    }
    Ok(())
}

/// What identifies an object can never be edited.
#[tokio::test]
async fn identity_cannot_be_changed() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::new(&cluster, "identity");
    tenant.apply_all().await?;
    let namespace = tenant.namespace();
    let attempts: [(&str, &str, Option<&str>, &str, &str); 3] = [
        ("tenant", &tenant.slug, None, r#"{"spec":{"slug":"another"}}"#, "slug cannot be changed"),
        (
            "channelconnection",
            "slack",
            Some(&namespace),
            r#"{"spec":{"slack":{"teamId":"T0ANOTHER"}}}"#,
            "teamId cannot be changed",
        ),
        (
            "channelconnection",
            "slack",
            Some(&namespace),
            r#"{"spec":{"slack":null,"webChat":{}}}"#,
            "the channel type cannot be changed",
        ),
    ];
    for (kind, name, namespace, patch, wanted) in attempts {
        let mut arguments = vec!["patch", kind, name, "--type=merge", "--dry-run=server", "--patch", patch];
        arguments.extend(namespace.map(|namespace| ["--namespace", namespace]).into_iter().flatten());
        let output = kubectl::output(&arguments, None).await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            !output.status.success() && said.contains(wanted),
            "{patch}: expected {wanted:?}, got: {said}"
        );
    }
    Ok(())
}

/// A union and a default have to hold in what the API server stores, too.
#[tokio::test]
async fn defaults_are_filled_in_by_the_api_server() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let tenant = TestTenant::new(&cluster, "defaults");
    let stored =
        kubectl::with_input(&["create", "--dry-run=server", "-o", "json", "-f", "-"], &tenant.tenant_yaml())
            .await?;
    let stored: serde_json::Value = serde_json::from_str(&stored)?;
    ensure!(
        stored["spec"]["quota"] == serde_json::json!({"pods": 10, "cpu": "2", "memory": "2Gi"}),
        "{stored:#}"
    );
    Ok(())
}
