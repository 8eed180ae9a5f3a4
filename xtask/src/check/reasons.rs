//! Every documented reason is one that a user can meet.

use std::path::Path;

use anyhow::Context as _;
use konstruct_crds::Reason;

use crate::report::Finding;
use crate::workspace::Workspace;

/// All sources that could name a reason, as one text.
pub(super) fn read(workspace: &Workspace) -> anyhow::Result<String> {
    let mut text = String::new();
    for member in workspace
        .members
        .iter()
        .filter(|member| !matches!(member.name.as_str(), "konstruct-crds" | "konstruct-xtask"))
    {
        append(&workspace.root.join(&member.folder).join("src"), &mut text)?;
    }
    Ok(text)
}

fn append(folder: &Path, text: &mut String) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            append(&path, text)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(
                &std::fs::read_to_string(&path)
                    .with_context(|| format!("could not read {}", path.display()))?,
            );
        }
    }
    Ok(())
}

/// The operator writes `Reason::Name`; the data plane, which does not know the kinds, writes `"Name"`.
pub(super) fn findings(sources: &str) -> Vec<Finding> {
    Reason::ALL
        .iter()
        .filter(|reason| {
            !names(sources, &format!("Reason::{reason}")) && !sources.contains(&format!("\"{reason}\""))
        })
        .map(|reason| Finding::new(reason.as_str(), "is documented but nothing reports it: remove it"))
        .collect()
}

/// Whether the text has the path, and not only a longer one that begins like it.
fn names(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(start, _)| {
        let next = text[start + path.len()..].chars().next();
        !next.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_that_nothing_reports_is_found() {
        let named: Vec<String> = Reason::ALL.iter().map(|reason| format!("Reason::{reason},")).collect();
        let mut sources = named.join("\n");
        assert_eq!(findings(&sources), []);
        sources = sources.replace("Reason::MissingSecret,", "");
        assert_eq!(findings(&sources).len(), 1);
        sources.push_str("\"MissingSecret\"");
        assert_eq!(findings(&sources), []);
    }
}
