//! Can people reach the agent here? Pure.

use konstruct_crds::{ChannelConnection, Reason};
use konstruct_domain::ids::{AgentName, ConnectionName};
use konstruct_domain::snapshot::{Manners, Pause};
use kube::ResourceExt;

use super::channel::{self, ValidChannel};
use super::dereference::{AgentState, Dereferenced, Rival};
use super::hours;
use crate::Problem;

#[derive(Clone, Debug)]
pub struct Validated {
    pub(super) name: ConnectionName,
    pub(super) agent: AgentName,
    pub(super) public_id: String,
    pub(super) channel: ValidChannel,
    pub(super) pause: Option<Pause>,
    pub(super) manners: Manners,
}

impl Validated {
    /// The account at a platform that only one connection of the installation may have: channel type and account.
    pub fn account(&self) -> Option<(&'static str, &str)> {
        let channel = &self.channel.snapshot;
        Some((channel.type_name(), channel.account()?))
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
    problems.extend(found.rival.as_ref().map(|rival| account_problem(connection, rival)));
    let hours = connection.spec.business_hours.as_ref().map(hours::validate).transpose();
    let hours = hours.map_err(|problem| problems.push(problem)).ok().flatten();
    let manners = Manners { messages_per_minute: found.messages_per_minute, hours };
    let channel = channel::validate(&connection.spec, found).map_err(|more| problems.extend(more)).ok();
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

pub(super) fn account_problem(connection: &ChannelConnection, rival: &Rival) -> Problem {
    let who = match rival {
        Rival::SameTenant { connection } => format!("the older ChannelConnection {connection:?}"),
        Rival::AnotherTenant => "an older ChannelConnection of another tenant".to_owned(),
    };
    let (field, what) = channel::account_field(&connection.spec);
    let message = format!("this {what} belongs to {who}: delete that one first, or connect another {what}");
    Problem::new(Reason::AccountConflict, field, message)
}
