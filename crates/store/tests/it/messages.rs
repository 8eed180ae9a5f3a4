//! Inbox, lease, turn and outbox.

use std::time::Duration;

use konstruct_domain::message::{Addressing, Speaker};
use konstruct_domain::revision::Revision;
use konstruct_domain::snapshot::{ConnectionSnapshot, Pause};
use konstruct_store::{Accepted, Error, Turn, TurnOutcome};

use crate::world::{World, message, web_chat};

const LEASE: Duration = Duration::from_secs(30);

pub(crate) fn answer(text: &str) -> Turn {
    Turn {
        reply: text.to_owned(),
        outcome: TurnOutcome::Answered,
        agent_revision: Revision::from_stored("0123456789abcdef".to_owned()),
        provider: Some("demo".to_owned()),
        model: Some("demo-1".to_owned()),
        tokens_in: 3,
        tokens_out: 5,
        elapsed: Duration::from_millis(12),
        files: Vec::new(),
    }
}

#[tokio::test]
async fn the_same_message_a_hundred_times_at_once_is_accepted_once() {
    let world = World::new().await;
    let (connection, message) = (web_chat(), message("c1", 1));
    let results =
        futures_join((0..100).map(|_| world.gateway.accept(world.acme.id, &connection, &message)).collect())
            .await;
    let new = results.iter().filter(|result| matches!(result, Ok(Accepted::New { .. }))).count();
    assert_eq!(new, 1);
    // On a busy machine some may have to wait too long for a connection: those are refused, and delivered again.
    let refused =
        |result: &Result<Accepted, Error>| result.as_ref().is_err_and(|error| !error.is_unavailable());
    assert!(!results.iter().any(refused), "{results:?}");
    let claim = world.acme.runtime.claim("worker", LEASE).await.unwrap().unwrap();
    assert_eq!(claim.messages.len(), 1);
}

/// Polls all of them together.
async fn futures_join<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut pinned: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut results: Vec<Option<F::Output>> = pinned.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut waiting = false;
        for (future, result) in pinned.iter_mut().zip(&mut results) {
            if result.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(output) => *result = Some(output),
                    std::task::Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    results.into_iter().map(Option::unwrap).collect()
}

#[tokio::test]
async fn one_message_in_two_events_is_accepted_once() {
    let world = World::new().await;
    let first = message("c1", 1);
    let mut second = first.clone();
    second.event_id = "another delivery".to_owned();
    let accept = |message| {
        let (gateway, connection, tenant) = (world.gateway.clone(), web_chat(), world.acme.id);
        async move { gateway.accept(tenant, &connection, &message).await.unwrap() }
    };
    assert!(matches!(accept(first).await, Accepted::New { .. }));
    assert_eq!(accept(second).await, Accepted::Duplicate);
}

#[tokio::test]
async fn a_follow_up_counts_only_where_the_employee_takes_part() {
    let world = World::new().await;
    let mut follow_up = message("thread", 2);
    follow_up.addressing = Addressing::FollowUp;
    let accepted = world.gateway.accept(world.acme.id, &web_chat(), &follow_up).await.unwrap();
    assert_eq!(accepted, Accepted::NotAddressed);
    world.gateway.accept(world.acme.id, &web_chat(), &message("thread", 1)).await.unwrap();
    let accepted = world.gateway.accept(world.acme.id, &web_chat(), &follow_up).await.unwrap();
    assert!(matches!(accepted, Accepted::New { .. }));
}

/// Senders of a suspended tenant hear of it once in each pause, and what they wrote is answered after it.
#[tokio::test]
async fn a_pause_is_told_once_and_loses_nothing() {
    let world = World::new().await;
    let paused = |id: &str| ConnectionSnapshot {
        pause: Some(Pause { id: id.to_owned(), notice: "Back soon.".to_owned() }),
        ..web_chat()
    };
    let accept = async |connection: ConnectionSnapshot, number: u32| {
        let accepted =
            world.gateway.accept(world.acme.id, &connection, &message("c1", number)).await.unwrap();
        match accepted {
            Accepted::New { notice, .. } => notice,
            other => panic!("{other:?}"),
        }
    };
    assert!(accept(paused("1"), 1).await);
    assert!(!accept(paused("1"), 2).await, "the same pause");
    assert!(accept(paused("2"), 3).await, "another pause");
    assert!(!accept(web_chat(), 4).await, "no pause");

    let first = world.gateway.claim_outbox(world.acme.id, "sender").await.unwrap().unwrap();
    assert_eq!(first.text, "Back soon.");
    let claim = world.acme.runtime.claim("worker", LEASE).await.unwrap().unwrap();
    assert_eq!(claim.messages.len(), 4, "all wait for an answer");
    // A notice that comes in while a turn is worked on: both keep their place.
    assert!(accept(paused("3"), 5).await);
    let completed = world.acme.runtime.complete(&claim, &answer("Here I am.")).await.unwrap();
    assert_eq!(completed.last_seq, 3 + 4 + 1);
    let lines = world.gateway.chat_lines(world.acme.id, claim.conversation, 0).await.unwrap();
    let seqs: Vec<i64> = lines.iter().map(|line| line.seq).collect();
    assert_eq!(seqs, (1..=8).collect::<Vec<i64>>(), "without gaps");
    assert_eq!(lines[7].text, "Here I am.");
}

