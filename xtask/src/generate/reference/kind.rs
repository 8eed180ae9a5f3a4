//! The page of one kind, from its schema.

use std::fmt::Write as _;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use konstruct_crds::{ConditionType, admission};
use serde_json::Value;

use super::cell;

pub(super) fn page(crd: &CustomResourceDefinition, conditions: &[ConditionType]) -> String {
    let names = &crd.spec.names;
    let mut text = format!("# {}\n\n", names.kind);
    let Some(schema) = admission::schema(&names.kind) else { return text };
    let short_names = names.short_names.iter().flatten().map(|name| format!("`{name}`")).collect::<Vec<_>>();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "{}\n\n`apiVersion: {}`, {}, short name {}.\n\n",
        cell(schema["description"].as_str().unwrap_or("")),
        konstruct_crds::API_VERSION,
        crd.spec.scope.to_lowercase(),
        short_names.join(", "),
    );
    for part in ["spec", "status"] {
        let _ = write!(text, "## {part}\n\n| Field | Type | Default | Meaning |\n|---|---|---|---|\n");
        fields(&schema["properties"][part], part, &mut text);
        text.push('\n');
    }
    text.push_str(
        "## Rules\n\nThe API server refuses what breaks one of these.\n\n| Field | Rule |\n|---|---|\n",
    );
    rules(schema, "", &mut text);
    text.push_str("\n## Conditions\n\n");
    let listed: Vec<String> = conditions.iter().map(|condition| format!("`{condition}`")).collect();
    let _ = writeln!(text, "{}. See [Conditions and reasons](conditions.md).", listed.join(", "));
    text
}

fn fields(schema: &Value, path: &str, text: &mut String) {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let field = format!("{path}.{name}");
        let default = match &property["default"] {
            Value::Null if required.contains(&name.as_str()) => "required".to_owned(),
            Value::Null => String::new(),
            Value::Object(_) => "see its fields".to_owned(),
            value => format!("`{value}`"),
        };
        let meaning = cell(property["description"].as_str().unwrap_or(""));
        let _ = writeln!(text, "| `{field}` | {} | {default} | {meaning} |", type_of(property));
        fields(property, &field, text);
        fields(&property["items"], &format!("{field}[]"), text);
    }
}

/// Type and bounds: "string, 1 to 80 characters".
fn type_of(schema: &Value) -> String {
    let bounds = |least: &str, most: &str, unit: &str| {
        let number = |keyword: &str| schema[keyword].as_f64();
        match (number(least), number(most)) {
            (Some(least), Some(most)) => format!(", {least} to {most}{unit}"),
            (None, Some(most)) => format!(", at most {most}{unit}"),
            _ => String::new(),
        }
    };
    match schema["type"].as_str() {
        Some("string") if schema["enum"].is_array() => {
            let values: Vec<&str> =
                schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            values.join(" or ")
        }
        Some("string") if schema["format"] == "date-time" => "time".to_owned(),
        Some("string") => format!("string{}", bounds("minLength", "maxLength", " characters")),
        Some("integer") => format!("integer{}", bounds("minimum", "maximum", "")),
        Some("array") => {
            let items = type_of(&schema["items"]);
            let entries = if items == "object" { "list".to_owned() } else { format!("list of {items}") };
            format!("{entries}{}", bounds("minItems", "maxItems", " entries"))
        }
        Some(other) => other.to_owned(),
        None => "any".to_owned(),
    }
}

fn rules(schema: &Value, path: &str, text: &mut String) {
    let shown = if path.is_empty() { "the object".to_owned() } else { format!("`{path}`") };
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let _ = writeln!(text, "| {shown} | {} |", cell(rule["message"].as_str().unwrap_or("")));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let field = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        rules(property, &field, text);
    }
    if schema["items"].is_object() {
        rules(&schema["items"], &format!("{path}[]"), text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn types_tell_their_bounds() {
        let cases = [
            (json!({"type": "string", "minLength": 1, "maxLength": 80}), "string, 1 to 80 characters"),
            (json!({"type": "integer", "minimum": 0.0, "maximum": 200.0}), "integer, 0 to 200"),
            (json!({"type": "array", "maxItems": 5, "items": {"type": "object"}}), "list, at most 5 entries"),
            (json!({"type": "string", "enum": ["True", "False"]}), "True or False"),
            (json!({"type": "boolean"}), "boolean"),
        ];
        for (schema, expected) in cases {
            assert_eq!(type_of(&schema), expected);
        }
    }
}
