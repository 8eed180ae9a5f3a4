//! From a valid agent to its snapshot. Pure.

use konstruct_crds::{AgentSpec, AgentState, Isolation, Memory};
use konstruct_domain::snapshot::AgentSnapshot;

use super::validate::Validated;

pub fn snapshot(agent: &Validated) -> AgentSnapshot {
    // Named one by one: a field of the spec that nobody uses does not compile. The business function counts where a
    // ChannelConnection is compiled.
    let AgentSpec {
        display_name,
        role,
        persona,
        instructions,
        business_function: _,
        models: _,
        memory,
        isolation,
        state,
    } = &agent.spec;
    let Memory { window_messages } = memory;
    AgentSnapshot {
        name: agent.name.clone(),
        display_name: display_name.clone(),
        role: role.clone(),
        persona: persona.clone(),
        instructions: instructions.clone(),
        models: agent.models.clone(),
        window_messages: *window_messages,
        dedicated: *isolation == Isolation::Dedicated,
        paused: *state == AgentState::Paused,
    }
}
