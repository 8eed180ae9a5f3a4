//! Every field of the spec lands in the snapshot, and every mistake is said with its field.
#![allow(clippy::needless_pass_by_value, reason = "a fixture reads best as `agent(json!(…))`")]

use konstruct_crds::conditions::ResourceStatus;
use konstruct_crds::{ChannelConnection, ConditionType, Reason, SecretKeyRef};
use konstruct_domain::snapshot::{ChannelSnapshot, SecretField, TelegramMode, TemplatePlace};
use konstruct_store::Keyring;
use serde_json::{Value, json};

use super::dereference::{AgentState, Dereferenced, Rival, older};
use super::{build, status, validate};
use crate::framework::publish::Applied;
use crate::framework::secrets::{SecretLookup, look_up};
use crate::recorded::{recorded, recorded_new};

fn connection(spec: Value) -> ChannelConnection {
    serde_json::from_value(
        json!({"metadata": {"name": "front", "namespace": "kt-acme", "generation": 1}, "spec": spec}),
    )
    .unwrap()
}

fn slack() -> Value {
    json!({"agent": "ada", "slack": {
        "teamId": "T012AB3C4",
        "botTokenRef": {"name": "s", "key": "key"},
        "signingSecretRef": {"name": "s", "key": "key"},
    }})
}

fn secret(field: SecretField, value: &str) -> SecretLookup {
    let keyring = Keyring::new(Some([1; 32]), None);
    let data = [("key".to_owned(), value.as_bytes().to_vec())].into();
    let reference = SecretKeyRef { name: "s".to_owned(), key: "key".to_owned() };
    look_up(&keyring, field, Some(&data), &reference).unwrap()
}

fn world() -> Dereferenced {
    Dereferenced {
        public_id: "0123".to_owned(),
        agent: AgentState::Compiled,
        business_function: None,
        agent_name: Some("Ada".to_owned()),
        business_name: "Acme Ltd".to_owned(),
        secrets: vec![
            (SecretField::SlackBotToken, secret(SecretField::SlackBotToken, "xoxb-1")),
            (SecretField::SlackSigningSecret, secret(SecretField::SlackSigningSecret, "8f742231b10e")),
        ],
        rival: None,
        over_limit: None,
        pause: None,
        messages_per_minute: None,
    }
}

fn problems(spec: Value, found: &Dereferenced) -> Vec<(Reason, String)> {
    let problems = validate::validate(&connection(spec), found).unwrap_err();
    problems.into_iter().map(|problem| (problem.reason, problem.field)).collect()
}

#[test]
fn every_field_of_a_slack_connection_lands_in_its_snapshot() {
    let valid = validate::validate(&connection(slack()), &world()).unwrap();
    let snapshot = build::snapshot(&valid);
    assert_eq!(
        (snapshot.name.as_str(), snapshot.agent.as_str(), snapshot.public_id.as_str()),
        ("front", "ada", "0123")
    );
    let ChannelSnapshot::Slack(slack) = &snapshot.channel else { panic!("{snapshot:?}") };
    assert_eq!(slack.team_id, "T012AB3C4");
    assert_eq!(slack.bot_token.field, SecretField::SlackBotToken);
    assert_eq!(slack.signing_secret.as_ref().unwrap().field, SecretField::SlackSigningSecret);
    assert_eq!(build::secrets(&valid).len(), 2);
    assert_eq!(valid.account(), Some(("slack", "T012AB3C4")));
    assert_eq!(build::webhook_path(&valid).as_deref(), Some("/slack/0123/events"));
    assert_eq!(build::chat_path(&valid), None);
    assert!(!serde_json::to_string(&snapshot).unwrap().contains("xoxb-1"), "no secret in a snapshot");
}

#[test]
fn without_a_signing_secret_the_shared_app_is_used() {
    let mut spec = slack();
    spec["slack"].as_object_mut().unwrap().remove("signingSecretRef");
    let valid = validate::validate(&connection(spec), &world()).unwrap();
    assert_eq!(build::webhook_path(&valid).as_deref(), Some("/slack/events"));
    assert_eq!(build::secrets(&valid).len(), 1);
}

