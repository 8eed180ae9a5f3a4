//! Reads the manifests of `tests/corpus`.

use std::path::PathBuf;

use serde::Deserialize as _;
use serde_json::Value;

pub(crate) struct Case {
    pub(crate) file: String,
    /// What the first line says.
    pub(crate) expectation: String,
    pub(crate) previous: Option<Value>,
    pub(crate) object: Value,
}

pub(crate) fn load(folder: &str) -> Vec<Case> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(read).collect()
}

fn read(path: &PathBuf) -> Case {
    let file = path.file_name().unwrap().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).unwrap();
    let expectation =
        text.lines().next().and_then(|line| line.strip_prefix("# ")).expect("a comment").to_owned();
    let mut documents: Vec<Value> = serde_yaml::Deserializer::from_str(&text)
        .map(|document| Value::deserialize(document).unwrap())
        .collect();
    let object = documents.pop().expect("a document");
    Case { file, expectation, previous: documents.pop(), object }
}
