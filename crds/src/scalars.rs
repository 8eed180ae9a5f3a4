//! Schemas of the strings that several fields share, each with its bound and a rule that says what to write.

use kube::core::Rule;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// Longest slug; `konstruct_domain::ids::SLUG_MAX` is the same, which a test compares.
const SLUG_MAX: usize = 40;
/// Most tenants that one shared provider can list by slug.
const SLUGS_MAX: usize = 1000;

/// The schema's keyword for CEL rules.
const RULES: &str = "x-kubernetes-validations";

pub(crate) fn string(min: usize, max: usize, rules: &[(&str, &str)]) -> Schema {
    let rules: Vec<Value> =
        rules.iter().map(|(rule, message)| json!({"rule": rule, "message": message})).collect();
    json_schema!({"type": "string", "minLength": min, "maxLength": max, RULES: rules})
}

/// Adds the rule that an update must not change the value.
fn immutable(mut schema: Schema, message: &str) -> Schema {
    let rules = schema.ensure_object().entry(RULES).or_insert_with(|| json!([]));
    if let Some(rules) = rules.as_array_mut() {
        rules.push(json!({"rule": "self == oldSelf", "message": message}));
    }
    schema
}

fn one_slug() -> Schema {
    string(
        1,
        SLUG_MAX,
        &[
            (
                "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
                "use lower-case letters, digits and hyphens, starting and ending with a letter or digit",
            ),
            (
                "!(self in ['default', 'konstruct', 'konstruct-system', 'kube-system', 'platform', 'system'])",
                "this slug is reserved: choose another one",
            ),
        ],
    )
}

/// A tenant's own slug.
pub(crate) fn immutable_slug(_: &mut SchemaGenerator) -> Schema {
    immutable(one_slug(), "slug cannot be changed: create another Tenant and delete this one")
}

/// A set of slugs.
pub(crate) fn slugs(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": SLUGS_MAX,
        "items": one_slug(),
        "x-kubernetes-list-type": "set",
    })
}

/// The name of an Agent or LLMProvider.
pub(crate) fn object_name(_: &mut SchemaGenerator) -> Schema {
    string(
        1,
        63,
        &[(
            "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
            "write the object's name: lower-case letters, digits and hyphens, starting and ending with a letter or digit",
        )],
    )
}

/// The name of a Secret.
pub(crate) fn secret_name(_: &mut SchemaGenerator) -> Schema {
    string(
        1,
        253,
        &[(
            "self.matches('^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')",
            "write the Secret's name: lower-case letters, digits, hyphens and dots",
        )],
    )
}

/// A key of a Secret.
pub(crate) fn secret_key(_: &mut SchemaGenerator) -> Schema {
    string(
        1,
        253,
        &[(
            "self.matches('^[-._a-zA-Z0-9]+$')",
            "write a key of the Secret: letters, digits, hyphens, underscores and dots",
        )],
    )
}

/// A Slack workspace or enterprise.
pub(crate) fn slack_team_id(_: &mut SchemaGenerator) -> Schema {
    let id = string(
        3,
        21,
        &[(
            "self.matches('^[TE][A-Z0-9]{2,20}$')",
            "write the workspace's id as Slack shows it, such as T012AB3C4 (or E… for an org-wide install)",
        )],
    );
    immutable(id, "teamId cannot be changed: create another ChannelConnection and delete this one")
}

/// A phone number at Meta.
pub(crate) fn immutable_phone_number_id(_: &mut SchemaGenerator) -> Schema {
    immutable(
        meta_id("write the phone number's id as Meta shows it: digits only, and not the number itself"),
        "phoneNumberId cannot be changed: create another ChannelConnection and delete this one",
    )
}

/// A WhatsApp business account.
pub(crate) fn waba_id(_: &mut SchemaGenerator) -> Schema {
    meta_id("write the id of the WhatsApp business account as Meta shows it: digits only")
}

fn meta_id(message: &str) -> Schema {
    string(5, 32, &[("self.matches('^[0-9]+$')", message)])
}

/// The name of a message template.
pub(crate) fn template_name(_: &mut SchemaGenerator) -> Schema {
    string(
        1,
        512,
        &[(
            "self.matches('^[a-z0-9_]+$')",
            "write the template's name: lower-case letters, digits and underscores",
        )],
    )
}

/// The language of a message template.
pub(crate) fn template_language(_: &mut SchemaGenerator) -> Schema {
    string(
        2,
        20,
        &[(
            "self.matches('^[a-z]{2,3}(_[A-Za-z]+)?$')",
            "write the template's language as Meta does, such as en or pt_BR",
        )],
    )
}

/// A named variable of a message template.
pub(crate) fn template_variable(_: &mut SchemaGenerator) -> Schema {
    string(
        1,
        60,
        &[(
            "self.matches('^[a-z][a-z0-9_]*$')",
            "write the variable's name without braces: lower-case letters, digits and underscores",
        )],
    )
}

