//! Conversations of an agent with a runtime of its own, and those of the others.

use std::collections::BTreeSet;
use std::time::Duration;

use konstruct_domain::Kind;
use konstruct_domain::snapshot::{AgentSnapshot, ConnectionSnapshot};
use konstruct_store::TenantStore;

use crate::world::{PASSWORD, World, message, web_chat};

const LEASE: Duration = Duration::from_secs(30);
const CONVERSATIONS: u32 = 20;

fn agent(name: &str, dedicated: bool) -> AgentSnapshot {
    AgentSnapshot {
        name: name.parse().unwrap(),
        display_name: name.to_owned(),
        role: String::new(),
        persona: String::new(),
        instructions: String::new(),
        models: Vec::new(),
        window_messages: 0,
        dedicated,
        paused: false,
    }
}

async fn publish(world: &World, name: &str, dedicated: bool) {
    let snapshot = agent(name, dedicated);
    world.operator.publish(world.acme.id, Kind::Agent, name, &snapshot, &[]).await.unwrap();
}

async fn write_to(world: &World, agent: &str, conversations: u32) {
    let connection = ConnectionSnapshot {
        name: format!("web-{agent}").parse().unwrap(),
        agent: agent.parse().unwrap(),
        ..web_chat()
    };
    for number in 0..conversations {
        let message = message(&format!("{agent}/{number}"), 1);
        world.gateway.accept(world.acme.id, &connection, &message).await.unwrap();
    }
}

fn dedicated_to(world: &World, agent: &str) -> TenantStore {
    let url = world.database.url_for(&world.acme.slug.database_role(), PASSWORD);
    TenantStore::connect(&url).unwrap().dedicated_to(agent.parse().unwrap())
}

/// Whose conversations a runtime takes until it finds no more, and how many.
async fn take_all(runtime: TenantStore) -> (BTreeSet<String>, u32) {
    let (mut agents, mut taken) = (BTreeSet::new(), 0);
    while let Some(claim) = runtime.claim("worker", LEASE).await.unwrap() {
        agents.insert(claim.agent.to_string());
        taken += 1;
    }
    (agents, taken)
}

#[tokio::test]
async fn runtimes_that_look_at_the_same_time_take_nothing_of_one_another() {
    let world = World::new().await;
    for (name, dedicated) in [("ada", true), ("grace", false), ("kim", true)] {
        publish(&world, name, dedicated).await;
        write_to(&world, name, CONVERSATIONS).await;
    }
    // Not there any more, or never: the shared runtime says so to the person.
    write_to(&world, "nobody", CONVERSATIONS).await;
    let (shared, other_shared, ada, kim) = tokio::join!(
        take_all(world.acme.runtime.clone()),
        take_all(world.acme.runtime.clone()),
        take_all(dedicated_to(&world, "ada")),
        take_all(dedicated_to(&world, "kim")),
    );
    assert_eq!(ada, (BTreeSet::from(["ada".to_owned()]), CONVERSATIONS));
    assert_eq!(kim, (BTreeSet::from(["kim".to_owned()]), CONVERSATIONS));
    assert_eq!(shared.1 + other_shared.1, 2 * CONVERSATIONS);
    let ours: BTreeSet<String> = shared.0.union(&other_shared.0).cloned().collect();
    assert_eq!(ours, BTreeSet::from(["grace".to_owned(), "nobody".to_owned()]));
}

#[tokio::test]
async fn what_waits_goes_with_the_agent_to_whoever_it_belongs_to_then() {
    let world = World::new().await;
    let (shared, own) = (world.acme.runtime.clone(), dedicated_to(&world, "ada"));
    publish(&world, "ada", true).await;
    write_to(&world, "ada", 2).await;
    assert!(shared.claim("shared", LEASE).await.unwrap().is_none());
    let claim = own.claim("own", LEASE).await.unwrap().unwrap();

    publish(&world, "ada", false).await;
    let (of_shared, of_own) = tokio::join!(take_all(shared.clone()), take_all(own.clone()));
    assert_eq!((of_shared.1, of_own.1), (1, 0), "and what is being worked on stays where it is");
    own.renew(&claim, LEASE).await.unwrap();
    own.retry_later(&claim, Duration::ZERO).await.unwrap();
    assert!(own.claim("own", LEASE).await.unwrap().is_none());
    assert!(shared.claim("shared", LEASE).await.unwrap().is_some());

    write_to(&world, "grace", 1).await;
    publish(&world, "grace", true).await;
    world.operator.withdraw(world.acme.id, Kind::Agent, "grace").await.unwrap();
    assert_eq!(take_all(dedicated_to(&world, "grace")).await.1, 0);
    assert_eq!(take_all(shared).await.1, 1, "nobody else would tell the person");
}
