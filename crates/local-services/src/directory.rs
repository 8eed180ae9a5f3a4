//! The folder that holds the servers' data, locked while in use.

use std::fs::{self, File, Permissions, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::account::Account;
use crate::{Dir, Error};

const TEMPORARY_PREFIX: &str = "konstruct-services-";
const LOCK: &str = "lock";

#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    _lock: File,
    // Held for its removal of the folder.
    _temporary: Option<TempDir>,
}

impl Directory {
    pub(crate) fn open(dir: &Dir, account: &Account) -> Result<Self, Error> {
        let (path, temporary) = match dir {
            Dir::Persistent(path) => {
                fs::create_dir_all(path).map_err(Error::file("make", path))?;
                (path.canonicalize().map_err(Error::file("find", path))?, None)
            }
            Dir::Temporary => {
                sweep_abandoned();
                let base = std::env::temp_dir();
                let temporary = tempfile::Builder::new()
                    .prefix(TEMPORARY_PREFIX)
                    .tempdir_in(&base)
                    .map_err(Error::file("make a folder in", &base))?;
                let path = temporary.path().canonicalize().map_err(Error::file("find", temporary.path()))?;
                (path, Some(temporary))
            }
        };
        let lock = lock(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o700)).map_err(Error::file("close", &path))?;
        account.own(&path)?;
        account.check_reachable(&path)?;
        Ok(Self { path, _lock: lock, _temporary: temporary })
    }

    /// A file or folder in this one.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

fn lock(path: &Path) -> Result<File, Error> {
    let file_path = path.join(LOCK);
    let file = File::create(&file_path).map_err(Error::file("make", &file_path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(Error::File { action: "lock", path: file_path, source }),
    }
}

/// Removes what processes that were killed have left: their locks are free. A folder whose lock cannot be read
/// belongs to somebody else or is being made right now.
fn sweep_abandoned() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let ours = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(TEMPORARY_PREFIX.as_bytes()));
        if ours
            && let Ok(file) = File::open(path.join(LOCK))
            && file.try_lock().is_ok()
            && let Err(error) = fs::remove_dir_all(&path)
        {
            tracing::debug!(path = %path.display(), %error, "cannot remove an abandoned folder");
        }
    }
}