/// What Meta takes for a variable of a message template.
pub(crate) fn template_text(_: &mut SchemaGenerator) -> Schema {
    string(
        1,
        1024,
        &[(
            "!self.matches('[\\n\\r\\t]|    ') && self.matches('[^ ]')",
            "write one line without tabs and without four spaces in a row: Meta refuses others",
        )],
    )
}

/// A Telegram bot.
pub(crate) fn immutable_bot_username(_: &mut SchemaGenerator) -> Schema {
    let name = string(
        4,
        32,
        &[(
            "self.matches('^[a-z][a-z0-9_]+$')",
            "write the bot's name in lower case and without the @, such as acme_help_bot",
        )],
    );
    immutable(name, "botUsername cannot be changed: create another ChannelConnection and delete this one")
}

/// A resource quantity above zero.
pub(crate) fn quantity(_: &mut SchemaGenerator) -> Schema {
    string(
        1,
        20,
        &[(
            "isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))",
            "write a Kubernetes quantity above zero, such as 500m, 2 or 2Gi",
        )],
    )
}

/// An amount of money; `konstruct_domain::Money` reads it.
pub(crate) fn money(_: &mut SchemaGenerator) -> Schema {
    string(
        1,
        16,
        &[(
            "self.matches('^[0-9]{1,9}([.][0-9]{1,6})?$')",
            "write a decimal number in quotes, such as '25' or '0.15', with at most 9 digits before the point and 6 after it",
        )],
    )
}

/// The name of an object of the cluster that is not ours, such as a RuntimeClass.
pub(crate) fn dns_subdomain(_: &mut SchemaGenerator) -> Schema {
    string(
        1,
        253,
        &[(
            "self.matches('^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')",
            "write the object's name: lower-case letters, digits, hyphens and dots",
        )],
    )
}

/// Labels that a node must have.
pub(crate) fn node_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": {"type": "string", "maxLength": 63},
    })
}

/// The address of an HTTP API. Credentials belong into the Secret, and a path is appended to the address.
pub(crate) fn base_url(_: &mut SchemaGenerator) -> Schema {
    string(
        8,
        500,
        &[
            (
                "isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",
                "write an http or https URL, such as https://api.openai.com/v1",
            ),
            (
                "!self.contains('?') && !self.contains('#') && !self.contains('@')",
                "remove query, fragment and credentials from the URL: keys belong into the Secret",
            ),
        ],
    )
}

/// A name of the IANA time zone database; whether it is one is checked later.
pub(crate) fn time_zone(_: &mut SchemaGenerator) -> Schema {
    string(
        1,
        64,
        &[(
            "self.matches('^[A-Za-z][-+_A-Za-z0-9]*(/[-+_A-Za-z0-9]+)*$')",
            "write a time zone of the IANA database, such as Europe/Berlin or UTC",
        )],
    )
}

/// Hours and minutes.
pub(crate) fn time_of_day(_: &mut SchemaGenerator) -> Schema {
    string(
        5,
        5,
        &[(
            "self.matches('^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$')",
            "write hours and minutes with two digits each, such as 09:00",
        )],
    )
}

/// Sites as browsers name them: scheme, host and perhaps port.
pub(crate) fn origins(_: &mut SchemaGenerator) -> Schema {
    let origin = string(
        8,
        260,
        &[(
            "self.matches('^https?://[a-z0-9]([-.a-z0-9]*[a-z0-9])?(:[1-9][0-9]{0,4})?$')",
            "write scheme and host in lower case, without a path, such as https://www.example.com",
        )],
    );
    json_schema!({
        "type": "array",
        "maxItems": 32,
        "items": origin,
        "x-kubernetes-list-type": "set",
    })
}

/// People by their e-mail addresses, in an order that counts. Lower case, so that nobody is in the list twice.
pub(crate) fn email_addresses(_: &mut SchemaGenerator) -> Schema {
    let address = string(
        3,
        254,
        &[(
            "self.matches('^[^@A-Z[:space:]]+@[^@A-Z[:space:]]+$')",
            "write an e-mail address in lower case, such as kim@example.com",
        )],
    );
    json_schema!({
        "type": "array",
        "maxItems": 100,
        "items": address,
        "x-kubernetes-list-type": "set",
    })
}

/// Models of a provider.
pub(crate) fn model_names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 50,
        "items": {"type": "string", "minLength": 1, "maxLength": 200},
        "x-kubernetes-list-type": "set",
    })
}

/// Names of our namespaced objects become parts of URLs, keys and labels.
pub(crate) fn name_rule() -> Rule {
    Rule::new("size(self.metadata.name) <= 63 && !self.metadata.name.contains('.')")
        .message("metadata.name must be a DNS label: at most 63 characters and no dots")
}
