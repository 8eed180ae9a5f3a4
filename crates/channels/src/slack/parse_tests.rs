use proptest::prelude::*;
use serde_json::json;

use super::*;

fn delivery(event: &Value) -> Delivery {
    parse_value(&json!({
        "type": "event_callback", "team_id": "T1", "api_app_id": "A1", "event_id": "Ev1",
        "authorizations": [{"team_id": "T1", "enterprise_id": null, "user_id": "UBOT", "is_bot": true}],
        "event": event,
    }))
}

fn parse_value(body: &Value) -> Delivery {
    parse(body.to_string().as_bytes()).unwrap()
}

fn message(event: &Value) -> InboundMessage {
    match delivery(event) {
        Delivery::Message { message, .. } => *message,
        other => panic!("{other:?}"),
    }
}

fn with(mut event: Value, field: &str, value: Value) -> Value {
    event[field] = value;
    event
}

fn mention() -> Value {
    json!({"type": "app_mention", "user": "U1", "text": "<@UBOT> hi", "ts": "1.000100", "channel": "C1"})
}

fn in_channel() -> Value {
    json!({"type": "message", "channel_type": "channel", "user": "U1", "text": "hi", "ts": "1.000100", "channel": "C1"})
}

#[test]
fn a_mention_opens_a_thread_at_its_own_ts() {
    let message = message(&mention());
    assert_eq!(message.text, "hi");
    assert_eq!(message.event_id, "Ev1");
    assert_eq!(message.message_id, "T1:C1:1.000100");
    assert_eq!(message.conversation_key, "C1:1.000100");
    assert_eq!(message.addressing, Addressing::Addressed);
    let place = [("channel", "C1"), ("thread_ts", "1.000100"), ("user", "U1"), ("team", "T1")];
    assert_eq!(message.reply_to, ReplyTarget::new("slack", place));
}

#[test]
fn the_two_events_of_one_mention_are_the_same_message() {
    let twin = with(in_channel(), "text", json!("<@UBOT> hi"));
    let (one, other) = (message(&mention()), message(&twin));
    assert_eq!(one.message_id, other.message_id);
    assert_eq!(one, other);
}

#[test]
fn a_reply_in_a_thread_belongs_to_the_root() {
    let reply = with(with(in_channel(), "thread_ts", json!("0.9")), "ts", json!("2.0"));
    let message = message(&reply);
    assert_eq!(message.addressing, Addressing::FollowUp);
    assert_eq!(message.conversation_key, "C1:0.9");
    assert_eq!(message.message_id, "T1:C1:2.0");
}

#[test]
fn a_direct_message_is_addressed_in_every_shape() {
    let direct = with(in_channel(), "channel_type", json!("im"));
    assert_eq!(message(&direct).addressing, Addressing::Addressed);
    let threaded = message(&with(direct, "thread_ts", json!("0.5")));
    assert_eq!((threaded.addressing, threaded.conversation_key.as_str()), (Addressing::Addressed, "C1:0.5"));
    let no_channel_type = json!({"type": "message", "user": "U1", "text": "x", "ts": "1.0", "channel": "D1"});
    assert_eq!(message(&no_channel_type).addressing, Addressing::Addressed);
}

#[test]
fn what_nobody_said_to_the_employee_is_ignored() {
    let cases = [
        (Ignored::NotAddressed, in_channel()),
        (Ignored::Own, with(mention(), "user", json!("UBOT"))),
        (Ignored::Own, with(with(mention(), "user", json!("UBOT")), "bot_id", json!("B1"))),
        (Ignored::Bot, with(mention(), "bot_id", json!("B2"))),
        (Ignored::Bot, with(mention(), "bot_profile", json!({"id": "B2"}))),
        (Ignored::Bot, with(in_channel(), "subtype", json!("bot_message"))),
        (Ignored::Bot, with(mention(), "user", json!("USLACK"))),
        (Ignored::Subtype, with(in_channel(), "subtype", json!("message_changed"))),
        (Ignored::Subtype, with(in_channel(), "subtype", json!("channel_join"))),
        (Ignored::Subtype, with(in_channel(), "subtype", json!("invented_tomorrow"))),
        (Ignored::EventType, json!({"type": "reaction_added", "user": "U1"})),
        (Ignored::EventType, json!({"type": "invented_tomorrow"})),
        (Ignored::Incomplete, json!({})),
        (Ignored::Incomplete, with(mention(), "ts", json!(1.0001))),
        (Ignored::Incomplete, with(mention(), "channel", json!({"id": "C1"}))),
        (Ignored::Incomplete, with(mention(), "user", json!(null))),
        (Ignored::Incomplete, with(mention(), "ts", json!("1\u{0}2"))),
        (Ignored::Incomplete, with(mention(), "channel", json!("C".repeat(65)))),
    ];
    for (expected, event) in cases {
        assert_eq!(delivery(&event), Delivery::Ignored(expected), "{event}");
    }
}

#[test]
fn what_was_said_with_a_subtype_counts() {
    for subtype in ["file_share", "thread_broadcast", "me_message"] {
        let event = with(with(in_channel(), "channel_type", json!("im")), "subtype", json!(subtype));
        assert_eq!(message(&event).text, "hi");
    }
}

#[test]
fn a_file_and_an_empty_mention_are_described() {
    let files = json!([{"name": "a.pdf", "size": 3}, {"title": "B", "id": "F1", "mimetype": "image/png"}, 7]);
    let message_with_files = message(&with(mention(), "files", files));
    assert_eq!(message_with_files.body(), "hi\n[file: a.pdf]\n[picture]");
    assert_eq!(message_with_files.attachments[1].reference, "F1");
    let empty = message(&with(mention(), "text", json!("<@UBOT>"))).text;
    assert_eq!(empty, "[mentioned you without writing anything]");
}

