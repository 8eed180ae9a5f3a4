//! Replies that show while they are written, pictures, and employees that are paused.

use std::time::Duration;

use konstruct_domain::ConversationId;
use konstruct_domain::ids::ReplyId;
use konstruct_domain::message::Attachment;
use konstruct_domain::snapshot::AgentSnapshot;
use konstruct_queue::Signal;
use konstruct_store::{KeptFile, NewPicture};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::ai_gateway::{AGENT, Mood};
use crate::employee;
use crate::world::{FIRST_CONTACT, World, eventually, timing};

fn conversation(world: &World, key: &str) -> ConversationId {
    ConversationId::derive(world.tenant, &employee::connection(AGENT).name, key)
}

#[tokio::test]
async fn a_reply_shows_while_it_is_written_to_who_looks_and_says_who_writes() {
    let world = World::new().await;
    let _running = world.start(timing());
    let (watched, other) = (conversation(&world, "watched"), conversation(&world, "other"));
    let mut partials = world.bus.partials(CancellationToken::new());
    // The subscription may take a moment; what is written before it is lost, as it may be.
    eventually("the subscription", async || {
        world.bus.publish_partial(world.tenant, other, ReplyId::derive(other, 1), "listening?").await;
        (!partials.is_empty()).then_some(())
    })
    .await;
    while partials.try_recv().is_ok() {}
    world.bus.watch(world.tenant, watched).await;
    world.ai_gateway.set(Mood::Says("One two three".into()));
    world.say("watched", "Count").await;
    // The last of what was written for the subscription may still be on its way, and other tests write, too.
    let mut shown = partials.recv().await.unwrap();
    while shown.tenant != world.tenant || shown.text == "listening?" {
        shown = partials.recv().await.unwrap();
    }
    assert_eq!(shown.conversation, watched);
    assert!(shown.text.starts_with(FIRST_CONTACT), "{}", shown.text);
    assert_eq!(world.replies(1).await, [format!("{FIRST_CONTACT}One two three")]);
    let measured = "select tokens_in || '/' || tokens_out from konstruct.turn where tenant_id = $1";
    assert_eq!(world.column(measured).await, ["11/7"]);
    assert_eq!(world.ai_gateway.calls()[0]["stream"], true);

    world.say("other", "Count").await;
    world.replies(2).await;
    assert_eq!(world.ai_gateway.calls()[1]["stream"], false, "nobody looks at that one");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again_in_one_piece() {
    let world = World::new().await;
    let _running = world.start(timing());
    world.bus.watch(world.tenant, conversation(&world, "one")).await;
    world.ai_gateway.set(Mood::BreaksOff("Whole".into()));
    world.say("one", "Hello").await;
    assert_eq!(world.replies(1).await, [format!("{FIRST_CONTACT}Whole")]);
    let streamed: Vec<_> = world.ai_gateway.calls().iter().map(|call| call["stream"].clone()).collect();
    assert_eq!(streamed, [true, false]);
}

#[tokio::test]
async fn a_person_stops_an_answer_and_keeps_what_was_written() {
    let world = World::new().await;
    let _running = world.start(timing());
    let watched = conversation(&world, "one");
    world.bus.watch(world.tenant, watched).await;
    let mut partials = world.bus.partials(CancellationToken::new());
    let other = conversation(&world, "other");
    eventually("the subscription", async || {
        world.bus.publish_partial(world.tenant, other, ReplyId::derive(other, 1), "listening?").await;
        (!partials.is_empty()).then_some(())
    })
    .await;
    world.ai_gateway.set(Mood::NeverEnds("Once upon".into()));
    world.say("one", "Tell me a story").await;
    while partials.recv().await.unwrap().conversation != watched {}
    world.bus.publish(Signal::Stop(world.tenant, conversation(&world, "another"))).await;
    world.bus.publish(Signal::Stop(world.tenant, watched)).await;
    let reply = world.replies(1).await.remove(0);
    assert_eq!(reply, format!("{FIRST_CONTACT}Once upon\n\n_I've stopped, as you asked._"));
    assert_eq!(world.turns().await, ["stopped/1"]);
    world.ai_gateway.wait_for_given_up(1).await;

    // After the answer there is nothing to stop.
    world.bus.publish(Signal::Stop(world.tenant, watched)).await;
    world.ai_gateway.set(Mood::Says("The end".into()));
    world.say("one", "And then?").await;
    assert_eq!(world.replies(2).await[1], "The end");
}

#[tokio::test]
async fn an_answer_that_is_stopped_before_its_first_word_says_so() {
    let world = World::new().await;
    let _running = world.start(timing());
    world.ai_gateway.close_gate();
    let stopped = world.say("one", "Tell me a story").await;
    world.ai_gateway.wait_for_calls(1).await;
    world.bus.publish(Signal::Stop(world.tenant, stopped)).await;
    assert_eq!(world.replies(1).await, [format!("{FIRST_CONTACT}I've stopped, as you asked.")]);
}

#[tokio::test]
async fn pictures_are_named_to_the_models_door_with_what_was_said() {
    let world = World::new().await;
    let id = world.commit(AGENT, "one", "What is this?\n[picture]").await;
    let picture = Uuid::new_v4();
    let row = NewPicture {
        id: picture,
        conversation: id,
        connection: "website",
        media_type: "image/png",
        bytes: 1,
        width: 1,
        height: 1,
    };
    world.gateway.add_picture(world.tenant, row).await.unwrap();
    let message =
        world.column("select message_id from konstruct.delivery where tenant_id = $1").await.remove(0);
    assert!(world.gateway.attach_pictures(world.tenant, id, &message, &[picture]).await.unwrap());
    let _running = world.start(timing());
    world.replies(1).await;
    let call = world.ai_gateway.calls().remove(0);
    let content = &call["messages"][1]["content"];
    assert_eq!(content[0]["text"], "What is this?\n[picture]");
    assert_eq!(content[1]["image_url"]["url"], format!("media:{picture}"));
}

#[tokio::test]
async fn a_turn_begins_when_the_files_are_settled_and_tells_what_became_of_them() {
    let world = World::new().await;
    let attachment = |media_type: &str| Attachment {
        reference: "at the platform".to_owned(),
        media_type: Some(media_type.to_owned()),
        name: None,
        size: None,
        sha256: None,
    };
    let files = ["image/png", "image/png", "application/pdf"].map(attachment).to_vec();
    world.commit_with(AGENT, "one", "What are these?", files).await;
    let _running = world.start(timing());
    world.say("two", "Hello").await;
    world.replies(1).await;
    assert_eq!(world.ai_gateway.calls().len(), 1, "the other conversation waits for its files");

    let (gateway, tenant, lease) = (&world.gateway, world.tenant, Duration::from_mins(1));
    let mut picture = None;
    while let Some(file) = gateway.claim_file(tenant, lease).await.unwrap() {
        let kept = KeptFile { media_type: "image/png", bytes: 5, size: Some((1, 1)) };
        match (file.attachment.media_type.as_deref(), picture) {
            (Some("image/png"), None) => {
                picture = Some(file.id);
                gateway.file_kept(tenant, &file, kept).await.unwrap();
            }
            (Some("image/png"), Some(_)) => {
                gateway.file_gone(tenant, &file, "it has expired").await.unwrap();
            }
            _ => {
                let kept = KeptFile { media_type: "application/pdf", size: None, ..kept };
                gateway.file_kept(tenant, &file, kept).await.unwrap();
            }
        }
    }
    world.bus.publish(Signal::Inbox(tenant)).await;
    world.replies(2).await;
    let content = world.ai_gateway.calls()[1]["messages"][1]["content"].clone();
    let text = content[0]["text"].as_str().unwrap();
    assert!(text.starts_with("What are these?\n[") && text.lines().count() == 4, "{text}");
    for part in
        ["\n[picture]\n", "could not be fetched: it has expired.", "[a file: application/pdf, 5 bytes."]
    {
        assert!(format!("{text}\n").contains(part), "{part}: {text}");
    }
    assert_eq!(content[1]["image_url"]["url"], format!("media:{}", picture.unwrap()));
    assert_eq!(content.as_array().unwrap().len(), 2);
    let kept = "What are these?\n[picture]\n[picture]\n[file]".to_owned();
    assert!(world.history().await.contains(&kept), "without what was only for the model");
}

#[tokio::test]
async fn a_file_that_comes_too_late_for_its_turn_is_shown_in_the_next_and_in_no_other() {
    let world = World::new().await;
    let picture = Attachment {
        reference: "at the platform".to_owned(),
        media_type: Some("image/png".to_owned()),
        name: None,
        size: None,
        sha256: None,
    };
    world.commit_with(AGENT, "one", "What is this?", vec![picture]).await;
    world.change("update konstruct.conversation set files_until = now() where tenant_id = $1").await;
    let _running = world.start(timing());
    world.replies(1).await;
    let asked =
        |call: usize| world.ai_gateway.calls()[call]["messages"].as_array().unwrap().last().cloned().unwrap();
    assert!(asked(0)["content"].as_str().unwrap().contains("a picture that has not arrived yet"));

    let file = world.gateway.claim_file(world.tenant, Duration::from_mins(1)).await.unwrap().unwrap();
    let kept = KeptFile { media_type: "image/png", bytes: 5, size: Some((1, 1)) };
    world.gateway.file_kept(world.tenant, &file, kept).await.unwrap();
    world.say("one", "And now?").await;
    world.replies(2).await;
    let content = asked(1)["content"].clone();
    assert_eq!(content[0]["text"], "Sent earlier, and only here now: [picture]\nAnd now?");
    assert_eq!(content[1]["image_url"]["url"], format!("media:{}", file.id));
    world.say("one", "Thank you").await;
    world.replies(3).await;
    assert_eq!(asked(2)["content"], "Thank you");
}

#[tokio::test]
async fn what_a_paused_employee_is_asked_waits_and_no_try_is_counted() {
    let world = World::new().await;
    world.publish(&AgentSnapshot { paused: true, ..employee::agent("Be brief.") }).await;
    let _running = world.start(timing());
    world.say("one", "Anybody there?").await;
    let held = "select attempt::text from konstruct.conversation_state
                where tenant_id = $1 and retry_at > now() + interval '5 seconds' and lease_owner is null";
    eventually("the conversation is held", async || (world.column(held).await == ["0"]).then_some(())).await;
    assert!(world.replies_now().await.is_empty() && world.ai_gateway.calls().is_empty());

    world.publish(&employee::agent("Be brief.")).await;
    world.change("update konstruct.conversation_state set retry_at = now() where tenant_id = $1").await;
    world.bus.publish(Signal::Inbox(world.tenant)).await;
    eventually("the answer", async || (world.replies_now().await.len() == 1).then_some(())).await;
}