#[test]
fn in_socket_mode_there_is_an_app_token_and_no_webhook() {
    let mut spec = slack();
    let of_slack = spec["slack"].as_object_mut().unwrap();
    of_slack.remove("signingSecretRef");
    of_slack.insert("socketMode".to_owned(), json!({"appTokenRef": {"name": "s", "key": "key"}}));
    let with = |token: &str| {
        let mut found = world();
        found.secrets.retain(|(field, _)| *field == SecretField::SlackBotToken);
        found.secrets.push((SecretField::SlackAppToken, secret(SecretField::SlackAppToken, token)));
        found
    };
    let valid = validate::validate(&connection(spec.clone()), &with("xapp-1-A1-1-abc")).unwrap();
    let ChannelSnapshot::Slack(slack) = build::snapshot(&valid).channel else { panic!() };
    assert_eq!(slack.app_token.unwrap().field, SecretField::SlackAppToken);
    assert_eq!(build::secrets(&valid).len(), 2);
    assert_eq!(build::webhook_path(&valid), None, "nothing is sent to an address");
    let field = "spec.slack.socketMode.appTokenRef".to_owned();
    assert_eq!(problems(spec.clone(), &with("xoxb-1")), [(Reason::InvalidSecret, field)]);

    spec["slack"]["signingSecretRef"] = json!({"name": "s", "key": "key"});
    let mut both = with("xapp-1-A1-1-abc");
    both.secrets
        .extend(world().secrets.into_iter().filter(|(field, _)| *field == SecretField::SlackSigningSecret));
    assert_eq!(problems(spec, &both), [(Reason::InvalidSpec, "spec.slack".to_owned())]);
}

#[test]
fn a_web_chat_needs_no_secret_and_claims_no_account() {
    let spec = json!({"agent": "ada", "webChat": {"title": "Help", "greeting": "Hello"}});
    let found = Dereferenced { secrets: Vec::new(), ..world() };
    let valid = validate::validate(&connection(spec), &found).unwrap();
    let ChannelSnapshot::WebChat(chat) = build::snapshot(&valid).channel else { panic!() };
    assert_eq!((chat.title.as_str(), chat.greeting.as_str()), ("Help", "Hello"));
    assert_eq!((valid.account(), build::chat_path(&valid).as_deref()), (None, Some("/chat/0123")));
    assert!(build::secrets(&valid).is_empty());
}

#[test]
fn a_web_chat_for_other_sites_in_business_hours_and_within_limits() {
    let spec = json!({
        "agent": "ada",
        "webChat": {
            "allowedOrigins": ["https://www.example.com"],
            "identitySecretRef": {"name": "s", "key": "key"},
        },
        "businessHours": {"timeZone": "Europe/Berlin", "days": ["Mon"], "from": "09:00", "to": "17:00"},
    });
    let signed = |value| Dereferenced {
        secrets: vec![(SecretField::WebChatIdentity, secret(SecretField::WebChatIdentity, value))],
        messages_per_minute: Some(60),
        ..world()
    };
    let valid = validate::validate(&connection(spec.clone()), &signed("0123456789abcdef")).unwrap();
    let snapshot = build::snapshot(&valid);
    let ChannelSnapshot::WebChat(chat) = &snapshot.channel else { panic!() };
    assert_eq!(chat.allowed_origins, ["https://www.example.com"]);
    assert_eq!(chat.identity_secret.as_ref().unwrap().field, SecretField::WebChatIdentity);
    assert_eq!(build::secrets(&valid).len(), 1);
    assert_eq!(snapshot.manners.messages_per_minute, Some(60));
    assert_eq!(snapshot.manners.hours.as_ref().unwrap().time_zone, "Europe/Berlin");

    let field = "spec.webChat.identitySecretRef".to_owned();
    assert_eq!(problems(spec.clone(), &signed("short")), [(Reason::InvalidSecret, field)]);
    let mut elsewhere = spec;
    elsewhere["businessHours"]["timeZone"] = json!("Europe/Atlantis");
    assert_eq!(
        problems(elsewhere, &signed("0123456789abcdef")),
        [(Reason::InvalidSpec, "spec.businessHours.timeZone".to_owned())]
    );
}

