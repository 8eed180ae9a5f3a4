//! One worker at a time, and no effect of any other.

use std::time::Duration;

use konstruct_runtime::Timing;

use crate::world::{FIRST_CONTACT, World, eventually, timing};

const STEAL: &str = "update konstruct.conversation_state
    set fence = fence + 1, lease_owner = 'thief', lease_until = now() + interval '1 hour' where tenant_id = $1";
const GIVE_BACK: &str =
    "update konstruct.conversation_state set lease_owner = null, lease_until = null where tenant_id = $1";

async fn assert_nothing_written(world: &World) {
    assert!(world.replies_now().await.is_empty() && world.history().await.is_empty());
    assert!(world.turns().await.is_empty());
    assert_eq!(world.inbox().await, ["pending"]);
}

#[tokio::test]
async fn a_lost_lease_ends_the_turn_while_the_model_thinks() {
    let world = World::new().await;
    world.ai_gateway.close_gate();
    let _running = world.start(Timing { lease: Duration::from_millis(600), ..timing() });
    world.say("one", "Hello").await;
    world.ai_gateway.wait_for_calls(1).await;
    world.change(STEAL).await;
    world.ai_gateway.wait_for_given_up(1).await;
    assert_nothing_written(&world).await;
    world.change(GIVE_BACK).await;
    world.ai_gateway.open_gate();
    world.say("two", "Wakes the runtime").await;
    world.replies(2).await;
}

#[tokio::test]
async fn an_answer_that_comes_after_the_lease_was_lost_is_not_written() {
    let world = World::new().await;
    world.ai_gateway.close_gate();
    let running = world.start(timing());
    world.say("one", "Hello").await;
    world.ai_gateway.wait_for_calls(1).await;
    world.change(STEAL).await;
    world.ai_gateway.open_gate();
    // Ends when the turn has ended.
    running.shut_down().await;
    assert_nothing_written(&world).await;
}

#[tokio::test]
async fn a_long_thought_keeps_its_lease() {
    let world = World::new().await;
    world.ai_gateway.close_gate();
    let lease = Duration::from_millis(600);
    let _one = world.start(Timing { lease, ..timing() });
    let _other = world.start(Timing { lease, ..timing() });
    world.say("one", "Hello").await;
    world.ai_gateway.wait_for_calls(1).await;
    tokio::time::sleep(lease * 3).await;
    world.say("two", "Both look for work").await;
    world.ai_gateway.wait_for_calls(2).await;
    world.ai_gateway.open_gate();
    world.replies(2).await;
    assert_eq!(world.ai_gateway.calls().len(), 2);
}

#[tokio::test]
async fn after_a_kill_another_runtime_answers_once() {
    let world = World::new().await;
    world.ai_gateway.close_gate();
    let timing = Timing { lease: Duration::from_secs(1), ..timing() };
    let killed = world.start(timing);
    world.say("one", "Hello").await;
    world.ai_gateway.wait_for_calls(1).await;
    killed.kill().await;
    world.ai_gateway.open_gate();
    let _successor = world.start(timing);
    assert_eq!(world.replies(1).await, [format!("{FIRST_CONTACT}You said: Hello")]);
    assert_eq!(world.turns().await, ["answered/1"]);
    assert_eq!(world.ai_gateway.calls().len(), 2);
}

#[tokio::test]
async fn shutdown_lets_a_turn_finish() {
    let world = World::new().await;
    world.ai_gateway.close_gate();
    let running = world.start(timing());
    world.say("one", "Hello").await;
    world.ai_gateway.wait_for_calls(1).await;
    let ended = tokio::spawn(running.shut_down());
    tokio::task::yield_now().await;
    world.ai_gateway.open_gate();
    ended.await.unwrap();
    assert_eq!(world.replies_now().await.len(), 1);
}

#[tokio::test]
async fn shutdown_hands_a_long_turn_over() {
    let world = World::new().await;
    world.ai_gateway.close_gate();
    let running = world.start(Timing { grace: Duration::from_millis(50), ..timing() });
    let successor = world.start(timing());
    eventually("both", async || successor.readiness.is_ready().then_some(())).await;
    world.say("one", "Hello").await;
    world.ai_gateway.wait_for_calls(1).await;
    // Either of them has the turn.
    running.shut_down().await;
    let held =
        "select coalesce(lease_owner, 'nobody') from konstruct.conversation_state where tenant_id = $1";
    let successor = if world.column(held).await == ["nobody"] { successor } else { world.start(timing()) };
    world.ai_gateway.open_gate();
    world.replies(1).await;
    successor.shut_down().await;
    assert_eq!(world.turns().await, ["answered/1"]);
}
