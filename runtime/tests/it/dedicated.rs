//! An agent with a runtime of its own, beside the tenant's shared one.

use konstruct_domain::Kind;
use konstruct_domain::snapshot::AgentSnapshot;

use crate::ai_gateway::{AGENT, COLLEAGUE};
use crate::employee;
use crate::world::{World, eventually, timing};

/// The colleague shares the tenant's pod.
async fn world() -> World {
    let world = World::new().await;
    world.publish(&agent(COLLEAGUE, false)).await;
    world.publish(&agent(AGENT, true)).await;
    world
}

fn agent(name: &str, dedicated: bool) -> AgentSnapshot {
    AgentSnapshot { name: name.parse().unwrap(), dedicated, ..employee::agent("Be brief.") }
}

const ANSWERED: &str =
    "select c.agent from konstruct.turn t join konstruct.conversation c using (tenant_id, conversation_id)
     where t.tenant_id = $1 and t.outcome = 'answered' order by t.finished_at";

async fn answered(world: &World, agents: &[&str]) {
    let turns = eventually(&format!("turns of {agents:?}"), async || {
        let turns = world.column(ANSWERED).await;
        (turns.len() >= agents.len()).then_some(turns)
    })
    .await;
    assert_eq!(turns, agents);
}

async fn loaded(world: &World, kind: Kind, name: &str) -> bool {
    world.operator.standing(world.tenant, kind, name).await.unwrap().loaded.is_some()
}

#[tokio::test]
async fn each_runtime_answers_for_its_own_agents_and_speaks_for_nobody_else() {
    let world = world().await;
    world.commit(AGENT, "one", "Hello").await;
    let _shared = world.start(timing());
    world.say_to(COLLEAGUE, "two", "Hello").await;
    // The shared runtime passes by the message that has waited longer.
    answered(&world, &[COLLEAGUE]).await;
    assert_eq!(world.inbox().await, ["pending", "done"]);
    assert!(loaded(&world, Kind::Agent, COLLEAGUE).await && !loaded(&world, Kind::Agent, AGENT).await);

    let own = world.start_for(AGENT);
    answered(&world, &[COLLEAGUE, AGENT]).await;
    eventually("its record", async || loaded(&world, Kind::Agent, AGENT).await.then_some(())).await;
    eventually("readiness", async || own.readiness.is_ready().then_some(())).await;
}

#[tokio::test]
async fn a_dedicated_runtime_alone_does_not_speak_for_the_tenant() {
    let world = world().await;
    let _own = world.start_for(AGENT);
    world.say_to(COLLEAGUE, "two", "Hello").await;
    world.say("one", "Hello").await;
    answered(&world, &[AGENT]).await;
    assert_eq!(world.inbox().await, ["pending", "done"]);
    assert!(!loaded(&world, Kind::Tenant, world.slug.as_str()).await);
    assert!(!loaded(&world, Kind::Agent, COLLEAGUE).await);
}

#[tokio::test]
async fn what_waits_for_an_agent_is_answered_when_it_moves_back_and_nobody_writes_again() {
    let world = world().await;
    let own = world.start_for(AGENT);
    world.say("one", "Hello").await;
    answered(&world, &[AGENT]).await;
    own.shut_down().await;
    let _shared = world.start(timing());
    world.say("one", "Still there?").await;
    world.say_to(COLLEAGUE, "two", "Hello").await;
    answered(&world, &[AGENT, COLLEAGUE]).await;

    world.publish(&agent(AGENT, false)).await;
    answered(&world, &[AGENT, COLLEAGUE, AGENT]).await;
    assert_eq!(world.inbox().await, ["done", "done", "done"]);
}
