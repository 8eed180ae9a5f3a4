//! The structural half of a schema: fields, types and bounds. It knows the keywords that our schemas use, and a
//! test fails when a schema uses another one.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Refusal;

/// Fields that every object has and no schema of ours describes.
const ROOT_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// The keywords that [`check`] enforces, or that enforce nothing.
#[cfg(test)]
const KNOWN_KEYWORDS: [&str; 20] = [
    "additionalProperties",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "properties",
    "required",
    "title",
    "type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-validations",
];

pub(super) fn check(schema: &Value, object: &Value) -> Vec<Refusal> {
    let mut checker = Checker { refusals: Vec::new() };
    checker.value(schema, object, "");
    checker.refusals
}

struct Checker {
    refusals: Vec<Refusal>,
}

impl Checker {
    fn refuse(&mut self, field: &str, message: String) {
        self.refusals.push(Refusal { field: field.to_owned(), message });
    }

    fn value(&mut self, schema: &Value, value: &Value, field: &str) {
        match (schema["type"].as_str(), value) {
            (Some("object"), Value::Object(fields)) => self.object(schema, fields, field),
            (Some("array"), Value::Array(items)) => self.array(schema, items, field),
            (Some("string"), Value::String(text)) => self.string(schema, text, field),
            (Some("integer"), Value::Number(number)) if number.is_i64() || number.is_u64() => {
                self.integer(schema, value, field);
            }
            (Some("boolean"), Value::Bool(_)) | (None, _) => {}
            (Some(expected), found) => {
                self.refuse(field, format!("write {} instead of {}", article(expected), kind_of(found)));
            }
        }
    }

    fn object(&mut self, schema: &Value, fields: &Map<String, Value>, field: &str) {
        let none = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&none);
        for (name, value) in fields {
            if field.is_empty() && ROOT_FIELDS.contains(&name.as_str()) {
                continue;
            }
            let path = join(field, name);
            // A map has one schema for all its values.
            let map = schema.get("additionalProperties").filter(|schema| schema.is_object());
            match properties.get(name).or(map) {
                Some(property) => self.value(property, value, &path),
                None => self.refuse(&path, unknown_field(properties)),
            }
        }
        if let Some(most) = bound(schema, "maxProperties").filter(|most| fields.len() as u64 > *most) {
            self.refuse(field, format!("has {} entries: at most {most} are possible", fields.len()));
        }
        for name in strings(&schema["required"]) {
            if !fields.contains_key(name) {
                self.refuse(&join(field, name), "is required: add it".to_owned());
            }
        }
    }

    fn array(&mut self, schema: &Value, items: &[Value], field: &str) {
        if let Some(most) = bound(schema, "maxItems").filter(|most| items.len() as u64 > *most) {
            self.refuse(field, format!("has {} entries: at most {most} are possible", items.len()));
        }
        if let Some(least) = bound(schema, "minItems").filter(|least| (items.len() as u64) < *least) {
            self.refuse(field, format!("has {} entries: at least {least} must be there", items.len()));
        }
        let keys: Vec<&str> = strings(&schema["x-kubernetes-list-map-keys"]).collect();
        let unique = schema["x-kubernetes-list-type"].as_str().is_some_and(|list| list != "atomic");
        let mut seen = BTreeSet::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{field}[{index}]");
            self.value(&schema["items"], item, &path);
            let identity = if keys.is_empty() {
                item.to_string()
            } else {
                keys.iter().map(|key| item[*key].to_string()).collect()
            };
            if unique && !seen.insert(identity) {
                self.refuse(&path, "is there twice: remove one".to_owned());
            }
        }
    }

    fn string(&mut self, schema: &Value, text: &str, field: &str) {
        let length = text.chars().count() as u64;
        if let Some(most) = bound(schema, "maxLength").filter(|most| length > *most) {
            self.refuse(field, format!("has {length} characters: write at most {most}"));
        }
        if let Some(least) = bound(schema, "minLength").filter(|least| length < *least) {
            self.refuse(field, format!("has {length} characters: write at least {least}"));
        }
        let allowed: Vec<&str> = strings(&schema["enum"]).collect();
        if !allowed.is_empty() && !allowed.contains(&text) {
            self.refuse(field, format!("write one of {}", allowed.join(", ")));
        }
    }

    fn integer(&mut self, schema: &Value, value: &Value, field: &str) {
        let Some(number) = value.as_f64() else { return };
        let (least, most) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
        let below = least.is_some_and(|least| number < least);
        let above = most.is_some_and(|most| number > most);
        if let (true, Some(least), Some(most)) = (below || above, least, most) {
            self.refuse(field, format!("is {value}: write a number from {least} to {most}"));
        }
    }
}

fn bound(schema: &Value, keyword: &str) -> Option<u64> {
    schema[keyword].as_u64()
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn join(field: &str, name: &str) -> String {
    if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") }
}

fn unknown_field(properties: &Map<String, Value>) -> String {
    let known: Vec<&str> = properties.keys().map(String::as_str).collect();
    format!("no such field: remove it, or write one of {}", known.join(", "))
}

fn article(type_: &str) -> String {
    match type_ {
        "object" => "fields (name: value)".to_owned(),
        "array" => "a list".to_owned(),
        "integer" => "a whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "string" => "text (in quotes, if it looks like a number)".to_owned(),
        other => format!("a value of the type {other}"),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "fields",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keywords(schema: &Value, found: &mut BTreeSet<String>) {
        let Some(keys) = schema.as_object() else { return };
        for (keyword, value) in keys {
            found.insert(keyword.clone());
            match keyword.as_str() {
                "properties" => {
                    value.as_object().unwrap().values().for_each(|property| keywords(property, found));
                }
                "items" | "additionalProperties" => keywords(value, found),
                _ => {}
            }
        }
    }

    #[test]
    fn every_keyword_of_our_schemas_is_enforced_here_too() {
        let mut found = BTreeSet::new();
        super::super::SCHEMAS.values().for_each(|schema| keywords(schema, &mut found));
        found.retain(|keyword| !KNOWN_KEYWORDS.contains(&keyword.as_str()));
        assert_eq!(found, BTreeSet::new());
    }
}
