//! `konstruct crd`.

use std::io::Write;

use anyhow::{Context, Result};

pub(crate) fn run() -> Result<()> {
    let yaml = konstruct_crds::yaml().context("cannot print the definitions")?;
    std::io::stdout().write_all(yaml.as_bytes()).context("cannot write to standard output")
}
