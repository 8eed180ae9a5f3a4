//! `konstruct verify isolation`, as a platform engineer runs it: with a kubeconfig and forwarded ports.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::cluster::control_plane_only;
use crate::forward::Forward;
use crate::platform;

/// The executable, which both scripts name.
const EXECUTABLE: &str = "KONSTRUCT_EXECUTABLE";

/// What it said about one tenant.
pub struct Verified {
    pub exit_code: i32,
    probes: Vec<Value>,
}

impl Verified {
    /// Ids of the probes with an outcome: `pass`, `breach` or `skipped`.
    pub fn with(&self, outcome: &str) -> Vec<&str> {
        let with = self.probes.iter().filter(|probe| probe["outcome"] == outcome);
        with.filter_map(|probe| probe["id"].as_str()).collect()
    }

    pub fn detail(&self, id: &str) -> String {
        let probe = self.probes.iter().find(|probe| probe["id"] == id);
        probe.map(|probe| probe["detail"].to_string()).unwrap_or_default()
    }
}

/// Verifies one tenant; `families` empty means a full run.
pub async fn isolation(tenant: &str, families: &str) -> Result<Verified> {
    let executable = std::env::var_os(EXECUTABLE).with_context(|| format!("{EXECUTABLE} is not set"))?;
    let mut command = Command::new(executable);
    command.args(["verify", "isolation", "--output", "json", "--tenant", tenant]);
    if !families.is_empty() {
        command.args(["--only", families]);
    }
    let _forwards = reach(&mut command).await?;
    let output =
        command.stdin(Stdio::null()).kill_on_drop(true).output().await.context("running konstruct")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("konstruct verify printed no report: {errors}"))?;
    let probes = report["tenants"][0]["probes"].as_array().cloned().unwrap_or_default();
    ensure!(!probes.is_empty(), "nothing was probed: {report:#}");
    Ok(Verified { exit_code: output.status.code().context("konstruct verify was killed")?, probes })
}

/// Leads it to the servers: forwarded from the cluster, or those of `with-services`.
async fn reach(command: &mut Command) -> Result<Vec<Forward>> {
    if control_plane_only() {
        command.args(["--operator", "konstruct-operator-flags"]);
        for (variable, flag) in [
            ("KONSTRUCT_TEST_DATABASE_URL", "--database-address"),
            ("KONSTRUCT_TEST_REDIS_URL", "--redis-address"),
        ] {
            let url = std::env::var(variable).with_context(|| format!("{variable} is not set"))?;
            command.args([flag, place(&url)]);
        }
        return Ok(Vec::new());
    }
    let postgres = Forward::open("konstruct-data", "postgres", 5432).await?;
    let redis = Forward::open("konstruct-data", "redis", 6379).await?;
    let ai_gateway = Forward::open(platform::NAMESPACE, "konstruct-ai-gateway", 8081).await?;
    command.args(["--database-address", &format!("127.0.0.1:{}", postgres.port)]);
    command.args(["--redis-address", &format!("127.0.0.1:{}", redis.port)]);
    command.args(["--ai-gateway-url", &ai_gateway.url("")]);
    Ok(vec![postgres, redis, ai_gateway])
}

/// `host:port` of a URL.
fn place(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, place)| place)
}