#[test]
fn the_account_is_the_installation_and_not_the_place_of_the_message() {
    let body = |authorizations: Value| {
        json!({"type": "event_callback", "team_id": "TFOREIGN", "enterprise_id": "EFOREIGN", "event_id": "Ev1",
            "authorizations": authorizations, "event": mention()})
    };
    let account = |body: &Value| match parse_value(body) {
        Delivery::Message { account, .. } => account,
        other => panic!("{other:?}"),
    };
    assert_eq!(account(&body(json!([{"team_id": "T1", "enterprise_id": "E1"}]))), "T1");
    let org_wide = json!([{"team_id": "T1", "enterprise_id": "E1", "is_enterprise_install": true}]);
    assert_eq!(account(&body(org_wide)), "E1");
    assert_eq!(account(&body(json!([]))), "TFOREIGN");
}

#[test]
fn a_guest_of_slack_connect_is_answered_in_their_own_workspace() {
    let guest = with(with(mention(), "team", json!("T1")), "user_team", json!("TGUEST"));
    assert_eq!(message(&guest).reply_to.get("team"), Some("TGUEST"));
}

#[test]
fn an_over_long_text_is_cut_at_a_character() {
    let text = message(&with(mention(), "text", json!("ü".repeat(TEXT_MAX + 5)))).text;
    assert_eq!(text.chars().count(), TEXT_MAX);
}

#[test]
fn the_other_envelopes_are_recognised() {
    let challenge = parse_value(&json!({"type": "url_verification", "token": "x", "challenge": "3eZ"}));
    assert_eq!(challenge, Delivery::UrlVerification { challenge: "3eZ".to_owned() });
    let limited =
        parse_value(&json!({"type": "app_rate_limited", "team_id": "T1", "minute_rate_limited": 1}));
    assert_eq!(limited, Delivery::RateLimited { account: Some("T1".to_owned()) });
    for strange in [json!({"type": "invented_tomorrow"}), json!([]), json!(null), json!(7)] {
        assert_eq!(parse_value(&strange), Delivery::Ignored(Ignored::EventType));
    }
    let form: Option<&[u8]> = Some(b"application/x-www-form-urlencoded; charset=utf-8");
    assert!(is_ssl_check(form, b"token=x&ssl_check=1"));
    assert!(!is_ssl_check(form, b"xssl_check=1"));
    assert!(!is_ssl_check(Some(b"application/json"), b"ssl_check=1"));
}

#[test]
fn an_app_that_was_removed_and_a_bot_token_that_was_taken_back_are_told() {
    let revoked = |event: &str| Delivery::Revoked { account: "T1".to_owned(), event: event.to_owned() };
    assert_eq!(delivery(&json!({"type": "app_uninstalled"})), revoked("app_uninstalled"));
    let tokens = |bot: Value| json!({"type": "tokens_revoked", "tokens": {"oauth": ["U1"], "bot": bot}});
    assert_eq!(delivery(&tokens(json!(["UBOT"]))), revoked("tokens_revoked"));
    assert_eq!(delivery(&tokens(json!([]))), Delivery::Ignored(Ignored::EventType));
    assert_eq!(delivery(&tokens(json!(null))), Delivery::Ignored(Ignored::EventType));
}

#[test]
fn whoever_presses_stop_means_the_thread() {
    let stop = json!({"type": "agent_session_stopped", "channel": "C1", "thread_ts": "1.0", "user": "U1",
        "streaming_message_ts": ["2.0"], "event_ts": "3.0"});
    let (account, channel, root) = ("T1".to_owned(), "C1".to_owned(), "1.0".to_owned());
    assert_eq!(delivery(&stop), Delivery::Stopped { account, channel, root });
    for field in ["channel", "thread_ts"] {
        let incomplete = with(stop.clone(), field, json!(null));
        assert_eq!(delivery(&incomplete), Delivery::Ignored(Ignored::Incomplete));
    }
}

#[test]
fn files_are_known_by_where_they_are_and_only_as_declared() {
    let file = json!({"name": "a.pdf", "mimetype": "application/pdf", "size": 5, "url_private": "https://files.slack.com/a"});
    let attachments = message(&with(mention(), "files", json!([file, {"name": "gone"}]))).attachments;
    assert_eq!(attachments[0].reference, "https://files.slack.com/a");
    assert_eq!(
        (attachments.len(), attachments[1].reference.as_str()),
        (2, ""),
        "told, though it cannot be fetched"
    );
    assert_eq!(
        (attachments[0].media_type.as_deref(), attachments[0].size),
        (Some("application/pdf"), Some(5))
    );
}

#[test]
fn deep_nesting_is_malformed_and_not_a_crash() {
    assert!(parse("[".repeat(100_000).as_bytes()).is_err());
    assert!(parse(b"{").is_err());
    assert!(parse(b"").is_err());
    assert!(parse(&[0xff, 0xfe]).is_err());
}

/// Any JSON where the parser expects a certain one.
fn arbitrary_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[<>@#!|&a-z]{0,12}".prop_map(Value::from),
        Just(json!("message")),
        Just(json!("event_callback")),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map("(type|event|user|text|ts|channel|files)", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&body);
        let _ = is_ssl_check(Some(&body), &body);
    }

    #[test]
    fn a_real_payload_with_a_field_replaced_never_fails(
        field in "(type|subtype|user|text|ts|thread_ts|channel|channel_type|files|bot_id|bot_profile)",
        value in arbitrary_json(),
    ) {
        delivery(&with(mention(), &field, value));
    }

    #[test]
    fn any_json_is_a_delivery(body in arbitrary_json()) {
        parse_value(&body);
    }
}
