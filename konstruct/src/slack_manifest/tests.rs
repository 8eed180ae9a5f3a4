use clap::Parser;
use serde_json::{Value, json};

use super::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: Args,
}

fn parse(args: &[&str]) -> Result<Args, String> {
    let args = ["slack-manifest"].iter().chain(args);
    Command::try_parse_from(args).map(|command| command.args).map_err(|error| error.to_string())
}

fn manifest(args: &[&str]) -> Value {
    let args = parse(args).unwrap();
    let from_yaml: Value = serde_yaml::from_str(&print(&args).unwrap()).unwrap();
    let from_json: Value = serde_json::from_str(&print(&Args { json: true, ..args }).unwrap()).unwrap();
    assert_eq!(from_yaml, from_json, "both forms say the same");
    from_json
}

/// What Slack's pages and its own refusals say about any manifest.
fn check_limits(manifest: &Value) {
    let length = |path: &str| manifest.pointer(path).unwrap().as_str().unwrap().chars().count();
    assert!((1..=35).contains(&length("/display_information/name")));
    assert!(length("/display_information/description") <= 140);
    assert!((1..=80).contains(&length("/features/bot_user/display_name")));
    assert!(
        manifest.pointer("/display_information/long_description").is_none(),
        "174 to 4000 where there is one"
    );
    let view = ["agent", "assistant"].map(|kind| {
        let view = manifest.pointer(&format!("/features/{kind}_view"))?;
        assert!(view[format!("{kind}_description")].as_str().unwrap().chars().count() <= 300);
        assert!(view["suggested_prompts"].as_array().unwrap().len() <= 4);
        Some(kind)
    });
    assert_eq!(view.iter().flatten().count(), 1, "one of the views");
    let list = |path: &str| manifest.pointer(path).unwrap().as_array().unwrap().clone();
    let (events, scopes) =
        (list("/settings/event_subscriptions/bot_events"), list("/oauth_config/scopes/bot"));
    assert!(events.len() <= 100 && scopes.len() <= 255);
    // The scope without which Slack refuses the subscription.
    for (event, scope) in [
        ("app_mention", "app_mentions:read"),
        ("message.channels", "channels:history"),
        ("message.groups", "groups:history"),
        ("message.im", "im:history"),
        ("message.mpim", "mpim:history"),
    ] {
        assert!(events.contains(&json!(event)) && scopes.contains(&json!(scope)), "{event} needs {scope}");
    }
    let by_socket = manifest["settings"]["socket_mode_enabled"].as_bool().unwrap();
    for path in ["event_subscriptions", "interactivity"] {
        let url = manifest["settings"][path].get("request_url");
        assert_eq!(url.is_none(), by_socket, "{path}: somewhere events come to");
        let ours = |url: &Value| url.as_str().unwrap().starts_with("https://chat.example.com/slack/");
        assert!(url.is_none_or(ours), "{url:?}");
    }
}

#[test]
fn a_new_app_is_an_agent_and_knows_its_addresses() {
    let manifest = manifest(&["Chat.Example.com"]);
    check_limits(&manifest);
    assert!(manifest["features"]["agent_view"].is_object());
    let settings = &manifest["settings"];
    assert_eq!(settings["event_subscriptions"]["request_url"], "https://chat.example.com/slack/events");
    assert_eq!(settings["interactivity"]["request_url"], "https://chat.example.com/slack/interactivity");
    let events = settings["event_subscriptions"]["bot_events"].as_array().unwrap();
    assert!(events.contains(&json!("agent_session_stopped")) && events.contains(&json!("tokens_revoked")));
    assert!(!events.contains(&json!("assistant_thread_started")), "agents get none");
}

#[test]
fn a_connections_own_app_has_its_path() {
    let manifest = manifest(&["chat.example.com", "--webhook-path", "/slack/a-b_9/events", "--name", "Ada"]);
    check_limits(&manifest);
    let settings = &manifest["settings"];
    assert_eq!(settings["event_subscriptions"]["request_url"], "https://chat.example.com/slack/a-b_9/events");
    assert_eq!(
        settings["interactivity"]["request_url"],
        "https://chat.example.com/slack/a-b_9/interactivity"
    );
    assert_eq!(manifest["features"]["bot_user"]["display_name"], "Ada");
}

#[test]
fn with_socket_mode_there_is_no_address() {
    let manifest = manifest(&["--socket-mode", "--name", "Ada"]);
    check_limits(&manifest);
    let settings = &manifest["settings"];
    assert_eq!(settings["socket_mode_enabled"], true);
    assert_eq!(settings["interactivity"], json!({"is_enabled": true}));
    assert!(
        settings["event_subscriptions"]["bot_events"].as_array().unwrap().contains(&json!("app_mention"))
    );
}

#[test]
fn an_app_of_before_has_the_view_of_before() {
    let manifest = manifest(&["chat.example.com", "--legacy", "--prompt", "Holidays=How many = left?"]);
    check_limits(&manifest);
    let view = &manifest["features"]["assistant_view"];
    assert_eq!(view["suggested_prompts"], json!([{"title": "Holidays", "message": "How many = left?"}]));
    let events = manifest["settings"]["event_subscriptions"]["bot_events"].as_array().unwrap();
    assert!(events.contains(&json!("assistant_thread_started")));
    assert!(!events.contains(&json!("agent_session_stopped")));
}

#[test]
fn what_slack_would_refuse_is_refused_with_what_to_write() {
    let long = "x".repeat(36);
    let cases: [(&[&str], &str); 16] = [
        (&[], "HOST"),
        (&["https://chat.example.com"], "host name only"),
        (&["chat.example.com/slack"], "host name only"),
        (&["chat.example.com:8443"], "port 443"),
        (&["localhost"], "public name"),
        (&["10.0.0.1"], "public name"),
        (&["a-.example.com"], "no host name"),
        (&["a..example.com"], "no host name"),
        (&["chat.example.com", "--name", &long], "36 characters: write at most 35"),
        (&["chat.example.com", "--name", " "], "empty"),
        (&["chat.example.com", "--description", "a\nb"], "control character"),
        (&["chat.example.com", "--prompt", "Holidays"], "TITLE=MESSAGE"),
        (&["chat.example.com", "--webhook-path", "/whatsapp/x/events"], "webhookPath"),
        (&["chat.example.com", "--webhook-path", "/slack/../events"], "webhookPath"),
        (&["chat.example.com", "--socket-mode"], "cannot be used with"),
        (&["--socket-mode", "--webhook-path", "/slack/a/events"], "cannot be used with"),
    ];
    for (args, expected) in cases {
        let error = parse(args).unwrap_err();
        assert!(error.contains(expected), "{args:?}: {error}");
    }
    let five = ["a=b"; 5].iter().flat_map(|prompt| ["--prompt", prompt]);
    let args: Vec<_> = ["chat.example.com"].into_iter().chain(five).collect();
    assert!(run(&parse(&args).unwrap()).unwrap_err().to_string().contains("at most 4"));
}
