//! What is filled into the variables of a WhatsApp template, as Meta takes it.

use konstruct_crds::{Reason, TemplatePlace, TemplateValue, WhatsAppTemplate, WhatsAppTemplateParameter};
use konstruct_domain::snapshot;

use super::Check;

/// Longest header and body of a template, in characters, with what is filled in.
const HEADER_MAX: usize = 60;
const BODY_MAX: usize = 1024;

const FIELD: &str = "spec.whatsApp.template.parameters";

/// With the names that are known now: the connection is compiled again when one changes.
pub(super) fn compile(template: &WhatsAppTemplate, check: &mut Check<'_>) -> snapshot::WhatsAppTemplate {
    let WhatsAppTemplate { name, language, parameters } = template;
    let mut compiled: Vec<snapshot::TemplateParameter> = Vec::with_capacity(parameters.len());
    for (index, parameter) in parameters.iter().enumerate() {
        let filled = fill(parameter, check).and_then(|filled| judge(&filled).map(|()| filled));
        match filled {
            Ok(filled) if compiled.iter().any(|other| filled.name.is_some() && is_same(other, &filled)) => {
                let message = "another parameter has the same name: a variable is filled in once".to_owned();
                check.refuse(Reason::InvalidSpec, &format!("{FIELD}[{index}].name"), message);
            }
            Ok(filled) => compiled.push(filled),
            Err(message) => check.refuse(Reason::InvalidSpec, &format!("{FIELD}[{index}]"), message),
        }
    }
    let length = |place| {
        let of_place = compiled.iter().filter(|parameter| parameter.place == place);
        of_place.map(|parameter| parameter.text.chars().count()).sum::<usize>()
    };
    if length(snapshot::TemplatePlace::Body) > BODY_MAX {
        let message =
            format!("a template's body has at most {BODY_MAX} characters with everything filled in");
        check.refuse(Reason::InvalidSpec, FIELD, message);
    }
    snapshot::WhatsAppTemplate { name: name.clone(), language: language.clone(), parameters: compiled }
}

fn is_same(one: &snapshot::TemplateParameter, other: &snapshot::TemplateParameter) -> bool {
    one.place == other.place && one.name == other.name
}

fn fill(
    parameter: &WhatsAppTemplateParameter,
    check: &Check<'_>,
) -> Result<snapshot::TemplateParameter, String> {
    let text = match (parameter.value, &parameter.text) {
        (Some(TemplateValue::AgentName), None) => check.found.agent_name.clone().unwrap_or_default(),
        (Some(TemplateValue::BusinessName), None) => check.found.business_name.clone(),
        (None, Some(text)) => text.clone(),
        _ => return Err("set either value or text".to_owned()),
    };
    let place = match parameter.place {
        TemplatePlace::Header => snapshot::TemplatePlace::Header,
        TemplatePlace::Body => snapshot::TemplatePlace::Body,
    };
    Ok(snapshot::TemplateParameter { name: parameter.name.clone(), place, text: text.trim().to_owned() })
}

fn judge(parameter: &snapshot::TemplateParameter) -> Result<(), String> {
    let snapshot::TemplateParameter { place, text, .. } = parameter;
    let max = match place {
        snapshot::TemplatePlace::Header => HEADER_MAX,
        snapshot::TemplatePlace::Body => BODY_MAX,
    };
    let length = text.chars().count();
    if text.is_empty() {
        return Err("nothing would be filled in: write a name, or text".to_owned());
    }
    if text.chars().any(char::is_control) || text.contains("    ") {
        return Err(format!(
            "{text:?} has a line end, a tab or four spaces in a row, which Meta refuses: write it in one line"
        ));
    }
    if length > max {
        let place = place.as_str();
        return Err(format!("{length} characters would be filled into the {place}: Meta takes {max}"));
    }
    Ok(())
}
