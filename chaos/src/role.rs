//! One process of the platform, which can be killed, paused and started again.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

pub(crate) struct Role {
    pub(crate) name: String,
    /// The points at which it can be told to die.
    pub(crate) points: &'static [&'static str],
    executable: PathBuf,
    arguments: Vec<String>,
    log: PathBuf,
    child: Option<Child>,
}

impl Role {
    pub(crate) fn new(
        name: &str,
        points: &'static [&'static str],
        executable: &Path,
        arguments: Vec<String>,
        logs: &Path,
    ) -> Self {
        let log = logs.join(format!("{name}.log"));
        Self { name: name.to_owned(), points, executable: executable.to_owned(), arguments, log, child: None }
    }

    /// Starts it, told to die at a point if there is one.
    pub(crate) fn start(&mut self, fault: Option<&str>) -> Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.executable);
        command.args(&self.arguments).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        command.kill_on_drop(true).env_remove(konstruct_faults::VARIABLE);
        if let Some(fault) = fault {
            command.env(konstruct_faults::VARIABLE, fault);
        }
        let child = command.spawn();
        self.child = Some(child.with_context(|| format!("cannot start {}", self.executable.display()))?);
        Ok(())
    }

    /// Whether it has died by itself, at a fault point.
    pub(crate) fn has_died(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(Some(_)) | Err(_)))
    }

    /// With -9. Waits for its end.
    pub(crate) async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill().await;
        }
    }

    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        // A child that has not been waited for keeps its id, so the signal cannot reach a stranger.
        let pid = self.child.as_ref().and_then(Child::id).and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }
}
