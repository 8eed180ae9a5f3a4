//! Documents point at files that exist: links, and paths in backticks that begin with a folder of the root.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::report::Finding;

/// Folders with documents, besides the root itself.
const FOLDERS: &[&str] =
    &["", "docs", "docs/reference", "migrations", "manifests", "manifests/gitops", "kind-tests/cluster"];

pub(super) fn findings(root: &Path) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for folder in FOLDERS.iter().map(|folder| root.join(folder)).filter(|folder| folder.exists()) {
        for path in documents(&folder)? {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("could not read {}", path.display()))?;
            let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            for target in dangling(&text, &folder, root) {
                findings.push(Finding::new(&shown, format!("points at {target}, which does not exist")));
            }
        }
    }
    Ok(findings)
}

fn documents(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut documents = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            documents.push(path);
        }
    }
    documents.sort();
    Ok(documents)
}

fn dangling<'a>(text: &'a str, folder: &Path, root: &Path) -> Vec<&'a str> {
    let links = links(text).filter(|target| !folder.join(target).exists());
    let gone = |path: &&str| !root.join(path).exists() && !folder.join(path).exists();
    let paths = paths(text).filter(|path| names_a_folder_of(path, root)).filter(gone);
    links.chain(paths).collect()
}

/// The relative targets of `[text](target)`, without their fragment.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| {
        let (target, _) = rest.split_once(')')?;
        let (file, _) = target.split_once('#').unwrap_or((target, ""));
        (!file.is_empty() && !file.contains("://") && !file.contains(' ')).then_some(file)
    })
}

/// What stands in backticks and can only be a path.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let pattern = |c: char| c.is_whitespace() || "<>*{}$=:…".contains(c);
    text.split('`').skip(1).step_by(2).filter(move |span| span.contains('/') && !span.contains(pattern))
}

fn names_a_folder_of(path: &str, root: &Path) -> bool {
    let first = path.split('/').next().unwrap_or("");
    !first.is_empty() && first != "." && root.join(first).is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dangling_links_and_paths_are_found() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("docs")).unwrap();
        std::fs::write(root.path().join("docs/here.md"), "").unwrap();
        let text = "[a](here.md#part) [b](gone.md) [c](https://example.com/x) `docs/here.md` `docs/gone.md` \
                    `other/gone.md` `docs/<name>.md` ```\nignored\n```";
        let found = dangling(text, &root.path().join("docs"), root.path());
        assert_eq!(found, ["gone.md", "docs/gone.md"]);
    }
}
