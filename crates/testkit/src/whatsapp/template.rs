//! Whether a template's variables are filled in as it was approved.

use serde_json::Value;

use super::messages::Refusal;
use super::state::Template;

pub(super) fn check(template: &Template, sent: &Value) -> Result<(), Refusal> {
    let components = sent["components"].as_array().map_or(&[][..], Vec::as_slice);
    // In whatever case.
    let is = |component: &&Value, kind: &str| {
        component["type"].as_str().is_some_and(|of| of.eq_ignore_ascii_case(kind))
    };
    if !components.iter().all(|component| is(&component, "header") || is(&component, "body")) {
        return Err((100, "Invalid parameter"));
    }
    for (kind, variables) in [("header", &template.header), ("body", &template.body)] {
        let of_kind = components.iter().filter(|component| is(component, kind));
        let parameters: Vec<_> =
            of_kind.flat_map(|component| component["parameters"].as_array().into_iter().flatten()).collect();
        if parameters.len() != variables.len() {
            return Err((132_000, "Number of parameters does not match the expected number of params"));
        }
        for (variable, parameter) in variables.iter().zip(&parameters) {
            fits(variable, variables, parameter)?;
        }
    }
    Ok(())
}

fn fits(variable: &str, variables: &[String], parameter: &Value) -> Result<(), Refusal> {
    let text = parameter["text"].as_str().unwrap_or_default();
    if parameter["type"] != "text" || text.is_empty() {
        return Err((132_012, "Parameter format does not match format in the created template"));
    }
    if text.contains(['\n', '\t']) || text.contains("     ") {
        return Err((
            100,
            "Param text cannot have new-line/tab characters or more than 4 consecutive spaces",
        ));
    }
    let is_numbered = variable.bytes().all(|byte| byte.is_ascii_digit());
    match parameter["parameter_name"].as_str() {
        None if is_numbered => Ok(()),
        Some(name) if !is_numbered && variables.iter().any(|variable| variable == name) => Ok(()),
        _ => Err((100, "Invalid parameter: parameter name is missing, empty or not in the template")),
    }
}
