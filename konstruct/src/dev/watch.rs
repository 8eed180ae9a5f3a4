//! Says when the manifest folder has changed. An editor's save is several events, so they are collected for a while.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::timeout;

const QUIET: Duration = Duration::from_millis(150);

pub(crate) struct FolderWatch {
    events: mpsc::Receiver<()>,
    // Stops watching when dropped.
    _watcher: RecommendedWatcher,
}

impl FolderWatch {
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        // One waiting event says all: something changed.
        let (sender, events) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let reading_only = matches!(&event, Ok(event) if matches!(event.kind, EventKind::Access(_)));
            if !reading_only {
                // Full: the receiver has not looked yet and will.
                let _ = sender.try_send(());
            }
        })
        .context("cannot watch files")?;
        watcher
            .watch(folder, RecursiveMode::Recursive)
            .with_context(|| format!("cannot watch {}", folder.display()))?;
        Ok(Self { events, _watcher: watcher })
    }

    /// Waits for a change and then until nothing has changed for a moment.
    pub(crate) async fn changed(&mut self) {
        if self.events.recv().await.is_none() {
            return std::future::pending().await;
        }
        while matches!(timeout(QUIET, self.events.recv()).await, Ok(Some(()))) {}
    }
}
