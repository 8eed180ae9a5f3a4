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
        let folder = folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?;
        // One waiting event says all: something changed.
        let (sender, events) = mpsc::channel(1);
        let root = folder.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // After an error, what has changed is unknown.
            if event.map_or(true, |event| may_change_manifests(&event, &root)) {
                // Full: the receiver has not looked yet and will.
                let _ = sender.try_send(());
            }
        })
        .context("cannot watch files")?;
        watcher
            .watch(&folder, RecursiveMode::Recursive)
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

/// Hidden files are not read. Our own state may be among them, and changes with every pass.
fn may_change_manifests(event: &Event, folder: &Path) -> bool {
    let hidden = |path: &Path| {
        let inside = path.strip_prefix(folder).unwrap_or(path);
        inside.iter().any(|part| part.as_encoded_bytes().starts_with(b"."))
    };
    !matches!(event.kind, EventKind::Access(_)) && !event.paths.iter().all(|path| hidden(path))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn a_changed_manifest_is_noticed_and_a_hidden_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".cache")).unwrap();
        let mut watch = FolderWatch::start(folder.path()).unwrap();
        fs::write(folder.path().join(".cache/dev.log"), "x").unwrap();
        assert!(timeout(QUIET * 3, watch.changed()).await.is_err());
        fs::write(folder.path().join("a.yaml"), "x").unwrap();
        assert!(timeout(QUIET * 20, watch.changed()).await.is_ok());
    }
}
