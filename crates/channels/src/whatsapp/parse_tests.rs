use konstruct_domain::delivery::Progress;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn delivery(changes: &[Value]) -> Vec<Event> {
    let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "WABA1", "changes": changes}]});
    parse(&body.to_string().into())
}

fn change(field: &str, value: Value) -> Value {
    let mut value = value;
    value["messaging_product"] = json!("whatsapp");
    value["metadata"] = json!({"display_phone_number": "15550001111", "phone_number_id": "PN1"});
    json!({"field": field, "value": value})
}

fn text_message() -> Value {
    json!({"from": "491701234567", "id": "wamid.1", "timestamp": "1763740800", "type": "text", "text": {"body": "hi 😀"}})
}

fn messages(message: &Value) -> Value {
    let contact = json!({"profile": {"name": "Ada"}, "wa_id": "491701234567", "user_id": "DE.1"});
    change("messages", json!({"contacts": [contact], "messages": [message]}))
}

fn status(progress: &str) -> Value {
    json!({"id": "wamid.9", "status": progress, "timestamp": "1763740800", "recipient_id": "491701234567",
        "biz_opaque_callback_data": "00000000-0000-0000-0000-000000000007/1",
        "pricing": {"billable": true, "pricing_model": "PMP", "type": "regular", "category": "service"}})
}

fn one(change: Value) -> Event {
    let mut events = delivery(&[change]);
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

#[test]
fn a_message_is_known_by_the_persons_id_and_keeps_the_number() {
    let Event::Message { account, message, contact: Some(contact) } = one(messages(&text_message())) else {
        panic!()
    };
    assert_eq!((account.id.as_str(), account.parent.as_deref()), ("PN1", Some("WABA1")));
    assert_eq!((message.text.as_str(), message.event_id.as_str()), ("hi 😀", "wamid.1"));
    assert_eq!((message.author_id.as_str(), message.conversation_key.as_str()), ("DE.1", "DE.1"));
    assert_eq!((contact.user_id.as_deref(), contact.phone.as_deref()), (Some("DE.1"), Some("491701234567")));
    assert_eq!(contact.window_until, Some(1_763_740_800 + 86_400));
    assert!(!message.raw.is_empty());
}

#[test]
fn a_number_may_be_missing_and_so_may_the_persons_id() {
    let mut without_number = text_message();
    without_number.as_object_mut().unwrap().remove("from");
    let contacts = json!([{"profile": {"name": "Ada", "username": "ada"}, "user_id": "DE.1"}]);
    let by_id = change("messages", json!({"contacts": contacts, "messages": [without_number.clone()]}));
    let Event::Message { contact: Some(contact), .. } = one(by_id) else { panic!() };
    assert_eq!((contact.user_id.as_deref(), contact.phone), (Some("DE.1"), None));
    let by_number = change("messages", json!({"messages": [text_message()]}));
    let Event::Message { message, contact: Some(contact), .. } = one(by_number) else { panic!() };
    assert_eq!((message.author_id.as_str(), contact.user_id), ("491701234567", None));
    assert_eq!(
        one(change("messages", json!({"messages": [without_number]}))),
        Event::Ignored("ignored_incomplete")
    );
}

#[test]
fn every_type_says_something_or_is_ignored_with_a_reason() {
    let said = |kind: &str, body: Value| {
        let mut message = json!({"from": "49", "id": "wamid.1", "timestamp": "1", "type": kind});
        message[kind] = body;
        match one(messages(&message)) {
            Event::Message { message, .. } => message.body(),
            Event::Ignored(reason) => reason.to_owned(),
            other => panic!("{other:?}"),
        }
    };
    let image = json!({"id": "M1", "mime_type": "image/jpeg", "sha256": "x", "caption": "look"});
    assert_eq!(said("image", image), "look\n[picture]");
    let document = json!({"id": "M1", "mime_type": "application/pdf", "filename": "a.pdf"});
    assert_eq!(said("document", document), "[file: a.pdf]");
    let voice = json!({"id": "M1", "mime_type": "audio/ogg; codecs=opus", "voice": true});
    assert_eq!(said("audio", voice), "[recording]");
    assert_eq!(said("image", json!({})), "[picture]");
    let button = json!({"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes"}});
    assert_eq!(said("interactive", button), "Yes");
    let list = json!({"type": "list_reply", "list_reply": {"id": "offer:7.1", "title": "Yes"}});
    assert_eq!(said("interactive", list), "Yes", "we offer no lists");
    assert_eq!(said("interactive", json!({})), "ignored_incomplete");
    assert_eq!(said("button", json!({"payload": "p", "text": "Stop"})), "Stop");
    assert_eq!(said("reaction", json!({"message_id": "wamid.0"})), "ignored_reaction");
    assert_eq!(said("unsupported", json!({})), "ignored_unsupported");
    assert_eq!(said("hologram", json!({})), "ignored_message_type");
    assert_eq!(said("location", json!({"latitude": 1.5, "longitude": 2.0})), "[shared a place: 1.5, 2 ]");
    assert_eq!(said("text", json!({"body": " "})), "ignored_incomplete");
}

