use proptest::prelude::*;
use serde_json::json;

use super::*;

fn update(message: &Value) -> Value {
    json!({"update_id": 7, "message": message})
}

fn private() -> Value {
    json!({"message_id": 3, "from": {"id": 11, "is_bot": false, "first_name": "Ada", "language_code": "de"},
        "chat": {"id": 11, "type": "private"}, "date": 1_763_740_800, "text": "hi 😀"})
}

fn in_group(text: &str) -> Value {
    let mut message = private();
    message["chat"] = json!({"id": -100_200, "type": "supergroup", "is_forum": true});
    message["text"] = json!(text);
    message
}

fn read(update: &Value) -> Event {
    parse(&update.to_string().into(), "ada_bot").unwrap()
}

fn said(update: &Value) -> InboundMessage {
    match read(update) {
        Event::Message { message, .. } => *message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_private_message_needs_no_mention() {
    let message = said(&update(&private()));
    assert_eq!((message.event_id.as_str(), message.message_id.as_str()), ("7", "11:3"));
    assert_eq!((message.conversation_key.as_str(), message.text.as_str()), ("11", "hi 😀"));
    assert_eq!(message.language.as_deref(), Some("de"));
    assert_eq!(message.reply_to, ReplyTarget::new("telegram", [("chat", "11")]));
}

#[test]
fn in_a_group_only_a_mention_or_an_answer_counts() {
    assert_eq!(read(&update(&in_group("hello all"))), Event::Ignored("ignored_not_addressed"));
    let mentioned = said(&update(&in_group("@Ada_Bot hello")));
    assert_eq!((mentioned.text.as_str(), mentioned.conversation_key.as_str()), ("hello", "-100200"));
    assert_eq!(mentioned.reply_to.get("answers"), Some("3"));
    let mut answer = in_group("and now?");
    answer["reply_to_message"] =
        json!({"message_id": 2, "from": {"id": 1, "is_bot": true, "username": "ada_bot"}});
    assert_eq!(said(&update(&answer)).text, "and now?");
}

#[test]
fn a_topic_is_a_conversation_of_its_own_and_a_thread_of_answers_is_not() {
    let mut message = in_group("@ada_bot hi");
    message["message_thread_id"] = json!(42);
    assert_eq!(said(&update(&message)).conversation_key, "-100200");
    message["is_topic_message"] = json!(true);
    let message = said(&update(&message));
    assert_eq!(
        (message.conversation_key.as_str(), message.reply_to.get("thread")),
        ("-100200:42", Some("42"))
    );
}

#[test]
fn files_are_named_and_the_largest_photo_is_taken() {
    let mut message = private();
    message.as_object_mut().unwrap().remove("text");
    message["caption"] = json!("look");
    message["photo"] = json!([{"file_id": "s", "width": 90, "height": 90}, {"file_id": "l", "width": 900, "height": 900, "file_size": 5}]);
    let photo = said(&update(&message));
    assert_eq!((photo.body().as_str(), photo.attachments[0].reference.as_str()), ("look\n[picture]", "l"));
    message.as_object_mut().unwrap().remove("photo");
    message["document"] = json!({"file_id": "d", "file_name": "a.pdf", "mime_type": "application/pdf"});
    assert_eq!(said(&update(&message)).body(), "look\n[file: a.pdf]");
    let mut voice = private();
    voice.as_object_mut().unwrap().remove("text");
    voice["voice"] = json!({"file_id": "v", "duration": 3});
    assert_eq!(said(&update(&voice)).body(), "[recording]");
    let mut mention = in_group("@ada_bot");
    mention["photo"] = json!([{"file_id": "p", "width": 9, "height": 9}]);
    assert_eq!(said(&update(&mention)).body(), "[picture]", "nothing else was said");
}

#[test]
fn a_pressed_button_says_what_it_stands_for() {
    let pressed = json!({"update_id": 8, "callback_query": {"id": "99", "from": {"id": 11, "is_bot": false},
        "message": private(), "data": "approve"}});
    let message = said(&pressed);
    assert_eq!((message.text.as_str(), message.message_id.as_str()), ("approve", "callback:99"));
}

#[test]
fn a_button_of_a_question_is_no_message() {
    let mut pressed = json!({"update_id": 8, "callback_query": {"id": "99", "from": {"id": 12, "is_bot": false},
        "message": private(), "data": "offer:7.1"}});
    let place = ReplyTarget::new("telegram", [("chat", "11"), ("query", "99"), ("below", "3")]);
    let action = Action { value: "7.1".to_owned(), by: "12".to_owned(), place };
    let event = Event::Action { account: "ada_bot".into(), action, contact: None };
    assert_eq!(parse(&pressed.to_string().into(), "ada_bot").unwrap(), event);
    pressed["callback_query"].as_object_mut().unwrap().remove("message");
    let inline = parse(&pressed.to_string().into(), "ada_bot").unwrap();
    assert_eq!(inline, Event::Ignored("ignored_incomplete"));
}

#[test]
fn everything_else_is_ignored_with_a_reason() {
    let mut bot = private();
    bot["from"]["is_bot"] = json!(true);
    let mut joined = private();
    joined.as_object_mut().unwrap().remove("text");
    joined["new_chat_members"] = json!([]);
    for (update, reason) in [
        (update(&bot), "ignored_bot"),
        (update(&joined), "ignored_message_type"),
        (json!({"update_id": 1, "edited_message": private()}), "ignored_update_type"),
        (json!({"update_id": 1, "invented_tomorrow": {}}), "ignored_update_type"),
        (json!({"update_id": 1, "message": {"text": "x"}}), "ignored_incomplete"),
        (json!({}), "ignored_incomplete"),
        (json!([]), "ignored_incomplete"),
    ] {
        assert_eq!(read(&update), Event::Ignored(reason), "{update}");
    }
    assert!(parse(&"[".repeat(100_000).into(), "ada_bot").is_err());
}

fn arbitrary_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[@a-z_0-9]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map(FIELDS, inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

const FIELDS: &str = "(update_id|message|message_id|from|chat|id|type|text|photo|document|file_id|callback_query|data|is_bot|message_thread_id|reply_to_message|username)";

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..300), bot in "[a-z_]{0,8}") {
        let _ = parse(&body.into(), &bot);
    }

    #[test]
    fn any_json_is_an_update(body in arbitrary_json()) {
        read(&body);
    }

    #[test]
    fn a_real_update_with_a_field_replaced_never_fails(field in FIELDS, value in arbitrary_json()) {
        let mut message = in_group("@ada_bot hi");
        message[&field] = value.clone();
        read(&update(&message));
        let mut whole = update(&private());
        whole[&field] = value;
        read(&whole);
    }
}
