//! Many messages at once: batches, bursts, dead letters, and what is kept for how long.

use std::time::Duration;

use bytes::Bytes;
use konstruct_domain::TenantId;
use konstruct_domain::message::InboundMessage;
use konstruct_domain::revision::Revision;
use konstruct_store::{Accepted, Error, LetterAction, Store, Turn, TurnOutcome, Wanted};
use sqlx::Row;
use tokio::task::JoinSet;

use crate::world::{World, message, web_chat};

const LEASE: Duration = Duration::from_secs(30);

fn answer(text: &str) -> Turn {
    Turn {
        reply: text.to_owned(),
        outcome: TurnOutcome::Answered,
        agent_revision: Revision::from_stored("0123456789abcdef".to_owned()),
        provider: None,
        model: None,
        tokens_in: 0,
        tokens_out: 0,
        elapsed: Duration::ZERO,
        files: Vec::new(),
    }
}

fn wanted(conversations: usize, quiet: Duration) -> Wanted<'static> {
    Wanted { owner: "worker", lease: LEASE, quiet, conversations, messages: 50 }
}

/// All at the same time, so that they share transactions.
async fn accept_all(
    gateway: &Store,
    messages: Vec<(TenantId, InboundMessage)>,
) -> Vec<Result<Accepted, Error>> {
    let mut accepting = JoinSet::new();
    for (index, (tenant, message)) in messages.into_iter().enumerate() {
        let gateway = gateway.clone();
        accepting.spawn(async move { (index, gateway.accept(tenant, &web_chat(), &message).await) });
    }
    let mut results: Vec<_> = accepting.join_all().await;
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[tokio::test]
async fn messages_of_many_tenants_and_conversations_are_taken_in_together() {
    let world = World::new().await;
    let tenants = [&world.acme, &world.globex];
    let messages = (0..120).map(|number| {
        let tenant = tenants[number as usize % 2].id;
        (tenant, message(&format!("c{}", number % 7), number))
    });
    let results = accept_all(&world.gateway, messages.collect()).await;
    assert!(results.iter().all(|result| matches!(result, Ok(Accepted::New { .. }))), "{results:?}");
    for tenant in tenants {
        let claims = tenant.runtime.claim_many(wanted(100, Duration::ZERO)).await.unwrap();
        assert_eq!(claims.len(), 7);
        let texts: Vec<_> = claims.iter().flat_map(|claim| &claim.messages).map(|m| &m.text).collect();
        assert_eq!(texts.len(), 60);
        for claim in &claims {
            assert!(claim.messages.is_sorted_by_key(|message| message.inbox_id));
        }
        let mut settling = JoinSet::new();
        for claim in claims {
            let runtime = tenant.runtime.clone();
            settling.spawn(async move { runtime.complete(&claim, &answer("done")).await.unwrap().last_seq });
        }
        let lines: i64 = settling.join_all().await.into_iter().sum();
        assert_eq!(lines, 60 + 7);
        assert!(tenant.runtime.claim_many(wanted(100, Duration::ZERO)).await.unwrap().is_empty());
    }
}

/// A tenant that is not there cannot take anything in; its neighbours in the batch can.
#[tokio::test]
async fn a_poisoned_message_does_not_fail_the_others() {
    let world = World::new().await;
    let nobody = TenantId::from_slug(&"nobody".parse().unwrap());
    let messages = (0..30).map(|number| {
        (if number % 10 == 3 { nobody } else { world.acme.id }, message(&format!("c{number}"), number))
    });
    let results = accept_all(&world.gateway, messages.collect()).await;
    for (number, result) in results.iter().enumerate() {
        assert_eq!(result.is_err(), number % 10 == 3, "{number}: {result:?}");
    }
}

#[tokio::test]
async fn nothing_is_taken_in_behind_the_back_of_an_erasure() {
    let world = World::new().await;
    world.gateway.accept(world.acme.id, &web_chat(), &message("c", 1)).await.unwrap();
    let mut erasing = world.database.admin().await;
    sqlx::query("select pg_advisory_lock(konstruct.erasure($1))")
        .bind(world.acme.id.as_uuid())
        .execute(&mut erasing)
        .await
        .unwrap();
    let refused = world.gateway.accept(world.acme.id, &web_chat(), &message("c", 2)).await;
    assert!(matches!(refused, Err(Error::TenantLeaving)), "{refused:?}");
    world.gateway.accept(world.globex.id, &web_chat(), &message("c", 1)).await.unwrap();
}

#[tokio::test]
async fn a_burst_is_answered_in_one_go_and_nobody_waits_for_ever() {
    let world = World::new().await;
    let (gateway, runtime) = (&world.gateway, &world.acme.runtime);
    for number in 1..=3 {
        gateway.accept(world.acme.id, &web_chat(), &message("burst", number)).await.unwrap();
    }
    let quiet = Duration::from_mins(1);
    assert!(runtime.claim_many(wanted(10, quiet)).await.unwrap().is_empty(), "it has not rested");
    let mut admin = world.database.admin().await;
    let age = async |statement: &'static str| {
        sqlx::raw_sql(statement).execute(&mut world.database.admin().await).await.unwrap();
    };
    // Somebody goes on writing: the last message is fresh, the first is ten quiet times old.
    age("update konstruct.inbox set received_at = now() - interval '11 min'
         where inbox_id = (select min(inbox_id) from konstruct.inbox)")
    .await;
    let claims = runtime.claim_many(wanted(10, quiet)).await.unwrap();
    assert_eq!(claims[0].messages.len(), 3);
    runtime.complete(&claims[0], &answer("one answer")).await.unwrap();

    gateway.accept(world.acme.id, &web_chat(), &message("burst", 4)).await.unwrap();
    age("update konstruct.inbox set received_at = now() - interval '61 s'").await;
    assert_eq!(runtime.claim_many(wanted(10, quiet)).await.unwrap().len(), 1, "it has rested");
    let waiting: i64 =
        sqlx::query("select count(*) from konstruct.inbox").fetch_one(&mut admin).await.unwrap().get(0);
    assert_eq!(waiting, 1, "what is answered has left the inbox");
}

/// After a turn only its own conversation is looked at, however much waits elsewhere.
#[tokio::test]
async fn a_conversation_whose_turn_ended_is_leased_again_without_a_look_at_the_others() {
    let world = World::new().await;
    let (gateway, runtime) = (&world.gateway, &world.acme.runtime);
    let waiting = [("one", 1), ("one", 2), ("other", 3)];
    for (conversation, number) in waiting {
        gateway.accept(world.acme.id, &web_chat(), &message(conversation, number)).await.unwrap();
    }
    let one_message = Wanted { messages: 1, ..wanted(1, Duration::ZERO) };
    let first = runtime.claim_many(one_message).await.unwrap().remove(0);
    let again = async |wanted| runtime.claim_of(&[first.conversation], wanted).await.unwrap();
    assert!(again(one_message).await.is_empty(), "it is leased");
    runtime.complete(&first, &answer("one")).await.unwrap();

    let rested = Wanted { quiet: Duration::from_mins(1), ..one_message };
    assert!(again(rested).await.is_empty(), "it has not rested");
    let theirs = world.globex.runtime.claim_of(&[first.conversation], one_message).await.unwrap();
    assert!(theirs.is_empty(), "another tenant's");
    let second = again(one_message).await.remove(0);
    assert_eq!((second.conversation, second.fence), (first.conversation, first.fence + 1));
    assert_eq!(second.messages.len(), 1);
    assert_ne!(second.messages, first.messages);
    runtime.complete(&second, &answer("two")).await.unwrap();

    assert!(again(one_message).await.is_empty(), "the other conversation is not its business");
    assert_eq!(runtime.claim_many(one_message).await.unwrap().len(), 1, "it waits as before");
}

#[tokio::test]
async fn a_dead_letter_is_listed_sent_again_or_dropped_and_that_is_recorded() {
    let world = World::new().await;
    let (gateway, operator, tenant) = (&world.gateway, &world.operator, world.acme.id);
    for number in 1..=3 {
        gateway.accept(tenant, &web_chat(), &message(&format!("c{number}"), 1)).await.unwrap();
        let claim = world.acme.runtime.claim("worker", LEASE).await.unwrap().unwrap();
        world.acme.runtime.complete(&claim, &answer("reply")).await.unwrap();
        let item = gateway.claim_outbox(tenant, "g").await.unwrap().unwrap();
        gateway.outbox_dead(tenant, &item, "channel_not_found").await.unwrap();
    }
    let letters = operator.dead_letters(tenant).await.unwrap();
    assert_eq!(letters.len(), 3);
    assert_eq!((letters[0].reason.as_str(), letters[0].attempt), ("channel_not_found", 1));
    assert!(operator.dead_letters(world.globex.id).await.unwrap().is_empty());

    let one = [letters[0].reply];
    let done = operator.resolve_dead_letters(tenant, Some(&one), LetterAction::Retry, "operator/eve").await;
    assert_eq!(done.unwrap(), one);
    let again = operator.resolve_dead_letters(tenant, Some(&one), LetterAction::Retry, "operator/eve").await;
    assert!(again.unwrap().is_empty(), "it waits to be sent");
    let item = gateway.claim_outbox(tenant, "g").await.unwrap().unwrap();
    assert_eq!((item.reply, item.attempt), (one[0], 1));
    let dropped = operator.resolve_dead_letters(tenant, None, LetterAction::Drop, "operator/eve").await;
    assert_eq!(dropped.unwrap().len(), 2);
    let depth = operator.outbox_depth(tenant).await.unwrap();
    assert_eq!((depth.pending, depth.dead), (1, 0));
    let recorded: i64 = sqlx::query(
        "select count(*) from konstruct.audit where actor = 'operator/eve' and action in ('outbox.retry', 'outbox.drop')",
    )
    .fetch_one(&mut world.database.admin().await)
    .await
    .unwrap()
    .get(0);
    assert_eq!(recorded, 3);
}

#[tokio::test]
async fn deliveries_are_kept_for_their_time_and_longer_under_a_legal_hold() {
    let world = World::new().await;
    let payload = b"{\"as\": \"it came\"}".as_slice();
    for tenant in [world.acme.id, world.globex.id] {
        let message = InboundMessage { raw: Bytes::from_static(payload), ..message("c", 1) };
        world.gateway.accept(tenant, &web_chat(), &message).await.unwrap();
    }
    let mut admin = world.database.admin().await;
    let kept: Vec<u8> = sqlx::query("select payload from konstruct.delivery limit 1")
        .fetch_one(&mut admin)
        .await
        .unwrap()
        .get(0);
    assert_eq!(kept, payload);
    sqlx::raw_sql("update konstruct.delivery set received_at = now() - interval '15 days'")
        .execute(&mut admin)
        .await
        .unwrap();
    sqlx::query("update konstruct.tenant set legal_hold = true where tenant_id = $1")
        .bind(world.globex.id.as_uuid())
        .execute(&mut admin)
        .await
        .unwrap();
    let days = |days: u64| Duration::from_hours(24 * days);
    assert_eq!(world.gateway.delete_expired(world.acme.id, days(16)).await.unwrap(), 0);
    assert_eq!(world.gateway.delete_expired(world.acme.id, days(14)).await.unwrap(), 1);
    assert_eq!(world.gateway.delete_expired(world.globex.id, days(14)).await.unwrap(), 0, "legal hold");
}
