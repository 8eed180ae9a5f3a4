//! The user that the servers run as: ourselves, or `nobody` when we are root, whom PostgreSQL refuses.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use crate::Error;
use crate::install;

#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Set when privileges have to be dropped.
    switch_to: Option<(u32, u32)>,
    setpriv: std::path::PathBuf,
}

impl Account {
    pub(crate) fn for_servers() -> Result<Self, Error> {
        let setpriv = install::on_path("setpriv").ok_or(Error::FindSetpriv)?;
        let switch_to = if rustix::process::geteuid().is_root() { Some(nobody()?) } else { None };
        Ok(Self { switch_to, setpriv })
    }

    /// A command line prefix that drops root and has the kernel interrupt the program when its parent dies.
    /// SIGINT, because on SIGTERM PostgreSQL would wait for its clients to leave.
    pub(crate) fn launcher(&self) -> Vec<String> {
        let mut words = vec![self.setpriv.display().to_string(), "--pdeathsig=INT".to_owned()];
        if let Some((uid, gid)) = self.switch_to {
            words.extend([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()]);
        }
        words.push("--".to_owned());
        words
    }

    /// Gives a file or folder to the servers.
    pub(crate) fn own(&self, path: &Path) -> Result<(), Error> {
        match self.switch_to {
            Some((uid, gid)) => chown(path, Some(uid), Some(gid)).map_err(Error::file("give away", path)),
            None => Ok(()),
        }
    }

    /// Checks that the servers can walk down to `path`: a clone below `/root` is closed to everybody else.
    pub(crate) fn check_reachable(&self, path: &Path) -> Result<(), Error> {
        let Some((uid, gid)) = self.switch_to else { return Ok(()) };
        for folder in path.ancestors() {
            let metadata = folder.metadata().map_err(Error::file("look at", folder))?;
            let open_to = match (metadata.uid() == uid, metadata.gid() == gid) {
                (true, _) => 0o100,
                (false, true) => 0o010,
                (false, false) => 0o001,
            };
            if metadata.is_dir() && metadata.mode() & open_to == 0 {
                return Err(Error::Unreachable { path: path.to_owned() });
            }
        }
        Ok(())
    }
}

/// The ids of `nobody`, which differ between distributions.
fn nobody() -> Result<(u32, u32), Error> {
    let passwd = std::fs::read_to_string("/etc/passwd").map_err(Error::file("read", "/etc/passwd"))?;
    let ids = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == "nobody").then_some(())?;
        Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    // The kernel's overflow ids, which every distribution gives to its `nobody`.
    Ok(ids.unwrap_or((65534, 65534)))
}