#[test]
fn who_writes_to_a_paused_agent_is_told_by_whose_ai_it_is() {
    let agent = |state: &str| -> konstruct_crds::Agent {
        serde_json::from_value(json!({
            "metadata": {"name": "ada", "generation": 4},
            "spec": {"displayName": "Ada", "models": [{"provider": "p", "model": "m"}], "state": state},
        }))
        .unwrap()
    };
    assert_eq!(super::dereference::agent_pause(&agent("Active"), "Acme"), None);
    let pause = super::dereference::agent_pause(&agent("Paused"), "Acme").unwrap();
    assert_eq!(pause.id, "agent-4");
    assert!(pause.notice.contains("Ada, an AI employee of Acme, is paused"), "{}", pause.notice);
}

#[test]
fn mistakes_are_said_with_their_field() {
    let agent = |agent| Dereferenced { agent, ..world() };
    assert_eq!(
        problems(slack(), &agent(AgentState::Missing)),
        [(Reason::MissingAgent, "spec.agent".to_owned())]
    );
    assert_eq!(
        problems(slack(), &agent(AgentState::NotCompiled)),
        [(Reason::AgentNotReady, "spec.agent".to_owned())]
    );
    let replaced = |field, lookup| {
        let mut found = world();
        found.secrets.retain(|(of, _)| *of != field);
        found.secrets.push((field, lookup));
        found
    };
    let token = |value| replaced(SecretField::SlackBotToken, secret(SecretField::SlackBotToken, value));
    assert_eq!(
        problems(slack(), &token("8f742231b10e")),
        [(Reason::InvalidSecret, "spec.slack.botTokenRef".to_owned())]
    );
    let signing = |lookup| replaced(SecretField::SlackSigningSecret, lookup);
    assert_eq!(
        problems(slack(), &signing(secret(SecretField::SlackSigningSecret, "xoxb-1"))),
        [(Reason::InvalidSecret, "spec.slack.signingSecretRef".to_owned())]
    );
    assert_eq!(
        problems(slack(), &signing(SecretLookup::MissingKey)),
        [(Reason::MissingSecretKey, "spec.slack.signingSecretRef.key".to_owned())]
    );
    assert_eq!(problems(json!({"agent": "ada"}), &world()), [(Reason::InvalidSpec, "spec".to_owned())]);
    let mut team = slack();
    team["slack"]["teamId"] = json!("acme");
    assert_eq!(problems(team, &world()), [(Reason::InvalidSpec, "spec.slack.teamId".to_owned())]);
}

#[test]
fn every_field_of_a_whatsapp_number_lands_in_its_snapshot_and_a_business_function_is_needed() {
    let spec = json!({"agent": "ada", "whatsApp": {
        "phoneNumberId": "106540352242922", "wabaId": "102290129340398",
        "accessTokenRef": {"name": "s", "key": "key"},
        "appSecretRef": {"name": "s", "key": "key"}, "verifyTokenRef": {"name": "s", "key": "key"},
        "template": {"name": "hello_again", "language": "en"},
    }});
    let fields =
        [SecretField::WhatsAppAccessToken, SecretField::WhatsAppAppSecret, SecretField::WhatsAppVerifyToken];
    let secrets: Vec<_> = fields.into_iter().map(|field| (field, secret(field, "value"))).collect();
    let found = Dereferenced { business_function: Some("bookings".to_owned()), secrets, ..world() };
    let valid = validate::validate(&connection(spec.clone()), &found).unwrap();
    let ChannelSnapshot::WhatsApp(number) = build::snapshot(&valid).channel else { panic!() };
    assert_eq!(
        (number.phone_number_id.as_str(), number.waba_id.as_str()),
        ("106540352242922", "102290129340398")
    );
    assert_eq!(number.access_token.field, SecretField::WhatsAppAccessToken);
    assert_eq!(number.app_secret.unwrap().field, SecretField::WhatsAppAppSecret);
    assert_eq!(number.verify_token.unwrap().field, SecretField::WhatsAppVerifyToken);
    assert_eq!(number.template.unwrap().name, "hello_again");
    assert_eq!((valid.account(), build::secrets(&valid).len()), (Some(("whatsapp", "106540352242922")), 3));
    assert_eq!(build::webhook_path(&valid).as_deref(), Some("/whatsapp/0123/events"));
    for function in [None, Some(" ".to_owned())] {
        let found = Dereferenced { business_function: function, ..found.clone() };
        assert_eq!(
            problems(spec.clone(), &found),
            [(Reason::MissingBusinessFunction, "spec.agent".to_owned())]
        );
    }
}

