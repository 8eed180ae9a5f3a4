//! Nothing in an object may grow without limit, in spec and in status.

use konstruct_crds::admission::schema;
use serde_json::Value;

fn check(schema: &Value, field: &str, unbounded: &mut Vec<String>) {
    let bounded = match schema["type"].as_str() {
        Some("string") => schema["maxLength"].is_u64() || schema["enum"].is_array(),
        Some("array") => schema["maxItems"].is_u64(),
        Some("object") if schema["additionalProperties"].is_object() => schema["maxProperties"].is_u64(),
        Some("object") => schema["x-kubernetes-preserve-unknown-fields"].is_null(),
        Some("integer" | "boolean") => true,
        _ => false,
    };
    if !bounded {
        unbounded.push(field.to_owned());
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        check(property, &format!("{field}.{name}"), unbounded);
    }
    for keyword in ["items", "additionalProperties"] {
        if schema[keyword].is_object() {
            check(&schema[keyword], &format!("{field}[]"), unbounded);
        }
    }
}

#[test]
fn every_string_list_and_map_is_bounded() {
    let mut unbounded = Vec::new();
    for kind in ["Plan", "Tenant", "Agent", "ChannelConnection", "LLMProvider"] {
        check(schema(kind).unwrap(), kind, &mut unbounded);
    }
    assert_eq!(unbounded, Vec::<String>::new());
}

#[test]
fn the_check_sees_what_is_unbounded() {
    let schema = serde_json::json!({
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "list": {"type": "array", "items": {"type": "string", "maxLength": 1}},
            "map": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 1}},
            "anything": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "untyped": {},
        }
    });
    let mut unbounded = Vec::new();
    check(&schema, "Kind", &mut unbounded);
    assert_eq!(unbounded, ["Kind.anything", "Kind.list", "Kind.map", "Kind.text", "Kind.untyped"]);
}
