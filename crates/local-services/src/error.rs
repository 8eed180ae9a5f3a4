use std::io;
use std::path::PathBuf;

/// Why a server could not be started or stopped. Every text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "no PostgreSQL server found: run scripts/setup, which fetches one into .cache/python, or install the Debian \
         package `postgresql`, or name the folder with `initdb` and `postgres` in KONSTRUCT_POSTGRES_BIN"
    )]
    FindPostgres,
    #[error(
        "no Redis server found: install the Debian package `redis-server` (scripts/setup does), or name the program \
         in KONSTRUCT_REDIS_BIN"
    )]
    FindRedis,
    #[error(
        "no `setpriv` found: install the Debian package `util-linux`; it stops the servers when we are killed"
    )]
    FindSetpriv,
    #[error(
        "PostgreSQL refuses to run as root, so it runs as `nobody`, who cannot reach {path}: \
         run scripts/setup, which moves .cache to a place that can be reached, or run as another user than root"
    )]
    Unreachable { path: PathBuf },
    #[error("another process uses {path}: stop it, or choose another folder")]
    InUse { path: PathBuf },
    #[error("cannot {action} {path}: {source}")]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot start {program}: {source}")]
    Spawn { program: String, source: io::Error },
    #[error("{program} ended while starting; the last lines of {log} say:\n{tail}")]
    Ended { program: String, log: PathBuf, tail: String },
    #[error("{program} did not answer within {seconds} s; look into {log}")]
    NotReady { program: String, seconds: u64, log: PathBuf },
    #[error("cannot stop {program}: {source}")]
    Stop { program: String, source: io::Error },
}

impl Error {
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
