//! YAML documents as JSON values that remember on which line each field stands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use serde::Deserialize;
use serde_json::Value;

use super::problem::Problem;

/// One document of a manifest file.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) value: Value,
    pub(crate) source: Source,
}

/// Where a document comes from. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) file: Arc<PathBuf>,
    lines: Arc<BTreeMap<String, usize>>,
}

impl Source {
    /// A problem with a field, on the line of the field or of what encloses the place where it is missing.
    pub(crate) fn problem(&self, field: &str, message: impl Into<String>) -> Problem {
        Problem {
            file: self.file.as_ref().clone(),
            line: self.line(field),
            field: field.to_owned(),
            message: message.into(),
        }
    }

    fn line(&self, field: &str) -> usize {
        let mut path = field;
        loop {
            if let Some(&line) = self.lines.get(path) {
                return line;
            }
            if path.is_empty() {
                return 1;
            }
            path = path.rfind(['.', '[']).map_or("", |end| &path[..end]);
        }
    }
}

/// All documents of a file's text. One that does not parse hides the others, as it does for kubectl.
pub(crate) fn parse(file: &Path, text: &str) -> Result<Vec<Document>, Problem> {
    let problem = |line: usize, message: String| Problem {
        file: file.to_owned(),
        line: line.max(1),
        field: String::new(),
        message: format!("is not valid YAML: {message}"),
    };
    refuse_duplicate_keys(text).map_err(|(line, message)| problem(line, message))?;
    let nodes = MarkedYaml::load_from_str(text)
        .map_err(|error| problem(error.marker().line(), error.info().to_owned()))?;
    let file = Arc::new(file.to_owned());
    let documents = nodes.iter().filter_map(|node| {
        let mut lines = BTreeMap::from([(String::new(), node.span.start.line())]);
        let value = convert(node, "", &mut lines);
        // A document of comments only.
        (!value.is_null())
            .then(|| Document { value, source: Source { file: Arc::clone(&file), lines: Arc::new(lines) } })
    });
    Ok(documents.collect())
}

/// The loader that knows lines keeps the last of two equal keys, and the API server refuses both.
fn refuse_duplicate_keys(text: &str) -> Result<(), (usize, String)> {
    for document in serde_yaml::Deserializer::from_str(text) {
        serde_yaml::Value::deserialize(document).map_err(|error| {
            let line = error.location().map_or(1, |location| location.line());
            (line, error.to_string())
        })?;
    }
    Ok(())
}

fn convert(node: &MarkedYaml<'_>, path: &str, lines: &mut BTreeMap<String, usize>) -> Value {
    match &node.data {
        YamlData::Value(scalar) => convert_scalar(scalar),
        YamlData::Tagged(_, inner) => convert(inner, path, lines),
        YamlData::Sequence(items) => {
            let item = |(index, item): (usize, &MarkedYaml<'_>)| {
                let path = format!("{path}[{index}]");
                lines.insert(path.clone(), item.span.start.line());
                convert(item, &path, lines)
            };
            Value::Array(items.iter().enumerate().map(item).collect())
        }
        YamlData::Mapping(fields) => {
            let field = |(key, value): (&MarkedYaml<'_>, &MarkedYaml<'_>)| {
                let name = key_text(key);
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                lines.insert(path.clone(), key.span.start.line());
                (name, convert(value, &path, lines))
            };
            Value::Object(fields.iter().map(field).collect())
        }
        // The loader resolves representations and aliases.
        YamlData::Representation(text, ..) => Value::String(text.clone().into_owned()),
        YamlData::Alias(_) | YamlData::BadValue => Value::Null,
    }
}

fn convert_scalar(scalar: &Scalar<'_>) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(value) => Value::Bool(*value),
        Scalar::Integer(value) => Value::from(*value),
        Scalar::FloatingPoint(value) => Value::from(value.into_inner()),
        Scalar::String(text) => Value::String(text.clone().into_owned()),
    }
}

/// JSON has text keys only.
fn key_text(key: &MarkedYaml<'_>) -> String {
    match &key.data {
        YamlData::Value(Scalar::String(text)) => text.clone().into_owned(),
        YamlData::Value(scalar) => convert_scalar(scalar).to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# A comment.
---
# Only a comment.
---
kind: Agent
spec:
  models:
    - provider: demo
      model: |
        long
    - provider: other
  quota: {pods: 3, cpu: \"1\"}
";

    fn document() -> Document {
        parse(Path::new("a.yaml"), TEXT).unwrap().pop().unwrap()
    }

    #[test]
    fn values_are_those_of_yaml() {
        let expected = serde_json::json!({
            "kind": "Agent",
            "spec": {
                "models": [{"provider": "demo", "model": "long\n"}, {"provider": "other"}],
                "quota": {"pods": 3, "cpu": "1"},
            },
        });
        assert_eq!(document().value, expected);
    }

    #[test]
    fn a_field_is_found_on_its_line_and_a_missing_one_where_it_belongs() {
        let source = document().source;
        for (field, line) in [
            ("", 5),
            ("kind", 5),
            ("spec.models[0].model", 9),
            ("spec.models[1]", 11),
            ("spec.models[1].model", 11),
            ("spec.models[7].model", 7),
            ("spec.quota.pods", 12),
            ("metadata.name", 5),
        ] {
            assert_eq!(source.problem(field, "").line, line, "{field}");
        }
    }

    #[test]
    fn broken_yaml_and_duplicate_keys_name_their_line() {
        let broken = parse(Path::new("a.yaml"), "kind: Agent\nspec: [1, 2\nmetadata: {}\n").unwrap_err();
        assert!(broken.line >= 2, "{broken}");
        let twice = parse(Path::new("a.yaml"), "kind: Agent\nspec:\n  role: a\n  role: b\n").unwrap_err();
        assert!(twice.to_string().contains("role"), "{twice}");
    }
}
