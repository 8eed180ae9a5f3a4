//! What the model reads. One pure function.

use konstruct_domain::disclosure;
use konstruct_domain::message::{HistoryLine, Speaker, truncate};
use konstruct_domain::snapshot::{AgentSnapshot, TenantSnapshot};
use konstruct_store::PendingMessage;

use crate::wire::{Message, Role};

/// Most characters of conversation in one prompt, about 30,000 tokens. The system prompt is bounded by the fields it is
/// made of.
const BUDGET: usize = 100_000;

/// Stands where pending messages did not fit, so that the model does not guess what they said.
const LEFT_OUT: &str = "[Earlier messages are left out because they are too long. Say so if they matter.]";

/// The system prompt, then the conversation with persons and employee in turns, ending with everything that waits for
/// an answer as one message.
pub(crate) fn prompt(
    tenant: &TenantSnapshot,
    agent: &AgentSnapshot,
    window: &[HistoryLine],
    pending: &[PendingMessage],
) -> Vec<Message> {
    let pending: Vec<&str> = pending.iter().map(|message| message.text.as_str()).collect();
    let asked = newest(&pending, BUDGET);
    let room = BUDGET.saturating_sub(asked.iter().map(|text| text.chars().count()).sum());
    let mut messages = vec![Message::new(Role::System, system(tenant, agent))];
    for line in fitting(window, room) {
        push(&mut messages, role(line.speaker), &line.text);
    }
    if asked.len() < pending.len() {
        push(&mut messages, Role::User, LEFT_OUT);
    }
    for text in asked {
        push(&mut messages, Role::User, text);
    }
    messages
}

/// The disclosure clause comes last: nothing that a tenant writes stands after it.
fn system(tenant: &TenantSnapshot, agent: &AgentSnapshot) -> String {
    let mut sections = vec![introduction(tenant, agent)];
    for (title, text) in [("Persona", &agent.persona), ("Instructions", &agent.instructions)] {
        if !text.trim().is_empty() {
            sections.push(format!("# {title}\n{}", text.trim()));
        }
    }
    sections.push(disclosure::CLAUSE.to_owned());
    sections.join("\n\n")
}

fn introduction(tenant: &TenantSnapshot, agent: &AgentSnapshot) -> String {
    let (name, company) = (agent.display_name.trim(), tenant.display_name.trim());
    match agent.role.trim() {
        "" => format!("You are {name}, an AI employee of {company}."),
        role => format!("You are {name}, an AI employee of {company}. Your role: {role}."),
    }
}

const fn role(speaker: Speaker) -> Role {
    match speaker {
        Speaker::Person => Role::User,
        Speaker::Employee => Role::Assistant,
    }
}

/// Several messages of one side become one: some models insist on taking turns, and on the person beginning.
fn push(messages: &mut Vec<Message>, role: Role, text: &str) {
    match messages.last_mut() {
        Some(last) if last.role == role => {
            last.content.push_str("\n\n");
            last.content.push_str(text);
        }
        Some(last) if last.role == Role::System && role == Role::Assistant => {}
        _ => messages.push(Message::new(role, text)),
    }
}

/// The newest of the texts that fit. The very newest is always there, cut if it must be.
fn newest<'a>(texts: &[&'a str], budget: usize) -> Vec<&'a str> {
    let mut room = budget;
    let mut kept = Vec::new();
    for text in texts.iter().rev() {
        let length = text.chars().count();
        if length > room && !kept.is_empty() {
            break;
        }
        kept.push(truncate(text, room));
        room = room.saturating_sub(length);
    }
    kept.reverse();
    kept
}

/// The newest lines that fit whole.
fn fitting(window: &[HistoryLine], room: usize) -> &[HistoryLine] {
    let mut used = 0;
    let fits = window.iter().rev().take_while(|line| {
        used += line.text.chars().count();
        used <= room
    });
    &window[window.len() - fits.count()..]
}

#[cfg(test)]
mod tests;
