//! Buttons that people press under our messages: a form with one field, which is JSON.

use konstruct_domain::message::ReplyTarget;
use reqwest::Url;
use serde_json::Value;

use super::api;
use super::envelope::text;
use super::parse::is_id;
use crate::{Action, Event, Malformed};

const FIELD: &str = "payload";

/// Events come as JSON, which never begins like this.
pub(super) fn is_one(body: &[u8]) -> bool {
    body.strip_prefix(FIELD.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))
}

/// The form in which an address gets what came over a socket as JSON.
pub(super) fn form(payload: &Value) -> String {
    api::form(&[(FIELD, &payload.to_string())])
}

/// One event for each button. The platform's other interactions are none that we offer.
pub(super) fn parse(body: &[u8]) -> Result<Vec<Event>, Malformed> {
    let payload: Value = serde_json::from_str(&payload(body))?;
    let (Some(account), Some(by), Some(channel)) = (
        account(&payload),
        text(&payload["user"], "id").filter(is_id),
        text(&payload["channel"], "id").or_else(|| text(&payload["container"], "channel_id")).filter(is_id),
    ) else {
        return Ok(vec![Event::Ignored("ignored_interaction")]);
    };
    let container = &payload["container"];
    let root = text(container, "thread_ts").or_else(|| text(container, "message_ts")).filter(is_id);
    let place = ReplyTarget::new(
        "slack",
        [("channel", channel)].into_iter().chain(root.map(|root| ("thread_ts", root))),
    );
    let pressed = payload["actions"].as_array().map_or(&[][..], Vec::as_slice).iter();
    let mut events: Vec<_> = pressed
        .filter(|action| payload["type"] == "block_actions" && action["type"] == "button")
        .filter_map(|action| text(action, "value"))
        .map(|value| Event::Action {
            account: account.into(),
            action: Action { value: value.to_owned(), by: by.to_owned(), place: place.clone() },
            contact: None,
        })
        .collect();
    if events.is_empty() {
        events.push(Event::Ignored("ignored_interaction"));
    }
    Ok(events)
}

fn payload(body: &[u8]) -> String {
    let Ok(mut url) = Url::parse("http://form/") else { return String::new() };
    url.set_query(std::str::from_utf8(body).ok());
    let payload = url.query_pairs().find(|(name, _)| name == FIELD);
    payload.map_or_else(String::new, |(_, payload)| payload.into_owned())
}

/// Whose installation it is: the app's workspace comes before that of the person, who may be a guest.
fn account(payload: &Value) -> Option<&str> {
    if payload["is_enterprise_install"] == true {
        return text(&payload["enterprise"], "id").filter(is_id);
    }
    let team = text(&payload["view"], "app_installed_team_id")
        .or_else(|| text(&payload["team"], "id"))
        .or_else(|| text(&payload["user"], "team_id"));
    team.filter(is_id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn form(payload: &Value) -> Vec<u8> {
        super::form(payload).into_bytes()
    }

    fn pressed() -> Value {
        json!({
            "type": "block_actions", "user": {"id": "U1", "team_id": "TGUEST"}, "team": {"id": "T1"},
            "channel": {"id": "C1"}, "container": {"message_ts": "2.0", "thread_ts": "1.0", "channel_id": "C1"},
            "actions": [{"type": "button", "action_id": "a", "value": "é 😀 +&="}],
        })
    }

    fn account_of(payload: &Value) -> String {
        match &parse(&form(payload)).unwrap()[..] {
            [Event::Action { account, .. }] => account.id.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_button_says_who_pressed_it_and_where() {
        let body = form(&pressed());
        assert!(is_one(&body) && !is_one(b"{\"payload\":1}") && !is_one(b"payloads=1"));
        let place = ReplyTarget::new("slack", [("channel", "C1"), ("thread_ts", "1.0")]);
        let action = Action { value: "é 😀 +&=".to_owned(), by: "U1".to_owned(), place };
        assert_eq!(parse(&body).unwrap(), [Event::Action { account: "T1".into(), action, contact: None }]);
    }

    #[test]
    fn the_account_is_the_apps_and_not_the_guests() {
        let mut payload = pressed();
        assert_eq!(account_of(&payload), "T1");
        payload["view"] = json!({"app_installed_team_id": "TAPP"});
        assert_eq!(account_of(&payload), "TAPP");
        payload["is_enterprise_install"] = json!(true);
        payload["enterprise"] = json!({"id": "E1"});
        assert_eq!(account_of(&payload), "E1");
        let mut direct = pressed();
        direct["team"] = json!(null);
        assert_eq!(account_of(&direct), "TGUEST");
    }

    #[test]
    fn what_is_no_button_of_ours_is_ignored_and_what_is_no_json_is_malformed() {
        for (field, value) in [
            ("type", json!("view_submission")),
            ("actions", json!([])),
            ("actions", json!([{"type": "button"}])),
            ("actions", json!([{"type": "static_select", "value": "x"}])),
            ("user", json!("U1")),
            ("channel", json!({"id": "C 1"})),
        ] {
            let mut payload = pressed();
            payload[field] = value;
            assert_eq!(parse(&form(&payload)).unwrap(), [Event::Ignored("ignored_interaction")], "{field}");
        }
        for body in [&b"payload="[..], b"payload=%7B", b"payload=\xff", b"payload=%ff"] {
            assert!(parse(body).is_err());
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&[b"payload=", body.as_slice()].concat());
        }
    }
}
