//! The outer part of a delivery. Read from loose JSON, field by field: a field of an unexpected type counts as
//! missing, so nothing that Slack adds or changes makes a delivery fail.

use serde_json::Value;

pub(super) struct Envelope<'a> {
    pub kind: &'a str,
    /// Whose installation this delivery is for. With Slack Connect and org-wide installs that is not the workspace
    /// that the message was written in, so the authorization comes first.
    pub account: Option<&'a str>,
    /// The user id of our bot in that installation.
    pub own_user: Option<&'a str>,
    pub event_id: Option<&'a str>,
    pub event: &'a Value,
}

impl<'a> Envelope<'a> {
    pub(super) fn of(body: &'a Value) -> Self {
        let authorization = &body["authorizations"][0];
        let org_wide = authorization["is_enterprise_install"].as_bool().unwrap_or(false);
        let enterprise = text(authorization, "enterprise_id").or_else(|| text(body, "enterprise_id"));
        let team = text(authorization, "team_id").or_else(|| text(body, "team_id"));
        Self {
            kind: text(body, "type").unwrap_or(""),
            account: if org_wide { enterprise } else { team },
            own_user: text(authorization, "user_id"),
            event_id: text(body, "event_id"),
            event: &body["event"],
        }
    }
}

/// A non-empty string field.
pub(super) fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object[field].as_str().filter(|text| !text.is_empty())
}
