//! The operator under test: a process that is killed and starts again.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

pub(crate) struct Operator {
    state: Arc<State>,
    supervisor: JoinHandle<()>,
}

#[derive(Default)]
pub(crate) struct State {
    /// 0 while it does not run.
    pid: AtomicU32,
    starts: AtomicU32,
}

impl State {
    /// Freezes it, or lets it go on.
    pub(crate) fn freeze(&self, frozen: bool) {
        let pid = i32::try_from(self.pid.load(Ordering::SeqCst)).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, if frozen { Signal::STOP } else { Signal::CONT });
        }
    }

    /// `kill -9`, at once.
    pub(crate) fn kill(&self) {
        let pid = i32::try_from(self.pid.swap(0, Ordering::SeqCst)).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // Gone already is as good.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

impl Operator {
    /// Runs the script of `kind-tests/control-plane` with the proxy as its API server, for as long as this value lives.
    pub(crate) fn start(state: Arc<State>, kubeconfig: &str) -> Result<Self> {
        let script = std::env::var("KONSTRUCT_OPERATOR").context(
            "KONSTRUCT_OPERATOR must name a script that runs the operator: use kind-tests/run --faults",
        )?;
        let kubeconfig = kubeconfig.to_owned();
        let supervised = Arc::clone(&state);
        let supervisor = tokio::spawn(async move {
            loop {
                match spawn(&script, &kubeconfig) {
                    Ok(mut child) => {
                        supervised.pid.store(child.id().unwrap_or(0), Ordering::SeqCst);
                        supervised.starts.fetch_add(1, Ordering::SeqCst);
                        let _ = child.wait().await;
                    }
                    Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
                }
            }
        });
        Ok(Self { state, supervisor })
    }

    pub(crate) fn freeze(&self, frozen: bool) {
        self.state.freeze(frozen);
    }

    pub(crate) fn starts(&self) -> u32 {
        self.state.starts.load(Ordering::SeqCst)
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.supervisor.abort();
        self.state.kill();
    }
}

/// Kills a process of the control plane; it is back some seconds later.
pub(crate) async fn restart_server(name: &str) {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster/restart");
    let restarting = Command::new(script).arg(name).stdin(Stdio::null()).spawn();
    // The kill is the first thing that the script does; the start takes much longer.
    tokio::time::sleep(Duration::from_millis(100)).await;
    tokio::spawn(async move {
        if let Ok(mut restarting) = restarting {
            let _ = restarting.wait().await;
        }
    });
}

/// A second replica, with an API server of its own choice and without a supervisor.
pub(crate) fn replica(identity: &str) -> Result<Child> {
    let variable = |name: &str| std::env::var(name).with_context(|| format!("{name} is missing"));
    Command::new(variable("KONSTRUCT_OPERATOR")?)
        .env("KUBECONFIG", variable("KONSTRUCT_OPERATOR_KUBECONFIG")?)
        .env("HOSTNAME", identity)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("starting a second replica")
}

fn spawn(script: &str, kubeconfig: &str) -> std::io::Result<Child> {
    Command::new(script)
        .env("KUBECONFIG", kubeconfig)
        .env("HOSTNAME", "first")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
}