#[tokio::test]
async fn text_that_postgresql_cannot_hold_is_kept_readable() {
    let world = World::new().await;
    let mut hostile = message("c1", 1);
    hostile.text = "a\0b".to_owned();
    world.gateway.accept(world.acme.id, &web_chat(), &hostile).await.unwrap();
    let claim = world.acme.runtime.claim("worker", LEASE).await.unwrap().unwrap();
    assert_eq!(claim.messages[0].text, "a\u{fffd}b");
}

#[tokio::test]
async fn a_turn_takes_all_that_waits_and_commits_everything_together() {
    let world = World::new().await;
    for number in 1..=3 {
        world.gateway.accept(world.acme.id, &web_chat(), &message("c1", number)).await.unwrap();
    }
    let runtime = &world.acme.runtime;
    let claim = runtime.claim("worker", LEASE).await.unwrap().unwrap();
    assert_eq!(
        claim.messages.iter().map(|m| m.text.as_str()).collect::<Vec<_>>(),
        ["message 1", "message 2", "message 3"]
    );
    assert!(runtime.claim("another", LEASE).await.unwrap().is_none(), "the conversation is leased");

    let completed = runtime.complete(&claim, &answer("hello")).await.unwrap();
    assert_eq!(completed.last_seq, 4);
    assert!(runtime.claim("worker", LEASE).await.unwrap().is_none(), "nothing waits");

    let lines = world.gateway.chat_lines(world.acme.id, claim.conversation, 2).await.unwrap();
    assert_eq!(lines.len(), 2);
    assert_eq!((lines[1].seq, lines[1].speaker, lines[1].text.as_str()), (4, Speaker::Employee, "hello"));
    let history = runtime.history(claim.conversation, 2).await.unwrap();
    assert_eq!(history[1].text, "hello");

    let item = world.gateway.claim_outbox(world.acme.id, "gateway").await.unwrap().unwrap();
    assert_eq!((item.text.as_str(), item.attempt, item.in_doubt), ("hello", 1, false));
    assert_eq!(item.reply, completed.reply);
    world.gateway.outbox_sent(world.acme.id, &item, Some("1.2")).await.unwrap();
    assert!(world.gateway.claim_outbox(world.acme.id, "gateway").await.unwrap().is_none());
}

#[tokio::test]
async fn a_lease_that_a_crash_has_made_forgotten_is_ended_by_the_first_commit() {
    let world = World::new().await;
    world.gateway.accept(world.acme.id, &web_chat(), &message("c1", 1)).await.unwrap();
    let runtime = &world.acme.runtime;
    let forgotten = runtime.claim("before", LEASE).await.unwrap().unwrap();
    // Leases are not waited for: PostgreSQL may come back without one.
    let mut admin = world.database.admin().await;
    sqlx::query("delete from konstruct.conversation_state").execute(&mut admin).await.unwrap();
    let current = runtime.claim("after", LEASE).await.unwrap().unwrap();
    assert_eq!(current.fence, forgotten.fence);

    runtime.complete(&forgotten, &answer("first")).await.unwrap();
    assert!(matches!(runtime.complete(&current, &answer("second")).await, Err(Error::LeaseLost)));
    let lines = world.gateway.chat_lines(world.acme.id, current.conversation, 0).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["message 1", "first"]);
    assert!(runtime.claim("after", LEASE).await.unwrap().is_none(), "nothing waits");
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_writes_nothing() {
    let world = World::new().await;
    world.gateway.accept(world.acme.id, &web_chat(), &message("c1", 1)).await.unwrap();
    let runtime = &world.acme.runtime;
    let late = runtime.claim("late", Duration::from_millis(1)).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let current = runtime.claim("current", LEASE).await.unwrap().unwrap();
    assert_eq!(current.attempt, 2);

    for result in [
        runtime.complete(&late, &answer("late")).await.map(|_| ()),
        runtime.renew(&late, LEASE).await,
        runtime.retry_later(&late, Duration::ZERO).await,
    ] {
        assert!(matches!(result, Err(Error::LeaseLost)), "{result:?}");
    }
    runtime.complete(&current, &answer("current")).await.unwrap();
    assert!(matches!(runtime.complete(&current, &answer("twice")).await, Err(Error::LeaseLost)));
    let lines = world.gateway.chat_lines(world.acme.id, current.conversation, 0).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["message 1", "current"]);
}

