//! Generated files equal what `cargo xtask generate` would write. Query metadata is left to
//! `cargo xtask generate --check`, which needs a database.

use crate::generate::{Output, stale};
use crate::report::Finding;
use crate::workspace::Workspace;

pub(super) fn findings(workspace: &Workspace) -> anyhow::Result<Vec<Finding>> {
    let outputs = crate::generate::from_types()?;
    Ok(stale(&workspace.root, &outputs).into_iter().map(finding).collect())
}

fn finding(output: &Output) -> Finding {
    Finding::new(output.path.display().to_string(), "is stale: run `cargo xtask generate`")
}
