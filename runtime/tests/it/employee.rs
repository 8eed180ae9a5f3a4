//! Snapshots for tests.

use konstruct_domain::snapshot::{
    AgentSnapshot, ChannelSnapshot, ConnectionSnapshot, Manners, ModelChoice, ProviderOwner, WebChatSnapshot,
};

use crate::ai_gateway::AGENT;

pub(crate) fn agent(instructions: &str) -> AgentSnapshot {
    let model = ModelChoice {
        provider: "demo".parse().unwrap(),
        owner: ProviderOwner::Tenant,
        model: "demo-1".into(),
        max_output_tokens: 1024,
        temperature_milli: None,
    };
    AgentSnapshot {
        name: AGENT.parse().unwrap(),
        display_name: "Ada".into(),
        role: "Front desk".into(),
        persona: "Friendly.".into(),
        instructions: instructions.into(),
        models: vec![model],
        window_messages: 4,
        dedicated: false,
        paused: false,
    }
}

pub(crate) fn connection(agent: &str) -> ConnectionSnapshot {
    ConnectionSnapshot {
        name: "website".parse().unwrap(),
        agent: agent.parse().unwrap(),
        public_id: "public".into(),
        channel: ChannelSnapshot::WebChat(WebChatSnapshot {
            title: "Chat".into(),
            ..WebChatSnapshot::default()
        }),
        pause: None,
        manners: Manners::default(),
    }
}
