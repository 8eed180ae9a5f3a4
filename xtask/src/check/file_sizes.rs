//! Small files: median at most 150 lines, 90th percentile 400, none over 700. Tests do not count.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::report::Finding;
use crate::workspace::Workspace;

const MEDIAN: usize = 150;
const PERCENTILE_90: usize = 400;
const LARGEST: usize = 700;

/// A source file with its lines outside tests.
#[derive(Clone, Debug)]
pub(super) struct SourceFile {
    path: PathBuf,
    lines: usize,
}

/// All sources of the packages, without `tests/` folders and without the package that is nothing but tests.
pub(super) fn read(workspace: &Workspace) -> anyhow::Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    for member in workspace.members.iter().filter(|member| member.name != "konstruct-kind-tests") {
        collect(&workspace.root, &workspace.root.join(&member.folder).join("src"), &mut files)?;
    }
    Ok(files)
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<SourceFile>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("could not read {}", path.display()))?;
            let path = path.strip_prefix(root).unwrap_or(&path).to_owned();
            files.push(SourceFile { path, lines: lines_outside_tests(&text) });
        }
    }
    Ok(())
}

/// A file of unit tests on its own: `tests.rs` beside what it tests.
fn is_test(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "tests.rs")
}

/// The module of unit tests is the last thing in a file.
fn lines_outside_tests(text: &str) -> usize {
    text.lines().take_while(|line| *line != "#[cfg(test)]").count()
}

/// The value below which the given share of the files is.
fn percentile(files: &[SourceFile], percent: usize) -> usize {
    let mut lines: Vec<usize> = files.iter().map(|file| file.lines).collect();
    lines.sort_unstable();
    let rank = (lines.len() * percent).div_ceil(100);
    rank.checked_sub(1).and_then(|index| lines.get(index).copied()).unwrap_or(0)
}

pub(super) fn findings(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = files
        .iter()
        .filter(|file| file.lines > LARGEST)
        .map(|file| {
            let message = format!("has {} lines: split it, {LARGEST} is the most", file.lines);
            Finding::new(file.path.display().to_string(), message)
        })
        .collect();
    for (name, percent, limit) in [("median", 50, MEDIAN), ("90th percentile", 90, PERCENTILE_90)] {
        let found = percentile(files, percent);
        if found > limit {
            findings.push(Finding::new(name, format!("is {found} lines: at most {limit}")));
        }
    }
    findings
}

/// One line for the reader of a passing check.
pub(super) struct Summary {
    files: usize,
    median: usize,
    percentile_90: usize,
    largest: Option<SourceFile>,
}

impl Summary {
    pub(super) fn of(files: &[SourceFile]) -> Self {
        Self {
            files: files.len(),
            median: percentile(files, 50),
            percentile_90: percentile(files, 90),
            largest: files.iter().max_by_key(|file| file.lines).cloned(),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { files, median, percentile_90, largest } = self;
        write!(
            f,
            "{files} source files, lines without tests: median {median}, 90th percentile {percentile_90}"
        )?;
        match largest {
            Some(SourceFile { path, lines }) => write!(f, ", largest {lines} ({})", path.display()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(lines: &[usize]) -> Vec<SourceFile> {
        lines.iter().map(|&lines| SourceFile { path: format!("{lines}.rs").into(), lines }).collect()
    }

    #[test]
    fn small_files_are_fine() {
        assert_eq!(findings(&files(&[10, 20, 150, 150, 400, 30, 40, 50, 60, 700])), []);
    }

    #[test]
    fn each_limit_is_found() {
        assert_eq!(findings(&files(&[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 701])).len(), 1);
        assert_eq!(findings(&files(&[151, 151, 1]))[0].place, "median");
        assert_eq!(findings(&files(&[1, 1, 401]))[0].place, "90th percentile");
    }

    #[test]
    fn unit_tests_do_not_count() {
        assert_eq!(lines_outside_tests("fn one() {}\n\n#[cfg(test)]\nmod tests {\n}\n"), 2);
        assert!(is_test(Path::new("src/parser/tests.rs")));
        assert!(!is_test(Path::new("src/parser/contests.rs")));
    }

    #[test]
    fn an_empty_workspace_has_no_findings() {
        assert_eq!(findings(&[]), []);
    }
}
