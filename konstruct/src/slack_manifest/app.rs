//! The manifest's fields, as Slack names them.

use serde::Serialize;

use super::{Args, Prompt};

/// What the gateway asks of Slack, and nothing else.
const SCOPES: [&str; 9] = [
    "app_mentions:read",
    "assistant:write",
    "channels:history",
    "chat:write",
    "files:read",
    "files:write",
    "groups:history",
    "im:history",
    "mpim:history",
];
const EVENTS: [&str; 7] = [
    "app_mention",
    "app_uninstalled",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "tokens_revoked",
];
/// Slack sends them to apps with an agent, and wants such an app to listen to them.
const AGENT_EVENTS: [&str; 3] = ["agent_session_stopped", "app_context_changed", "app_home_opened"];
/// The same for apps of before.
const LEGACY_EVENTS: [&str; 2] = ["assistant_thread_context_changed", "assistant_thread_started"];

#[derive(Debug, Serialize)]
pub(super) struct Manifest<'a> {
    #[serde(rename = "_metadata")]
    metadata: Metadata,
    display_information: DisplayInformation<'a>,
    features: Features<'a>,
    oauth_config: OauthConfig,
    settings: Settings,
}

#[derive(Debug, Serialize)]
struct Metadata {
    major_version: u8,
    minor_version: u8,
}

#[derive(Debug, Serialize)]
struct DisplayInformation<'a> {
    name: &'a str,
    description: &'a str,
}

#[derive(Debug, Serialize)]
struct Features<'a> {
    app_home: AppHome,
    bot_user: BotUser<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_view: Option<AgentView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assistant_view: Option<AssistantView<'a>>,
}

#[derive(Debug, Serialize)]
#[allow(clippy::struct_field_names, reason = "Slack's names")]
struct AppHome {
    home_tab_enabled: bool,
    messages_tab_enabled: bool,
    messages_tab_read_only_enabled: bool,
}

#[derive(Debug, Serialize)]
struct BotUser<'a> {
    display_name: &'a str,
    always_online: bool,
}

#[derive(Debug, Serialize)]
struct AgentView<'a> {
    agent_description: &'a str,
    suggested_prompts: &'a [Prompt],
}

#[derive(Debug, Serialize)]
struct AssistantView<'a> {
    assistant_description: &'a str,
    suggested_prompts: &'a [Prompt],
}

#[derive(Debug, Serialize)]
struct OauthConfig {
    scopes: Scopes,
}

#[derive(Debug, Serialize)]
struct Scopes {
    bot: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "Slack's switches")]
struct Settings {
    event_subscriptions: EventSubscriptions,
    interactivity: Interactivity,
    org_deploy_enabled: bool,
    socket_mode_enabled: bool,
    token_rotation_enabled: bool,
}

#[derive(Debug, Serialize)]
struct EventSubscriptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    request_url: Option<String>,
    bot_events: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Interactivity {
    is_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_url: Option<String>,
}

impl<'a> Manifest<'a> {
    pub(super) fn of(args: &'a Args) -> Self {
        let (description, prompts) = (args.agent_description.as_str(), args.prompts.as_slice());
        let agent_view = AgentView { agent_description: description, suggested_prompts: prompts };
        let assistant_view = AssistantView { assistant_description: description, suggested_prompts: prompts };
        Self {
            metadata: Metadata { major_version: 2, minor_version: 1 },
            display_information: DisplayInformation { name: &args.name, description: &args.description },
            features: Features {
                // People write to the employee on the messages tab; there is nothing to see at home.
                app_home: AppHome {
                    home_tab_enabled: false,
                    messages_tab_enabled: true,
                    messages_tab_read_only_enabled: false,
                },
                bot_user: BotUser { display_name: &args.name, always_online: true },
                agent_view: (!args.legacy).then_some(agent_view),
                assistant_view: args.legacy.then_some(assistant_view),
            },
            oauth_config: OauthConfig { scopes: Scopes { bot: SCOPES.into() } },
            settings: settings(args),
        }
    }
}

fn settings(args: &Args) -> Settings {
    // Without a host there is Socket Mode, and Slack takes no address.
    let url = |path: &str| args.host.as_ref().map(|host| format!("https://{host}{path}"));
    let view_events: &[_] = if args.legacy { &LEGACY_EVENTS } else { &AGENT_EVENTS };
    let mut bot_events: Vec<_> = EVENTS.iter().chain(view_events).copied().collect();
    bot_events.sort_unstable();
    let interactivity = args.webhook_path.strip_suffix("events").unwrap_or_default();
    Settings {
        event_subscriptions: EventSubscriptions { request_url: url(&args.webhook_path), bot_events },
        interactivity: Interactivity {
            is_enabled: true,
            request_url: url(&format!("{interactivity}interactivity")),
        },
        org_deploy_enabled: false,
        socket_mode_enabled: args.socket_mode,
        token_rotation_enabled: false,
    }
}
