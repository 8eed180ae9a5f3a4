//! Every documented reason is one that a user can meet, and every reason that a user can meet is documented.

use std::path::Path;

use anyhow::Context as _;
use konstruct_crds::Reason;

use crate::report::Finding;
use crate::workspace::Workspace;

/// Where the API server is told what to say of objects that nobody has looked at.
const DEFINITIONS: &str = "crds/src/definitions.rs";
/// Whose observations become conditions.
const DATA_PLANE: [&str; 3] = ["gateway/", "ai-gateway/", "runtime/"];

/// A file of a package that could name a reason, and its text.
type Source = (String, String);

/// All sources that could name a reason.
pub(super) fn read(workspace: &Workspace) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for member in workspace
        .members
        .iter()
        .filter(|member| !matches!(member.name.as_str(), "konstruct-crds" | "konstruct-xtask"))
    {
        append(&workspace.root, &workspace.root.join(&member.folder).join("src"), &mut sources)?;
    }
    let definitions = workspace.root.join(DEFINITIONS);
    let text =
        std::fs::read_to_string(&definitions).with_context(|| format!("could not read {DEFINITIONS}"))?;
    sources.push((DEFINITIONS.to_owned(), text));
    Ok(sources)
}

fn append(root: &Path, folder: &Path, sources: &mut Vec<Source>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            append(root, &path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("could not read {}", path.display()))?;
            sources.push((path.strip_prefix(root).unwrap_or(&path).display().to_string(), text));
        }
    }
    Ok(())
}

/// The operator writes `Reason::Name`, and the compiler knows the names; the data plane, which does not know the kinds,
/// writes `"Name"` where it makes an observation.
pub(super) fn findings(sources: &[Source]) -> Vec<Finding> {
    let reported = |reason: &Reason| {
        let (path, literal) = (format!("Reason::{reason}"), format!("\"{reason}\""));
        sources.iter().any(|(_, text)| names(text, &path) || text.contains(&literal))
    };
    let unused = Reason::ALL
        .iter()
        .filter(|reason| !reported(reason))
        .map(|reason| Finding::new(reason.as_str(), "is documented but nothing reports it: remove it"));
    unused.chain(sources.iter().flat_map(|(file, text)| undocumented(file, text))).collect()
}

/// The words of a file that makes observations which are no documented reasons.
fn undocumented(file: &str, text: &str) -> Vec<Finding> {
    let program = text.split("#[cfg(test)]").next().unwrap_or(text);
    if !DATA_PLANE.iter().any(|role| file.starts_with(role)) || !program.contains("Observation {") {
        return Vec::new();
    }
    let advice =
        "is a reason that is not documented: add it to crds/src/reason.rs and run `cargo xtask generate`";
    let literals = program.split('"').skip(1).step_by(2).filter(|literal| is_one_word(literal));
    literals
        .filter(|literal| literal.parse::<Reason>().is_err())
        .map(|literal| Finding::new(file, format!("{literal:?} {advice}")))
        .collect()
}

/// Such as `MissingSecret`.
fn is_one_word(literal: &str) -> bool {
    literal.starts_with(|first: char| first.is_ascii_uppercase())
        && literal.chars().all(|each| each.is_ascii_alphanumeric())
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
        let source = |text: String| vec![("a.rs".to_owned(), text)];
        let all = named.join("\n");
        assert_eq!(findings(&source(all.clone())), []);
        let fewer = all.replace("Reason::MissingSecret,", "");
        assert_eq!(findings(&source(fewer.clone())).len(), 1);
        assert_eq!(findings(&source(fewer + "\"MissingSecret\"")), []);
    }

    #[test]
    fn a_reason_that_is_not_documented_is_found_where_the_data_plane_reports_it() {
        let reports =
            |reason: &str| format!("Observation {{ reason: \"{reason}\", message: \"Read this.\" }}");
        assert_eq!(undocumented("runtime/src/a.rs", &reports("ModelAnswered")), []);
        let found = undocumented("runtime/src/a.rs", &reports("Answered"));
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().contains("Answered"), "{}", found[0]);
        assert_eq!(
            undocumented("runtime/src/a.rs", "let reason = \"Answered\";"),
            [],
            "no observation is made here"
        );
        assert_eq!(undocumented("runtime/src/a.rs", &format!("#[cfg(test)]\n{}", reports("Answered"))), []);
    }
}
