//! Files that are made from code. Nobody edits them by hand.

mod queries;
mod reference;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::report::say;
use crate::workspace::Workspace;

/// A chart reads only files of its own folder, so the definitions are there a second time.
const DEFINITIONS: [&str; 2] = ["crds/generated", "charts/konstruct-crds/files"];

#[derive(Args)]
pub(crate) struct Options {
    /// Write nothing; fail when a file would change.
    #[arg(long)]
    check: bool,
    /// Leave out the query metadata, which needs PostgreSQL.
    #[arg(long)]
    skip_queries: bool,
}

/// One generated file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Output {
    /// Relative to the root.
    pub(crate) path: PathBuf,
    pub(crate) content: String,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let root = &workspace.root;
    let mut outputs = from_types()?;
    let mut leftovers = Vec::new();
    if !options.skip_queries {
        let queries = queries::prepare(root)?;
        leftovers = queries::leftovers(root, &queries)?;
        outputs.extend(queries);
    }
    let changed = stale(root, &outputs);
    for output in &changed {
        say(output.path.display());
    }
    for path in &leftovers {
        say(format_args!("{} (no longer used)", path.display()));
    }
    if options.check {
        if !changed.is_empty() || !leftovers.is_empty() {
            bail!(
                "{} generated files are stale: run `cargo xtask generate`",
                changed.len() + leftovers.len()
            );
        }
        return Ok(());
    }
    for output in changed {
        write(root, output)?;
    }
    for path in leftovers {
        std::fs::remove_file(root.join(&path))
            .with_context(|| format!("could not remove {}", path.display()))?;
    }
    Ok(())
}

/// What needs nothing but the types: definitions and reference pages.
pub(crate) fn from_types() -> anyhow::Result<Vec<Output>> {
    let mut outputs = Vec::new();
    for crd in konstruct_crds::all() {
        let content = konstruct_crds::to_yaml(&crd)?;
        for folder in DEFINITIONS {
            let path = Path::new(folder).join(konstruct_crds::file_name(&crd));
            outputs.push(Output { path, content: content.clone() });
        }
    }
    outputs.extend(reference::pages());
    Ok(outputs)
}

/// The outputs that differ from what is on disk.
pub(crate) fn stale<'a>(root: &Path, outputs: &'a [Output]) -> Vec<&'a Output> {
    let differs = |output: &&Output| match std::fs::read_to_string(root.join(&output.path)) {
        Ok(found) => found != output.content,
        Err(_) => true,
    };
    outputs.iter().filter(differs).collect()
}

fn write(root: &Path, output: &Output) -> anyhow::Result<()> {
    let path = root.join(&output.path);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))?;
    }
    std::fs::write(&path, &output.content).with_context(|| format!("could not write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_and_a_missing_file_are_stale() {
        let folder = tempfile::tempdir().unwrap();
        let output = |name: &str| Output { path: name.into(), content: "new".to_owned() };
        let outputs = [output("same"), output("changed"), output("deep/missing")];
        std::fs::write(folder.path().join("same"), "new").unwrap();
        std::fs::write(folder.path().join("changed"), "old").unwrap();
        assert_eq!(stale(folder.path(), &outputs), [&outputs[1], &outputs[2]]);

        write(folder.path(), &outputs[2]).unwrap();
        assert_eq!(stale(folder.path(), &outputs), [&outputs[1]]);
    }
}
