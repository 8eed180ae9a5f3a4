//! The workspace as the checks see it: plain data read once from cargo metadata.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) members: Vec<Member>,
}

/// One package of ours.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Relative to the root: `crates/store`.
    pub(crate) folder: PathBuf,
    /// Names of the packages it needs outside its tests.
    pub(crate) dependencies: BTreeSet<String>,
    /// Names of the packages that only its tests need.
    pub(crate) dev_dependencies: BTreeSet<String>,
    /// Resolved versions of everything it names directly.
    pub(crate) versions: BTreeMap<String, BTreeSet<String>>,
}

impl Workspace {
    pub(crate) fn load() -> anyhow::Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
        let metadata =
            MetadataCommand::new().manifest_path(manifest).exec().context("could not run cargo metadata")?;
        let root = metadata.workspace_root.clone().into_std_path_buf();
        let members = metadata
            .workspace_packages()
            .into_iter()
            .map(|package| member(&metadata, &root, package))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { root, members })
    }
}

fn member(metadata: &Metadata, root: &Path, package: &cargo_metadata::Package) -> anyhow::Result<Member> {
    let folder = package.manifest_path.parent().context("a manifest without a folder")?.as_std_path();
    let of_kind = |dev: bool| -> BTreeSet<String> {
        package
            .dependencies
            .iter()
            .filter(|dependency| (dependency.kind == DependencyKind::Development) == dev)
            .map(|dependency| dependency.name.clone())
            .collect()
    };
    Ok(Member {
        name: package.name.to_string(),
        version: package.version.to_string(),
        folder: folder.strip_prefix(root).context("a package outside the workspace")?.to_owned(),
        dependencies: of_kind(false),
        dev_dependencies: of_kind(true),
        versions: resolved_versions(metadata, package),
    })
}

fn resolved_versions(
    metadata: &Metadata,
    package: &cargo_metadata::Package,
) -> BTreeMap<String, BTreeSet<String>> {
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for dependency in nodes.filter(|node| node.id == package.id).flat_map(|node| &node.dependencies) {
        let dependency = &metadata[dependency];
        versions.entry(dependency.name.to_string()).or_default().insert(dependency.version.to_string());
    }
    versions
}
