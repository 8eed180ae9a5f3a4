//! The committed YAML is what the types say.

use std::path::PathBuf;

/// `kubectl apply` stores the definition in an annotation; the API server's own limit is near 1 MB.
const LARGEST: usize = 100_000;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("generated")
}

#[test]
fn the_committed_definitions_are_fresh() {
    for crd in konstruct_crds::all() {
        let path = folder().join(konstruct_crds::file_name(&crd));
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        let generated = konstruct_crds::to_yaml(&crd).unwrap();
        assert_eq!(committed, generated, "{} is stale: run `cargo xtask generate`", path.display());
    }
}

#[test]
fn no_other_file_is_committed() {
    let expected: Vec<String> = konstruct_crds::all().iter().map(konstruct_crds::file_name).collect();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(expected.contains(&name), "{name} belongs to no kind");
    }
}

#[test]
fn each_definition_is_small() {
    for crd in konstruct_crds::all() {
        let size = konstruct_crds::to_yaml(&crd).unwrap().len();
        assert!(size < LARGEST, "{}: {size} bytes", crd.spec.names.kind);
    }
}
