//! The rules of the repository. Each is a function from plain data to findings, so that its tests can break it.

mod dependencies;
mod documents;
mod file_sizes;
mod generated;
mod packages;
mod reasons;

use anyhow::bail;

use crate::report::{Finding, say};
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let files = file_sizes::read(workspace)?;
    let charts = packages::read_charts(&workspace.root)?;
    let rules: [(&str, Vec<Finding>); 8] = [
        ("dependencies point one way", dependencies::direction(&workspace.members)),
        ("what only some may use", dependencies::reserved(&workspace.members)),
        ("packages are named after their folders", packages::names(&workspace.members)),
        ("one version of everything", packages::versions(&workspace.members, &charts)),
        ("files are small", file_sizes::findings(&files)),
        ("reasons are in use and documented", reasons::findings(&reasons::read(workspace)?)),
        ("documents point at what exists", documents::findings(&workspace.root)?),
        ("generated files are fresh", generated::findings(workspace)?),
    ];
    let mut broken = 0;
    for (rule, findings) in rules {
        say(format_args!("{} {rule}", if findings.is_empty() { "ok    " } else { "BROKEN" }));
        for finding in &findings {
            say(format_args!("         {finding}"));
        }
        broken += findings.len();
    }
    say(file_sizes::Summary::of(&files));
    if broken > 0 {
        bail!("{broken} findings; ARCHITECTURE.md has the reasons for the rules");
    }
    Ok(())
}
