//! The database of the tasks that a platform's operator runs by hand.

use std::path::PathBuf;

use anyhow::{Context, Result};
use konstruct_store::{Keyring, Store};
use secrecy::SecretString;

#[derive(Debug, clap::Args)]
pub(crate) struct Database {
    /// File with the PostgreSQL URL, of the role konstruct_operator.
    #[arg(long, env = "KONSTRUCT_DATABASE_URL_FILE", value_name = "FILE", global = true)]
    database_url_file: Option<PathBuf>,
}

impl Database {
    pub(crate) fn connect(&self) -> Result<Store> {
        let file = self.database_url_file.as_ref().context("--database-url-file is missing")?;
        let url = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(Store::connect(&SecretString::from(url.trim()), 1, Keyring::from_hex(None, None)?)?)
    }
}
