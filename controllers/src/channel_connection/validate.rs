//! Can people reach the agent here? Pure.

use konstruct_crds::{Channel, ChannelConnection, Reason, Slack, WebChat};
use konstruct_domain::ids::{AgentName, ConnectionName};
use konstruct_domain::snapshot::{Manners, Pause};
use kube::ResourceExt;

use super::dereference::{AgentState, Dereferenced, Rival};
use super::hours;
use crate::Problem;
use crate::framework::secrets::{self, ResolvedSecret};

/// Whoever can guess it can pose as any customer.
const IDENTITY_SECRET_MIN: usize = 16;

#[derive(Clone, Debug)]
pub struct Validated {
    pub(super) name: ConnectionName,
    pub(super) agent: AgentName,
    pub(super) public_id: String,
    pub(super) channel: ValidChannel,
    pub(super) pause: Option<Pause>,
    pub(super) manners: Manners,
}

#[derive(Clone, Debug)]
pub(super) enum ValidChannel {
    Slack { team_id: String, bot_token: ResolvedSecret, signing_secret: Option<ResolvedSecret> },
    WebChat { page: WebChat, identity_secret: Option<ResolvedSecret> },
}

impl Validated {
    /// The account at a platform that only one connection of the installation may have: channel type and account.
    pub fn account(&self) -> Option<(&'static str, &str)> {
        match &self.channel {
            ValidChannel::Slack { team_id, .. } => Some(("slack", team_id)),
            ValidChannel::WebChat { .. } => None,
        }
    }
}

pub fn validate(connection: &ChannelConnection, found: &Dereferenced) -> Result<Validated, Vec<Problem>> {
    let mut problems = Vec::new();
    let name = connection.name_any().parse::<ConnectionName>();
    if let Err(error) = &name {
        problems.push(Problem::new(Reason::InvalidSpec, "metadata.name", error.to_string()));
    }
    let agent = connection.spec.agent.parse::<AgentName>();
    if let Err(error) = &agent {
        problems.push(Problem::new(Reason::InvalidSpec, "spec.agent", error.to_string()));
    }
    problems.extend(agent_problem(&connection.spec.agent, found.agent));
    problems.extend(found.over_limit.map(|limit| Problem::too_many("channel connections", limit)));
    problems.extend(found.rival.as_ref().map(account_problem));
    let hours = connection.spec.business_hours.as_ref().map(hours::validate).transpose();
    let hours = hours.map_err(|problem| problems.push(problem)).ok().flatten();
    let manners = Manners { messages_per_minute: found.messages_per_minute, hours };
    let channel = channel(connection, found).map_err(|more| problems.extend(more)).ok();
    match (name, agent, channel) {
        (Ok(name), Ok(agent), Some(channel)) if problems.is_empty() => {
            let (public_id, pause) = (found.public_id.clone(), found.pause.clone());
            Ok(Validated { name, agent, public_id, channel, pause, manners })
        }
        _ => Err(problems),
    }
}

fn agent_problem(name: &str, state: AgentState) -> Option<Problem> {
    let (reason, message) = match state {
        AgentState::Compiled => return None,
        AgentState::Missing => (
            Reason::MissingAgent,
            format!("Agent {name:?} does not exist in this namespace: create it or correct the name"),
        ),
        AgentState::NotCompiled => (
            Reason::AgentNotReady,
            format!("Agent {name:?} has not been compiled yet: look at its conditions"),
        ),
    };
    Some(Problem::new(reason, "spec.agent", message))
}

pub(super) fn account_problem(rival: &Rival) -> Problem {
    let who = match rival {
        Rival::SameTenant { connection } => format!("the older ChannelConnection {connection:?}"),
        Rival::AnotherTenant => "an older ChannelConnection of another tenant".to_owned(),
    };
    Problem::new(
        Reason::AccountConflict,
        "spec.slack.teamId",
        format!("this workspace belongs to {who}: delete that one first, or connect another workspace"),
    )
}

fn channel(connection: &ChannelConnection, found: &Dereferenced) -> Result<ValidChannel, Vec<Problem>> {
    match connection.spec.channel() {
        None => Err(vec![Problem::new(Reason::InvalidSpec, "spec", "set exactly one of slack and webChat")]),
        Some(Channel::WebChat(web_chat)) => {
            web_chat_channel(web_chat, found).map_err(|problem| vec![problem])
        }
        Some(Channel::Slack(slack)) => slack_channel(slack, found),
    }
}

fn web_chat_channel(page: &WebChat, found: &Dereferenced) -> Result<ValidChannel, Problem> {
    let field = "spec.webChat.identitySecretRef";
    let identity_secret = match &page.identity_secret_ref {
        None => None,
        Some(reference) => {
            let lookup = found.identity_secret.as_ref().unwrap_or(&secrets::SecretLookup::MissingSecret);
            let secret = secrets::require(lookup, reference, field)?;
            if !secrets::has_length(secret, IDENTITY_SECRET_MIN) {
                let message =
                    format!("is too short to sign with: store at least {IDENTITY_SECRET_MIN} characters");
                return Err(Problem::new(Reason::InvalidSecret, field, message));
            }
            Some(secret.clone())
        }
    };
    Ok(ValidChannel::WebChat { page: page.clone(), identity_secret })
}

fn slack_channel(slack: &Slack, found: &Dereferenced) -> Result<ValidChannel, Vec<Problem>> {
    let Slack { team_id, bot_token_ref, signing_secret_ref } = slack;
    let mut problems = Vec::new();
    if !is_team_id(team_id) {
        problems.push(Problem::new(
            Reason::InvalidSpec,
            "spec.slack.teamId",
            format!("{team_id:?} is no workspace id: write it as Slack shows it, such as T012AB3C4"),
        ));
    }
    let field = "spec.slack.botTokenRef";
    let lookup = found.bot_token.as_ref().unwrap_or(&secrets::SecretLookup::MissingSecret);
    let bot_token = match secrets::require(lookup, bot_token_ref, field) {
        Ok(token) if secrets::starts_with(token, "xox") => Some(token.clone()),
        Ok(_) => {
            problems.push(Problem::new(
                Reason::InvalidSecret,
                field,
                "is no bot token: store the Bot User OAuth Token of the Slack app, which begins with xoxb-",
            ));
            None
        }
        Err(problem) => {
            problems.push(problem);
            None
        }
    };
    let signing_secret = signing_secret_ref.as_ref().and_then(|reference| {
        let field = "spec.slack.signingSecretRef";
        let lookup = found.signing_secret.as_ref().unwrap_or(&secrets::SecretLookup::MissingSecret);
        match secrets::require(lookup, reference, field) {
            Ok(secret) if secrets::starts_with(secret, "xox") => {
                problems.push(Problem::new(
                    Reason::InvalidSecret,
                    field,
                    "is a token: store the app's Signing Secret, which Slack shows under Basic Information",
                ));
                None
            }
            Ok(secret) => Some(secret.clone()),
            Err(problem) => {
                problems.push(problem);
                None
            }
        }
    });
    match bot_token {
        Some(bot_token) if problems.is_empty() => {
            Ok(ValidChannel::Slack { team_id: team_id.clone(), bot_token, signing_secret })
        }
        _ => Err(problems),
    }
}

fn is_team_id(text: &str) -> bool {
    let mut characters = text.chars();
    matches!(characters.next(), Some('T' | 'E'))
        && (2..=20).contains(&characters.clone().count())
        && characters.all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}
