//! Configuration as it changes.

use konstruct_domain::Kind;
use konstruct_queue::{Event, Signal, Topics};
use tokio_util::sync::CancellationToken;

use crate::ai_gateway::AGENT;
use crate::employee;
use crate::world::{FIRST_CONTACT, World, eventually, timing};

#[tokio::test]
async fn the_next_reply_uses_a_changed_instruction() {
    let world = World::new().await;
    let _running = world.start(timing());
    world.say("one", "Hello").await;
    world.replies(1).await;
    let changed = employee::agent("Speak like a pirate.");
    world.publish(&changed).await;
    let expected = konstruct_domain::revision::Revision::of(&changed).unwrap();
    eventually("the runtime to load it", async || {
        let loaded = world.operator.standing(world.tenant, Kind::Agent, AGENT).await.unwrap().loaded;
        (loaded.as_ref() == Some(&expected)).then_some(())
    })
    .await;
    world.say("one", "Hello again").await;
    world.replies(2).await;
    let calls = world.ai_gateway.calls();
    let system = |index: usize| calls[index]["messages"][0]["content"].as_str().unwrap().to_owned();
    assert!(system(0).contains("Be brief.") && system(1).contains("Speak like a pirate."), "{calls:?}");
    let recorded =
        "select agent_revision from konstruct.turn where tenant_id = $1 order by finished_at desc limit 1";
    assert_eq!(world.column(recorded).await, [expected.as_str()]);
}

#[tokio::test]
async fn what_is_loaded_is_recorded_and_announced_also_for_an_agent_that_was_made_anew() {
    let world = World::new().await;
    let stop = CancellationToken::new();
    let mut heard = world.bus.subscribe(Topics::Operator, stop.clone());
    assert_eq!(heard.recv().await, Some(Event::Connected));
    let _running = world.start(timing());
    let loaded = async || world.operator.standing(world.tenant, Kind::Agent, AGENT).await.unwrap().loaded;
    eventually("the first load", async || loaded().await).await;
    while heard.recv().await != Some(Event::Signal(Signal::Loaded(world.tenant))) {}
    let tenant =
        world.operator.standing(world.tenant, Kind::Tenant, world.slug.as_str()).await.unwrap().loaded;
    assert!(tenant.is_some());

    // Both happen before the runtime looks: it sees the revision that it has.
    world.operator.withdraw(world.tenant, Kind::Agent, AGENT).await.unwrap();
    assert_eq!(loaded().await, None);
    world.publish(&employee::agent("Be brief.")).await;
    eventually("the record of the same revision", async || loaded().await).await;
}

#[tokio::test]
async fn an_agent_whose_wake_up_is_late_answers_all_the_same() {
    let world = World::new().await;
    world.operator.withdraw(world.tenant, Kind::Agent, AGENT).await.unwrap();
    let running = world.start(timing());
    eventually("the start", async || running.readiness.report().contains("ok configuration").then_some(()))
        .await;
    let agent = employee::agent("Be brief.");
    world.operator.publish(world.tenant, Kind::Agent, AGENT, &agent, &[]).await.unwrap();
    world.say("one", "Hello").await;
    assert_eq!(world.replies(1).await, [format!("{FIRST_CONTACT}You said: Hello")]);
}

#[tokio::test]
async fn a_message_for_nobody_is_parked_and_holds_back_only_its_own_conversation() {
    let world = World::new().await;
    let _running = world.start(timing());
    world.say_to("nobody", "lost", "Anyone there?").await;
    world.say("found", "Hello").await;
    let mut replies = world.replies(2).await;
    replies.sort();
    assert!(replies[0].starts_with("I'm Ada"), "{replies:?}");
    assert!(replies[1].starts_with("I'm an AI employee.\n\nSorry, something went wrong"), "{replies:?}");
    let reason = "select reason from konstruct.parked where tenant_id = $1";
    let reason = world.column(reason).await;
    assert!(reason[0].starts_with("agent \"nobody\" is not configured: apply it"), "{reason:?}");
    world.say_to("nobody", "lost", "Still nobody?").await;
    world.replies(3).await;
}

#[tokio::test]
async fn a_message_that_ended_every_runtime_that_took_it_is_parked() {
    let world = World::new().await;
    world.commit(AGENT, "one", "Hello").await;
    let tried = "insert into konstruct.conversation_state (tenant_id, conversation_id, fence, attempt)
                 select tenant_id, conversation_id, 5, 5 from konstruct.conversation where tenant_id = $1";
    world.change(tried).await;
    let _running = world.start(timing());
    let reply = world.replies(1).await.remove(0);
    assert!(reply.starts_with(&format!("{FIRST_CONTACT}Sorry, something went wrong")), "{reply}");
    assert_eq!(world.turns().await, ["parked/1"]);
    assert!(world.ai_gateway.calls().is_empty());
    world.say("one", "Hello again").await;
    assert_eq!(world.replies(2).await[1], "You said: Hello again");
}
