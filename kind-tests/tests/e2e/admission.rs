//! What the real API server lets through: the rules in the schemas, none of our processes.
//!
//! A manifest of the corpus starts with a comment: the field it is refused for, and with a rule of ours `: ` and the
//! rule's message. With two documents the second replaces the first.

use std::path::PathBuf;
use std::process::Output;

use anyhow::{Context, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use konstruct_kind_tests::objects::Kind;
use konstruct_kind_tests::{Cluster, kubectl, platform};
use kube::api::{WatchEvent, WatchParams};
use uuid::Uuid;

struct Case {
    file: String,
    expectation: String,
    previous: Option<String>,
    manifest: String,
}

fn corpus(which: &str) -> Result<Vec<Case>> {
    let folder = platform::repository().join("crds/tests/corpus").join(which);
    let entries = std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut cases = entries.map(|entry| read(&entry?.path())).collect::<Result<Vec<_>>>()?;
    cases.sort_by(|one, other| one.file.cmp(&other.file));
    ensure!(!cases.is_empty(), "{} has no manifests", folder.display());
    Ok(cases)
}

fn read(path: &PathBuf) -> Result<Case> {
    let text = std::fs::read_to_string(path)?;
    let first = text.lines().next().and_then(|line| line.strip_prefix("# "));
    let expectation =
        first.with_context(|| format!("{} starts without a comment", path.display()))?.to_owned();
    // A stored Tenant is acted upon: its name and slug must be nobody else's.
    let unique = format!("e2e-{}", &Uuid::new_v4().simple().to_string()[..8]);
    let own = |document: &str| {
        if document.contains("kind: Tenant\n") { rename(document, &unique) } else { document.to_owned() }
    };
    let (previous, manifest) = match text.split_once("\n---\n") {
        Some((previous, manifest)) => (Some(own(&format!("{previous}\n"))), own(manifest)),
        None => (None, text.clone()),
    };
    Ok(Case { file: path.display().to_string(), expectation, previous, manifest })
}

fn rename(tenant: &str, name: &str) -> String {
    tenant
        .replace("name: acme\n", &format!("name: {name}\n"))
        .replace("slug: acme\n", &format!("slug: {name}\n"))
}

/// What the API server says to the manifest, without storing it.
async fn try_out(case: &Case, namespace: &str) -> Result<Output> {
    let Some(previous) = &case.previous else {
        return kubectl::output(
            &["create", "--dry-run=server", "--namespace", namespace, "-f", "-"],
            Some(&case.manifest),
        )
        .await;
    };
    kubectl::with_input(&["create", "--namespace", namespace, "-f", "-"], previous)
        .await
        .with_context(|| format!("{}: the object before the update", case.file))?;
    let replace = ["replace", "--dry-run=server", "--namespace", namespace, "-f", "-"];
    let output = loop {
        let output = kubectl::output(&replace, Some(&case.manifest)).await;
        // The operator has just written the status of the object before the update.
        let in_between = |output: &Output| {
            String::from_utf8_lossy(&output.stderr).contains("the object has been modified")
        };
        if !output.as_ref().is_ok_and(in_between) {
            break output;
        }
    };
    kubectl::with_input(&["delete", "--timeout=180s", "--namespace", namespace, "-f", "-"], previous).await?;
    output
}

/// A namespace for the objects that an update needs. No tenant's, so the operator leaves them alone.
async fn namespace(name: &str) -> Result<&str> {
    kubectl::apply(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n")).await?;
    Ok(name)
}

#[tokio::test]
async fn the_accepted_corpus_is_accepted() -> Result<()> {
    let _cluster = Cluster::with_definitions().await?;
    let namespace = namespace("konstruct-e2e-accepted").await?;
    for case in corpus("accepted")? {
        let output = try_out(&case, namespace).await?;
        ensure!(output.status.success(), "{}: {}", case.file, String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

#[tokio::test]
async fn the_refused_corpus_is_refused_for_the_stated_reason() -> Result<()> {
    let _cluster = Cluster::with_definitions().await?;
    let namespace = namespace("konstruct-e2e-refused").await?;
    let mut wrong = Vec::new();
    for case in corpus("refused")? {
        let output = try_out(&case, namespace).await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let (field, message) = case.expectation.split_once(": ").unwrap_or((&case.expectation, ""));
        let names_it = said.contains(field.trim_start_matches("<root>")) && said.contains(message);
        if output.status.success() || !names_it {
            wrong
                .push(format!("{}: expected {:?}, the API server said: {said}", case.file, case.expectation));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[tokio::test]
async fn defaults_are_filled_in_by_the_api_server() -> Result<()> {
    let _cluster = Cluster::with_definitions().await?;
    let tenant = "apiVersion: konstruct.dev/v1alpha1\nkind: Tenant\nmetadata: {name: e2e-defaults}\n\
                  spec: {displayName: Defaults, slug: e2e-defaults}\n";
    let stored =
        kubectl::with_input(&["create", "--dry-run=server", "-o", "json", "-f", "-"], tenant).await?;
    let stored: serde_json::Value = serde_json::from_str(&stored)?;
    ensure!(
        stored["spec"]["state"] == "Active" && stored["spec"]["deletionPolicy"] == "Retain",
        "{stored:#}"
    );
    Ok(())
}

/// For kstatus an object without conditions is ready, and Flux would go on.
#[tokio::test]
async fn an_object_that_no_operator_has_looked_at_is_not_ready() -> Result<()> {
    let cluster = Cluster::with_definitions().await?;
    let namespace = namespace("konstruct-e2e-unseen").await?;
    let api = cluster.api(Kind::LLMProvider, namespace);
    let watched = WatchParams::default().fields("metadata.name=unseen").timeout(60);
    let mut events = api.watch(&watched, "0").await?.boxed();
    let provider = "apiVersion: konstruct.dev/v1alpha1\nkind: LLMProvider\nmetadata: {name: unseen}\n\
                    spec: {models: [m], scripted: {rules: [{reply: Hello}]}}\n";
    kubectl::with_input(&["create", "--namespace", namespace, "-f", "-"], provider).await?;
    let made = loop {
        let event = events.try_next().await?.context("the watch ended before the object was made")?;
        if let WatchEvent::Added(object) = event {
            break object;
        }
    };
    kubectl::run(&["delete", "llmprovider", "unseen", "--namespace", namespace, "--timeout=60s"]).await?;
    let ready = &made.data["status"]["conditions"][0];
    ensure!(ready["type"] == "Ready" && ready["status"] == "Unknown", "{ready:#}");
    ensure!(ready["reason"] == "Pending", "{ready:#}");
    Ok(())
}
