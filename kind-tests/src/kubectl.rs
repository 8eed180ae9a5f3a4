//! The real `kubectl`, as a user runs it.

use std::path::Path;
use std::process::{Output, Stdio};

use anyhow::{Context, Result, ensure};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Runs kubectl and returns what it printed; fails with its error text.
pub async fn run(arguments: &[&str]) -> Result<String> {
    text(arguments, output(arguments, None).await?)
}

/// `kubectl apply --server-side` of YAML text.
pub async fn apply(yaml: &str) -> Result<String> {
    with_input(
        &["apply", "--server-side", "--force-conflicts", "--field-manager=konstruct-e2e", "-f", "-"],
        yaml,
    )
    .await
}

/// `kubectl apply --server-side` of a file or folder; returns the objects, `kind.group/name` a line.
pub async fn apply_path_names(path: &Path) -> Result<String> {
    let path = path.to_str().context("the path is not UTF-8")?;
    let manager = "--field-manager=konstruct-e2e";
    run(&["apply", "--server-side", "--force-conflicts", manager, "--recursive", "-o", "name", "-f", path])
        .await
}

/// Runs kubectl with text on its standard input.
pub async fn with_input(arguments: &[&str], input: &str) -> Result<String> {
    text(arguments, output(arguments, Some(input)).await?)
}

/// Runs kubectl, whatever comes of it.
pub async fn output(arguments: &[&str], input: Option<&str>) -> Result<Output> {
    let mut child = Command::new("kubectl")
        .args(arguments)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("starting kubectl: is it on the PATH?")?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        stdin.write_all(input.as_bytes()).await.context("writing to kubectl")?;
    }
    child.wait_with_output().await.context("waiting for kubectl")
}

/// For what goes with a value: best effort and without waiting, so that it can be done while a test fails.
pub fn delete_behind(kind: &str, name: &str) {
    let _ = std::process::Command::new("kubectl")
        .args(["delete", kind, name, "--ignore-not-found", "--wait=false"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

fn text(arguments: &[&str], output: Output) -> Result<String> {
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "kubectl {}: {errors}", arguments.join(" "));
    String::from_utf8(output.stdout).context("kubectl printed something that is not UTF-8")
}
