//! Loose reading of JSON: a field of an unexpected type counts as missing, so nothing that a platform adds or changes
//! makes a delivery fail.

use serde_json::Value;

/// Ids become keys of rows, so they are short and printable, whoever signed the delivery.
const ID_MAX: usize = 200;

/// A non-empty string field.
pub(crate) fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object[field].as_str().filter(|text| !text.is_empty())
}

/// A string field that can be a key.
pub(crate) fn id<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    text(object, field).filter(|id| id.len() <= ID_MAX && id.bytes().all(|byte| byte.is_ascii_graphic()))
}

/// The entries of a field that is a list.
pub(crate) fn list<'a>(object: &'a Value, field: &str) -> &'a [Value] {
    object[field].as_array().map_or(&[], Vec::as_slice)
}

/// What a platform says about an error, safe to be stored and shown.
pub(crate) fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(300).collect()
}
