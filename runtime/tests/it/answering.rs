//! Messages in, replies out.

use crate::ai_gateway::{AGENT, Mood};
use crate::world::{FIRST_CONTACT, World, eventually, timing};

#[tokio::test]
async fn a_message_is_answered_once_and_the_first_reply_discloses() {
    let world = World::new().await;
    let running = world.start(timing());
    world.say("one", "Hello").await;
    assert_eq!(world.replies(1).await, [format!("{FIRST_CONTACT}You said: Hello")]);
    world.say("one", "Again").await;
    let replies = world.replies(2).await;
    assert_eq!(replies[1], "You said: Again", "without the introduction");
    assert_eq!(world.turns().await, ["answered/1", "answered/1"]);
    assert_eq!(world.inbox().await, ["done", "done"]);
    let measured =
        "select provider || '/' || model || '/' || tokens_in || '/' || tokens_out from konstruct.turn
                    where tenant_id = $1 limit 1";
    assert_eq!(world.column(measured).await, ["demo/demo-1/11/7"]);
    eventually("readiness", async || running.readiness.is_ready().then_some(())).await;
    running.shut_down().await;
}

#[tokio::test]
async fn what_waited_in_a_conversation_becomes_one_turn() {
    let world = World::new().await;
    for text in ["Is there", "any", "parking?"] {
        world.commit(AGENT, "one", text).await;
    }
    let _running = world.start(timing());
    assert_eq!(world.replies(1).await, [format!("{FIRST_CONTACT}You said: Is there\n\nany\n\nparking?")]);
    assert_eq!(world.turns().await, ["answered/3"]);
}

#[tokio::test]
async fn a_message_during_a_turn_is_answered_after_it() {
    let world = World::new().await;
    world.ai_gateway.close_gate();
    let _running = world.start(timing());
    world.say("one", "First").await;
    world.ai_gateway.wait_for_calls(1).await;
    world.say("one", "Second").await;
    world.ai_gateway.open_gate();
    let replies = world.replies(2).await;
    assert_eq!(replies[1], "You said: Second");
    let before = format!("assistant: {FIRST_CONTACT}You said: First");
    assert_eq!(world.ai_gateway.last_conversation(), ["user: First", &before, "user: Second"]);
}

#[tokio::test]
async fn the_window_slides() {
    let world = World::new().await;
    let _running = world.start(timing());
    for (count, text) in ["a", "b", "c", "d"].into_iter().enumerate() {
        world.say("one", text).await;
        world.replies(count + 1).await;
    }
    // Four lines are remembered.
    assert_eq!(
        world.ai_gateway.last_conversation(),
        ["user: b", "assistant: You said: b", "user: c", "assistant: You said: c", "user: d"]
    );
}

#[tokio::test]
async fn two_runtimes_share_the_work_and_answer_each_message_once() {
    let world = World::new().await;
    let _one = world.start(timing());
    let _other = world.start(timing());
    for round in 0..3 {
        for number in 0..20 {
            world.say(&format!("conversation-{number}"), &format!("{number}/{round}")).await;
        }
    }
    eventually("all messages done", async || {
        world.inbox().await.iter().all(|state| state == "done").then_some(())
    })
    .await;
    let asked = "select string_agg(body, ' ' order by seq) from konstruct.history
                 where tenant_id = $1 and speaker = 'person' group by conversation_id";
    let mut asked = world.column(asked).await;
    asked.sort();
    let mut expected: Vec<_> = (0..20).map(|number| format!("{number}/0 {number}/1 {number}/2")).collect();
    expected.sort();
    assert_eq!(asked, expected, "each message once, in order");
    let turns = world.turns().await.len();
    assert_eq!(world.replies_now().await.len(), turns);
}

#[tokio::test]
async fn what_a_model_may_not_say_does_not_reach_a_person() {
    let world = World::new().await;
    let _running = world.start(timing());
    world.ai_gateway.set(Mood::Says(" \0\n".into()));
    world.say("one", "Say nothing").await;
    assert_eq!(
        world.replies(1).await,
        [format!("{FIRST_CONTACT}I have no answer to that. Could you say it in other words?")]
    );
    world.ai_gateway.set(Mood::Says(format!("nul\0 {}", "x".repeat(100_000))));
    world.say("one", "Say much").await;
    let long = world.replies(2).await.remove(1);
    assert_eq!(long, format!("nul {}", "x".repeat(100_000)), "nothing else is lost");
}
