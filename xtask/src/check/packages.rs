//! Names and versions of packages and charts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

use crate::report::Finding;
use crate::workspace::Member;

/// What of a Helm chart names a version.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chart {
    name: String,
    version: String,
    app_version: Option<String>,
    #[serde(default)]
    dependencies: Vec<ChartDependency>,
}

#[derive(Debug, Deserialize)]
struct ChartDependency {
    name: String,
    version: String,
}

pub(super) fn read_charts(root: &Path) -> anyhow::Result<Vec<Chart>> {
    let folder = root.join("charts");
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut charts = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("could not list {}", folder.display()))? {
        let file = entry?.path().join("Chart.yaml");
        if file.exists() {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("could not read {}", file.display()))?;
            charts.push(
                serde_yaml::from_str(&text).with_context(|| format!("could not parse {}", file.display()))?,
            );
        }
    }
    Ok(charts)
}

/// The folder tells the package's name.
pub(super) fn names(members: &[Member]) -> Vec<Finding> {
    members
        .iter()
        .filter_map(|member| {
            let folder = member.folder.file_name()?.to_str()?;
            let expected = format!("konstruct-{folder}");
            let message = format!("is in {}: call it {expected}", member.folder.display());
            (member.name != expected).then(|| Finding::new(&member.name, message))
        })
        .collect()
}

/// One version of ours everywhere, and one of each package that ours name.
pub(super) fn versions(members: &[Member], charts: &[Chart]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(version) = members.first().map(|member| member.version.as_str()) else { return findings };
    let mut expect = |place: String, found: &str| {
        if found != version {
            findings.push(Finding::new(place, format!("has version {found} instead of {version}")));
        }
    };
    for member in members {
        expect(member.name.clone(), &member.version);
    }
    for chart in charts {
        expect(format!("chart {}", chart.name), &chart.version);
        if let Some(app_version) = &chart.app_version {
            expect(format!("appVersion of chart {}", chart.name), app_version);
        }
        for dependency in
            chart.dependencies.iter().filter(|dependency| dependency.name.starts_with("konstruct"))
        {
            expect(format!("dependency {} of chart {}", dependency.name, chart.name), &dependency.version);
        }
    }
    findings.extend(duplicates(members));
    findings
}

fn duplicates(members: &[Member]) -> Vec<Finding> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, found) in members.iter().flat_map(|member| &member.versions) {
        versions.entry(name).or_default().extend(found.iter().map(String::as_str));
    }
    versions
        .into_iter()
        .filter(|(_, found)| found.len() > 1)
        .map(|(name, found)| {
            let found: Vec<&str> = found.into_iter().collect();
            Finding::new(
                name,
                format!("is used in the versions {}: name one in the root Cargo.toml", found.join(", ")),
            )
        })
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::check) fn member(name: &str, folder: &str, dependencies: &[&str]) -> Member {
        Member {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            folder: folder.into(),
            dependencies: dependencies.iter().map(|&name| name.to_owned()).collect(),
            dev_dependencies: BTreeSet::new(),
            versions: BTreeMap::new(),
        }
    }

    #[test]
    fn the_folder_tells_the_name() {
        let good =
            [member("konstruct-store", "crates/store", &[]), member("konstruct-konstruct", "konstruct", &[])];
        assert_eq!(names(&good), []);
        let bad = [member("store", "crates/store", &[]), member("konstruct-shop", "crates/store", &[])];
        assert_eq!(names(&bad).len(), 2);
    }

    #[test]
    fn another_version_of_a_package_or_chart_is_found() {
        let mut members =
            [member("konstruct-store", "crates/store", &[]), member("konstruct-konstruct", "konstruct", &[])];
        assert_eq!(versions(&members, &[]), []);
        members[1].version = "1.0.1".to_owned();
        assert_eq!(versions(&members, &[]).len(), 1);

        let chart = r#"
name: konstruct
version: 1.1.0
appVersion: "1.1.0"
dependencies:
  - {name: konstruct-crds, version: 1.1.0}
  - {name: postgresql, version: 9.9.9}
"#;
        let chart: Chart = serde_yaml::from_str(chart).unwrap();
        assert_eq!(versions(&members[..1], &[chart]).len(), 3);
    }

    #[test]
    fn two_versions_of_one_dependency_are_found() {
        let mut members =
            [member("konstruct-store", "crates/store", &[]), member("konstruct-konstruct", "konstruct", &[])];
        for (member, version) in members.iter_mut().zip(["0.12.0", "0.13.0"]) {
            member.versions.insert("hmac".to_owned(), [version.to_owned()].into());
        }
        assert_eq!(
            versions(&members, &[]),
            [Finding::new("hmac", "is used in the versions 0.12.0, 0.13.0: name one in the root Cargo.toml")]
        );
    }
}
