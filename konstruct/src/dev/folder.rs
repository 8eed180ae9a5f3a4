//! Reads the manifest folder. A file that does not parse keeps what it said when it last did.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::document::{self, Document};
use super::problem::Problem;

const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// What the folder said at one moment.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) documents: Vec<Document>,
    pub(crate) problems: Vec<Problem>,
    /// False when a file could not be read and has never been: what it declares is unknown, so nothing may be
    /// taken for deleted.
    pub(crate) complete: bool,
}

/// The folder, with its memory of files that parsed.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    last_good: HashMap<PathBuf, Vec<Document>>,
}

impl Folder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, last_good: HashMap::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn read(&mut self) -> io::Result<Reading> {
        let files = manifest_files(&self.path)?;
        self.last_good.retain(|file, _| files.contains(file));
        let mut reading = Reading { documents: Vec::new(), problems: Vec::new(), complete: true };
        for file in files {
            match read_file(&file) {
                Ok(documents) => {
                    self.last_good.insert(file.clone(), documents);
                }
                Err(problem) => reading.problems.push(problem),
            }
            match self.last_good.get(&file) {
                Some(documents) => reading.documents.extend(documents.iter().cloned()),
                None => reading.complete = false,
            }
        }
        Ok(reading)
    }
}

fn read_file(file: &Path) -> Result<Vec<Document>, Problem> {
    let text = fs::read_to_string(file).map_err(|error| Problem {
        file: file.to_owned(),
        line: 1,
        field: String::new(),
        message: format!("cannot be read: {error}"),
    })?;
    document::parse(file, &text)
}

/// All manifests below a folder, in the order of their names, which is the order in which kubectl applies them.
fn manifest_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        if path.is_dir() {
            files.extend(manifest_files(&path)?);
        } else if path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known))
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_stops_parsing_keeps_what_it_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        fs::write(&file, "kind: Agent\n---\nkind: Tenant\n").unwrap();
        fs::write(folder.path().join("notes.md"), "kind: [").unwrap();
        let mut manifests = Folder::new(folder.path().to_owned());
        assert_eq!(manifests.read().unwrap().documents.len(), 2);

        fs::write(&file, "kind: [").unwrap();
        let reading = manifests.read().unwrap();
        assert_eq!((reading.documents.len(), reading.problems.len(), reading.complete), (2, 1, true));

        fs::remove_file(&file).unwrap();
        assert_eq!(manifests.read().unwrap().documents.len(), 0);
    }

    #[test]
    fn a_file_that_never_parsed_makes_the_reading_incomplete() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.yaml"), "kind: [").unwrap();
        assert!(!Folder::new(folder.path().to_owned()).read().unwrap().complete);
    }
}