#[test]
fn a_template_is_filled_with_names_and_words_that_meta_takes() {
    let spec = |parameters: Value| {
        json!({"agent": "ada", "whatsApp": {
            "phoneNumberId": "106540352242922", "wabaId": "102290129340398",
            "accessTokenRef": {"name": "s", "key": "key"},
            "template": {"name": "hello_again", "language": "en", "parameters": parameters},
        }})
    };
    let field = SecretField::WhatsAppAccessToken;
    let secrets = vec![(field, secret(field, "value"))];
    let found = Dereferenced { business_function: Some("bookings".to_owned()), secrets, ..world() };
    let parameters = json!([
        {"place": "Header", "name": "company", "value": "BusinessName"},
        {"name": "agent", "value": "AgentName"},
        {"name": "company", "text": "us"},
    ]);
    let valid = validate::validate(&connection(spec(parameters)), &found).unwrap();
    let ChannelSnapshot::WhatsApp(number) = build::snapshot(&valid).channel else { panic!() };
    let filled: Vec<_> =
        number.template.unwrap().parameters.into_iter().map(|p| (p.place, p.name, p.text)).collect();
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(
        filled,
        [
            (TemplatePlace::Header, named("company"), "Acme Ltd".to_owned()),
            (TemplatePlace::Body, named("agent"), "Ada".to_owned()),
            (TemplatePlace::Body, named("company"), "us".to_owned()),
        ]
    );
    let refused = |parameters: Value, found: &Dereferenced| {
        let problems = validate::validate(&connection(spec(parameters)), found).unwrap_err();
        problems.into_iter().map(|problem| (problem.field, problem.message)).collect::<Vec<_>>()
    };
    let two_lines = Dereferenced { agent_name: Some("Ada\nGrace".to_owned()), ..found.clone() };
    let long = Dereferenced { business_name: "x".repeat(61), ..found.clone() };
    for (parameters, found, field, part) in [
        (json!([{"value": "AgentName"}]), &two_lines, "parameters[0]", "a line end"),
        (json!([{"value": "BusinessName", "place": "Header"}]), &long, "parameters[0]", "Meta takes 60"),
        (json!([{"text": "a"}, {"text": "a    b"}]), &found, "parameters[1]", "four spaces"),
        (json!([{"text": " "}]), &found, "parameters[0]", "nothing would be filled in"),
        (json!([{"text": "a", "value": "AgentName"}]), &found, "parameters[0]", "either value or text"),
        (
            json!([{"name": "a", "text": "a"}, {"name": "a", "text": "b"}]),
            &found,
            "parameters[1].name",
            "same name",
        ),
        (json!([{"text": "x".repeat(600)}, {"text": "x".repeat(600)}]), &found, "parameters", "at most 1024"),
    ] {
        let problems = refused(parameters, found);
        let [(of, message)] = &problems[..] else { panic!("{problems:?}") };
        assert_eq!(of, &format!("spec.whatsApp.template.{field}"));
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn every_field_of_a_telegram_bot_lands_in_its_snapshot() {
    let spec = |mode: &str| {
        let bot =
            json!({"botUsername": "acme_bot", "botTokenRef": {"name": "s", "key": "key"}, "mode": mode});
        json!({"agent": "ada", "telegram": bot})
    };
    let with = |token: &str| {
        let field = SecretField::TelegramBotToken;
        Dereferenced { secrets: vec![(field, secret(field, token))], ..world() }
    };
    let valid = validate::validate(&connection(spec("Polling")), &with("12345:AAbc-_9")).unwrap();
    let ChannelSnapshot::Telegram(bot) = build::snapshot(&valid).channel else { panic!() };
    assert_eq!((bot.bot_username.as_str(), bot.mode), ("acme_bot", TelegramMode::Polling));
    assert_eq!(valid.account(), Some(("telegram", "acme_bot")));
    assert_eq!(build::webhook_path(&valid), None, "nothing is sent to a bot that asks");
    let valid = validate::validate(&connection(spec("Webhook")), &with("12345:AAbc-_9")).unwrap();
    assert_eq!(build::webhook_path(&valid).as_deref(), Some("/telegram/0123/events"));
    for bad in ["12345", "x:y", "1:a/b", "1:a?b"] {
        let expected = [(Reason::InvalidSecret, "spec.telegram.botTokenRef".to_owned())];
        assert_eq!(problems(spec("Webhook"), &with(bad)), expected, "{bad}");
    }
}

fn aged(name: &str, namespace: &str, created: &str, uid: &str) -> ChannelConnection {
    let mut connection = connection(slack());
    connection.metadata = serde_json::from_value(
        json!({"name": name, "namespace": namespace, "creationTimestamp": created, "uid": uid}),
    )
    .unwrap();
    connection
}

#[test]
fn the_oldest_connection_keeps_the_workspace() {
    let first = aged("first", "kt-acme", "2026-01-01T00:00:00Z", "b");
    let second = aged("second", "kt-acme", "2026-01-01T00:00:01Z", "a");
    let third = aged("third", "kt-globex", "2026-01-01T00:00:02Z", "c");
    let all = [first.clone(), second.clone(), third.clone()];
    assert_eq!(older(&first, all.iter()), None);
    assert_eq!(older(&second, all.iter()), Some(Rival::SameTenant { connection: "first".to_owned() }));
    assert_eq!(older(&third, all.iter()), Some(Rival::AnotherTenant));

    let mut leaving = first.clone();
    leaving.metadata.deletion_timestamp = first.metadata.creation_timestamp.clone();
    assert_eq!(
        older(&second, [leaving, second.clone(), third.clone()].iter()),
        None,
        "the next one takes over"
    );

    let twin = aged("twin", "kt-globex", "2026-01-01T00:00:00Z", "a");
    assert!(older(&first, [first.clone(), twin.clone()].iter()).is_some(), "the UID decides within a second");
    assert!(older(&twin, [first.clone(), twin.clone()].iter()).is_none());
}

#[test]
fn a_lost_workspace_is_said_without_naming_another_tenants_objects() {
    let subject = connection(slack());
    for (rival, named) in
        [(Rival::SameTenant { connection: "elder".to_owned() }, true), (Rival::AnotherTenant, false)]
    {
        let found = Dereferenced { rival: Some(rival), ..world() };
        let problems = validate::validate(&subject, &found).unwrap_err();
        let status = status::invalid(&subject, &problems);
        let claimed = status.condition(ConditionType::Claimed).unwrap();
        assert_eq!((claimed.is_true(), claimed.reason.as_str()), (false, "AccountConflict"));
        assert_eq!(claimed.message.contains("elder"), named);
        assert!(status.revision.is_none() && status.webhook_path.is_none(), "it serves nothing");
        assert!(status.condition(ConditionType::ResolvedRefs).unwrap().is_true());
    }
}

#[test]
fn a_published_connection_shows_where_to_reach_it() {
    let subject = connection(slack());
    let valid = validate::validate(&subject, &world()).unwrap();
    let status = status::published(&subject, &valid, &Applied::for_test("r", true, vec![]));
    assert!(status.is_ready(1));
    assert_eq!(status.webhook_path.as_deref(), Some("/slack/0123/events"));
    assert!(status.condition(ConditionType::Claimed).unwrap().is_true());
}

#[test]
fn recorded_for_health_checks() {
    let subject = connection(slack());
    recorded_new("progressing_new", &subject);
    let valid = validate::validate(&subject, &world()).unwrap();
    let published = |loaded| status::published(&subject, &valid, &Applied::for_test("r1", loaded, vec![]));
    recorded("healthy", &subject, &published(true));
    recorded("progressing_load", &subject, &published(false));
    let found = Dereferenced { rival: Some(Rival::SameTenant { connection: "elder".to_owned() }), ..world() };
    let problems = validate::validate(&subject, &found).unwrap_err();
    recorded("degraded_account_conflict", &subject, &status::invalid(&subject, &problems));
    recorded("suspended_archived", &subject, &status::archived(&subject));
}
