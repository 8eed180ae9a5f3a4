//! `.sqlx`: what the database says about each checked query, so that the workspace builds without one.
//!
//! The macros of sqlx write these files themselves when they see a database and `SQLX_OFFLINE_DIR`. So: start a
//! private PostgreSQL, migrate it, compile the store against it, collect what was written.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use konstruct_local_services::{Dir, LocalServices, Options};
use sqlx::migrate::Migrator;
use sqlx::{Connection as _, PgConnection};

use super::Output;

/// Where the metadata is committed.
const FOLDER: &str = ".sqlx";
/// The one package with checked queries, and a file of it that makes cargo compile it again.
const PACKAGE: &str = "konstruct-store";
const TOUCHED: &str = "crates/store/src/lib.rs";

/// The metadata of every query, as the database sees it now.
pub(super) fn prepare(root: &Path) -> anyhow::Result<Vec<Output>> {
    let services = LocalServices::start(&Options { dir: Dir::Temporary, durable: false })
        .context("could not start a private PostgreSQL for the checked queries")?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(migrate(root, services.database_url()))?;
    let written = tempfile::tempdir().context("could not create a folder for the query metadata")?;
    compile(root, services.database_url(), written.path())?;
    collect(written.path())
}

/// The migrations are read from the folder: built into this program they would be those of its last build.
async fn migrate(root: &Path, url: &str) -> anyhow::Result<()> {
    let migrator = Migrator::new(root.join("migrations")).await.context("could not read the migrations")?;
    let mut connection =
        PgConnection::connect(url).await.context("could not reach the private PostgreSQL")?;
    migrator.run(&mut connection).await.context("could not migrate the private PostgreSQL")?;
    connection.close().await.context("could not close the connection to the private PostgreSQL")
}

fn compile(root: &Path, url: &str, written: &Path) -> anyhow::Result<()> {
    // Cargo does not know that the macros read a database.
    std::fs::File::options()
        .write(true)
        .open(root.join(TOUCHED))
        .and_then(|file| file.set_modified(SystemTime::now()))
        .with_context(|| format!("could not touch {TOUCHED}"))?;
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["check", "--quiet", "--package", PACKAGE])
        .current_dir(root)
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", written)
        .env("DATABASE_URL", url)
        .status()
        .context("could not run cargo check")?;
    if !status.success() {
        bail!("{PACKAGE} does not compile against the migrated database: correct the query that cargo names");
    }
    Ok(())
}

fn collect(written: &Path) -> anyhow::Result<Vec<Output>> {
    let mut outputs = Vec::new();
    for entry in std::fs::read_dir(written).context("could not list the query metadata")? {
        let path = entry?.path();
        let content =
            std::fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
        let name = path.file_name().context("a file without a name")?;
        outputs.push(Output { path: Path::new(FOLDER).join(name), content });
    }
    if outputs.is_empty() {
        bail!("the compiler wrote no query metadata: is {PACKAGE} still the package with the queries?");
    }
    outputs.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(outputs)
}

/// Committed metadata of queries that no longer exist.
pub(super) fn leftovers(root: &Path, outputs: &[Output]) -> anyhow::Result<Vec<PathBuf>> {
    let folder = root.join(FOLDER);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut leftovers = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("could not list {}", folder.display()))? {
        let path = Path::new(FOLDER).join(entry?.file_name());
        if !outputs.iter().any(|output| output.path == path) {
            leftovers.push(path);
        }
    }
    Ok(leftovers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_of_a_removed_query_is_left_over() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(FOLDER);
        std::fs::create_dir(&folder).unwrap();
        for name in ["query-1.json", "query-2.json"] {
            std::fs::write(folder.join(name), "{}").unwrap();
        }
        let kept = Output { path: ".sqlx/query-1.json".into(), content: "{}".to_owned() };
        assert_eq!(leftovers(root.path(), &[kept]).unwrap(), [PathBuf::from(".sqlx/query-2.json")]);
        assert_eq!(leftovers(&root.path().join("missing"), &[]).unwrap(), Vec::<PathBuf>::new());
    }
}