#[test]
fn statuses_carry_what_was_sent_along_and_what_is_charged() {
    let Event::Status { status: delivered, .. } =
        one(change("messages", json!({"statuses": [status("delivered")]})))
    else {
        panic!()
    };
    assert_eq!((delivered.progress, delivered.part.unwrap().part), (Progress::Delivered, 1));
    assert_eq!(delivered.pricing.unwrap()["category"], "service");
    let mut failed = status("failed");
    failed["errors"] = json!([{"code": 131_026, "title": "Message undeliverable"}]);
    let Event::Status { status: failed, .. } = one(change("messages", json!({"statuses": [failed]}))) else {
        panic!()
    };
    assert_eq!(failed.failure.as_deref(), Some("WhatsApp error 131026: Message undeliverable"));
    let mut general = status("sent");
    general["pricing"]["category"] = json!("general_purpose_ai");
    let events = delivery(&[change("messages", json!({"statuses": [general]}))]);
    assert!(matches!(&events[..], [Event::Status { .. }, Event::Restricted { .. }]), "{events:?}");
    assert_eq!(
        one(change("messages", json!({"statuses": [status("warp")]}))),
        Event::Ignored("ignored_status")
    );
}

#[test]
fn ids_rotate_and_numbers_change() {
    let update =
        json!({"user_id_update": [{"wa_id": "49", "user_id": {"previous": "DE.1", "current": "DE.2"}}]});
    let Event::Renamed { previous, current, .. } = one(change("user_id_update", update)) else { panic!() };
    assert_eq!((previous.user_id.as_deref(), current.user_id.as_deref()), (Some("DE.1"), Some("DE.2")));
    let moved = json!({"from": "49", "id": "wamid.1", "type": "system",
        "system": {"type": "user_changed_number", "wa_id": "50", "user_id": "DE.3", "body": "moved"}});
    let Event::Renamed { previous, current, .. } = one(change("messages", json!({"messages": [moved]})))
    else {
        panic!()
    };
    assert_eq!((previous.phone.as_deref(), current.phone.as_deref()), (Some("49"), Some("50")));
    assert_eq!(current.user_id.as_deref(), Some("DE.3"));
}

#[test]
fn one_bad_change_of_a_hundred_spoils_none_of_the_others() {
    let changes: Vec<_> = (0..100)
        .map(|number| {
            let mut message = text_message();
            message["id"] = json!(format!("wamid.{number}"));
            if number == 50 { json!({"field": 7, "value": [[["?"]]]}) } else { messages(&message) }
        })
        .collect();
    let events = delivery(&changes);
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Message { .. })).count(), 99);
    assert_eq!(events[50], Event::Ignored("ignored_field"));
}

#[test]
fn what_concerns_the_account_concerns_all_its_numbers() {
    let Event::Restricted { account, reason } =
        one(change("account_update", json!({"event": "ACCOUNT_VIOLATION"})))
    else {
        panic!()
    };
    assert_eq!((account.id.as_str(), account.parent.as_deref()), ("", Some("WABA1")));
    assert!(reason.contains("ACCOUNT_VIOLATION"));
    assert_eq!(one(change("flows", json!({}))), Event::Ignored("ignored_field"));
}

#[test]
fn nothing_authentic_is_refused() {
    for odd in [
        "",
        "{",
        "null",
        "[]",
        "7",
        "{}",
        r#"{"object":"page"}"#,
        r#"{"object":"whatsapp_business_account"}"#,
    ] {
        let events = parse(&Bytes::from(odd));
        assert!(matches!(events[..], [Event::Ignored(_)]), "{odd}: {events:?}");
    }
    assert_eq!(parse(&"[".repeat(100_000).into()), [Event::Ignored("ignored_malformed")]);
}

fn arbitrary_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z0-9.]{0,12}".prop_map(Value::from),
        Just(json!("text")),
        Just(json!("failed")),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map(FIELDS, inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

const FIELDS: &str = "(object|entry|id|changes|field|value|metadata|phone_number_id|contacts|messages|statuses|from|type|text|body|user_id|errors|code|system|wa_id|timestamp|interactive|pricing|status)";

/// Replaces one field, wherever it is.
fn mutate(value: &mut Value, field: &str, with: &Value) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                if name == field {
                    *inner = with.clone();
                } else {
                    mutate(inner, field, with);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| mutate(inner, field, with)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(!parse(&body.into()).is_empty());
    }

    #[test]
    fn any_json_is_a_delivery(body in arbitrary_json()) {
        prop_assert!(!parse(&body.to_string().into()).is_empty());
    }

    #[test]
    fn a_real_payload_with_a_field_replaced_never_fails(field in FIELDS, value in arbitrary_json()) {
        let both = [messages(&text_message()), change("messages", json!({"statuses": [status("failed")]}))];
        let mut body = json!({"object": "whatsapp_business_account", "entry": [{"id": "WABA1", "changes": both}]});
        mutate(&mut body, &field, &value);
        for event in parse(&body.to_string().into()) {
            if let Event::Message { message, .. } = event {
                prop_assert!(!message.message_id.is_empty() && !message.text.is_empty());
            }
        }
    }
}
