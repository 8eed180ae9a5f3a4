//! `kubectl port-forward`: the one way to a Service that every cluster offers.

use std::process::Stdio;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A local port that leads to a Service while this value lives.
pub struct Forward {
    pub port: u16,
    _kubectl: Child,
}

impl Forward {
    pub async fn open(namespace: &str, service: &str, port: u16) -> Result<Self> {
        let mut kubectl = Command::new("kubectl")
            .args([
                "port-forward",
                "--namespace",
                namespace,
                &format!("service/{service}"),
                &format!(":{port}"),
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("starting kubectl port-forward")?;
        let mut lines =
            BufReader::new(kubectl.stdout.take().context("kubectl has no standard output")?).lines();
        let line = lines
            .next_line()
            .await?
            .with_context(|| format!("no port-forward to {namespace}/{service}:{port}"))?;
        let local = line
            .strip_prefix("Forwarding from 127.0.0.1:")
            .and_then(|rest| rest.split(' ').next())
            .and_then(|port| port.parse().ok())
            .with_context(|| format!("kubectl port-forward said {line:?}"))?;
        // It writes a line for every connection; nobody reading would stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { port: local, _kubectl: kubectl })
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}
