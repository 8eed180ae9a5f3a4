//! CPU and memory of a process, from /proc.

use std::path::PathBuf;

use anyhow::{Context, Result};

/// Ticks a second, as every Linux of our platforms has it.
const TICKS: f64 = 100.0;

#[derive(Clone, Debug)]
pub(crate) struct Process {
    folder: PathBuf,
}

impl Process {
    pub(crate) fn of(pid: u32) -> Self {
        Self { folder: PathBuf::from("/proc").join(pid.to_string()) }
    }

    /// The one process of that name on this machine.
    pub(crate) fn named(name: &str) -> Result<Self> {
        for entry in std::fs::read_dir("/proc").context("listing /proc")? {
            let folder = entry?.path();
            let command = std::fs::read_to_string(folder.join("comm")).unwrap_or_default();
            if command.trim_end() == name {
                return Ok(Self { folder });
            }
        }
        anyhow::bail!("no process is called {name}: is the API server on this machine?")
    }

    /// Seconds in user and kernel mode so far.
    pub(crate) fn cpu(&self) -> Result<f64> {
        let text = std::fs::read_to_string(self.folder.join("stat")).context("a process has ended")?;
        // The name in parentheses may hold spaces; utime and stime are the 12th and 13th after it.
        let (_, fields) = text.rsplit_once(')').context("an unreadable stat")?;
        let ticks: Vec<f64> =
            fields.split_whitespace().skip(11).take(2).filter_map(|n| n.parse().ok()).collect();
        Ok(ticks.iter().sum::<f64>() / TICKS)
    }

    /// Resident memory in MiB: now, and the highest so far.
    pub(crate) fn memory(&self) -> Result<(f64, f64)> {
        let text = std::fs::read_to_string(self.folder.join("status")).context("a process has ended")?;
        let mib = |field: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(field))?;
            Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
        };
        Ok((mib("VmRSS:").context("no VmRSS")?, mib("VmHWM:").context("no VmHWM")?))
    }
}
