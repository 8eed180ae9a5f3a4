//! `konstruct dev`: everything in one process from a folder of the same manifests.
//!
//! Differs from a cluster in two things only: manifests come from a folder instead of the Kubernetes API, and tenants
//! run in this process instead of pods of their own. What compiles, what serves and what is stored is the same code.

mod admission;
mod banner;
mod compile;
mod document;
mod folder;
mod keys;
mod lookup;
mod model;
mod platform;
mod problem;
mod publish;
mod runtimes;
mod services;
mod session;
mod slack;
mod terminal;
#[cfg(test)]
mod tests;
mod watch;
mod workspaces;

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};

use session::Session;
use watch::FolderWatch;

/// A log that has grown beyond this is put aside at the next start.
const LOG_MAX: u64 = 10 * 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of manifests.
    #[arg(default_value = "manifests/samples")]
    folder: PathBuf,
    /// Port of the gateway on loopback; the next free one when it is in use.
    #[arg(long, env = "KONSTRUCT_DEV_PORT", default_value_t = 8080)]
    port: u16,
    /// Port of the Slack stand-in on loopback; the next free one when it is in use.
    #[arg(long, env = "KONSTRUCT_DEV_SLACK_PORT", default_value_t = 8090)]
    slack_port: u16,
    /// Where data, keys and the log are kept.
    #[arg(long, env = "KONSTRUCT_DEV_STATE", default_value = ".cache/konstruct-dev")]
    state: PathBuf,
    /// Slack's Web API. Default: the stand-in, or https://slack.com/api when a bot token looks like a real one.
    #[arg(long, env = "SLACK_BASE_URL")]
    slack_base_url: Option<String>,
}

/// PostgreSQL and Redis are those of DATABASE_URL and REDIS_URL when set.
pub(crate) async fn run(args: Args) -> Result<()> {
    let began = Instant::now();
    let log = open_log(&args.state)?;
    let shutdown = konstruct_telemetry::shutdown_token()?;
    // Before anything starts: what changes from here on is seen.
    let mut watch = FolderWatch::start(&args.folder)?;
    let mut session = Session::start(&args, &shutdown).await?;
    let outcome = async {
        session.reload().await?;
        session.wait_until_serving().await?;
        terminal::say(&session.banner(&log, began.elapsed()));
        session.serve(&mut watch, &shutdown).await
    };
    let outcome = tokio::select! {
        biased;
        () = shutdown.cancelled() => Ok(()),
        outcome = outcome => outcome,
    };
    shutdown.cancel();
    session.stop().await?;
    outcome
}

fn open_log(state: &Path) -> Result<PathBuf> {
    fs::create_dir_all(state).with_context(|| format!("cannot make {}", state.display()))?;
    let path = state.join("dev.log");
    if fs::metadata(&path).is_ok_and(|log| log.len() > LOG_MAX) {
        fs::rename(&path, path.with_extension("log.old")).context("cannot put the old log aside")?;
    }
    // Appended to: a second start that fails because of the first must not take away the first one's log.
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let file = file.with_context(|| format!("cannot write {}", path.display()))?;
    konstruct_telemetry::init_to_file(file)?;
    Ok(path)
}