#[tokio::test]
async fn replies_of_a_conversation_are_sent_in_order_and_a_dead_one_does_not_block() {
    let world = World::new().await;
    let (gateway, runtime, tenant) = (&world.gateway, &world.acme.runtime, world.acme.id);
    for number in 1..=2 {
        gateway.accept(tenant, &web_chat(), &message("c1", number)).await.unwrap();
        let claim = runtime.claim("worker", LEASE).await.unwrap().unwrap();
        runtime.complete(&claim, &answer(&format!("reply {number}"))).await.unwrap();
    }
    let first = gateway.claim_outbox(tenant, "a").await.unwrap().unwrap();
    assert_eq!(first.text, "reply 1");
    assert!(gateway.claim_outbox(tenant, "b").await.unwrap().is_none(), "the second waits for the first");

    gateway.outbox_retry(tenant, &first, Duration::ZERO, "timeout", false, true).await.unwrap();
    let again = gateway.claim_outbox(tenant, "b").await.unwrap().unwrap();
    assert_eq!((again.reply, again.attempt, again.in_doubt), (first.reply, 2, true));
    assert!(matches!(gateway.outbox_sent(tenant, &first, None).await, Err(Error::LeaseLost)));

    gateway.outbox_dead(tenant, &again, "msg_too_long").await.unwrap();
    let second = gateway.claim_outbox(tenant, "b").await.unwrap().unwrap();
    assert_eq!(second.text, "reply 2");
}

#[tokio::test]
async fn a_crash_while_sending_leaves_the_reply_in_doubt() {
    let world = World::new().await;
    let (gateway, runtime, tenant) = (&world.gateway, &world.acme.runtime, world.acme.id);
    gateway.accept(tenant, &web_chat(), &message("c1", 1)).await.unwrap();
    let claim = runtime.claim("worker", LEASE).await.unwrap().unwrap();
    runtime.complete(&claim, &answer("reply")).await.unwrap();
    gateway.claim_outbox(tenant, "crashes").await.unwrap().unwrap();
    let mut admin = world.database.admin().await;
    sqlx::raw_sql("update konstruct.outbox set lease_until = now() - interval '1 s'")
        .execute(&mut admin)
        .await
        .unwrap();
    assert_eq!(gateway.tenants_with_due_outbox().await.unwrap(), [tenant]);
    assert!(gateway.claim_outbox(tenant, "next").await.unwrap().unwrap().in_doubt);
}

#[tokio::test]
async fn the_sweep_finds_only_tenants_whose_messages_wait() {
    let world = World::new().await;
    assert!(world.gateway.tenants_with_waiting_inbox(Duration::ZERO).await.unwrap().is_empty());
    world.gateway.accept(world.globex.id, &web_chat(), &message("c1", 1)).await.unwrap();
    assert_eq!(world.gateway.tenants_with_waiting_inbox(Duration::ZERO).await.unwrap(), [world.globex.id]);
    assert!(world.gateway.tenants_with_waiting_inbox(Duration::from_mins(1)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_retried_conversation_waits_and_a_parked_message_does_not_come_back() {
    let world = World::new().await;
    let runtime = &world.acme.runtime;
    world.gateway.accept(world.acme.id, &web_chat(), &message("c1", 1)).await.unwrap();
    let claim = runtime.claim("worker", LEASE).await.unwrap().unwrap();
    runtime.retry_later(&claim, Duration::from_mins(1)).await.unwrap();
    assert!(runtime.claim("worker", LEASE).await.unwrap().is_none());
    let mut admin = world.database.admin().await;
    sqlx::raw_sql("update konstruct.conversation_state set retry_at = now()")
        .execute(&mut admin)
        .await
        .unwrap();
    let claim = runtime.claim("worker", LEASE).await.unwrap().unwrap();
    assert_eq!(claim.attempt, 2);
    runtime.give_back(&claim, Duration::ZERO).await.unwrap();
    let claim = runtime.claim("worker", LEASE).await.unwrap().unwrap();
    assert_eq!(claim.attempt, 2, "a try that was given back has counted");
    let parked =
        Turn { outcome: TurnOutcome::Parked { reason: "TooManyFailures".to_owned() }, ..answer("sorry") };
    runtime.complete(&claim, &parked).await.unwrap();
    assert!(runtime.claim("worker", LEASE).await.unwrap().is_none());
    let reason: String =
        sqlx::query_scalar("select reason from konstruct.parked").fetch_one(&mut admin).await.unwrap();
    assert_eq!(reason, "TooManyFailures");
}
