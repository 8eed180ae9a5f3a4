//! What platforms tell, in any order and any number of times.

use std::time::Duration;

use konstruct_domain::delivery::{Contact, DeliveryStatus, Progress, ReplyPart};
use konstruct_domain::ids::ReplyId;
use konstruct_store::Reported;
use uuid::Uuid;

use crate::messages::answer;
use crate::world::{World, message, web_chat};

fn status(progress: Progress, part: Option<ReplyPart>) -> DeliveryStatus {
    DeliveryStatus {
        message_id: "wamid.1".to_owned(),
        progress,
        at: Some(1),
        part,
        pricing: None,
        failure: None,
    }
}

fn person(user_id: Option<&str>, phone: Option<&str>) -> Contact {
    Contact { user_id: user_id.map(str::to_owned), phone: phone.map(str::to_owned), ..Contact::default() }
}

#[tokio::test]
async fn how_far_a_message_has_come_only_grows() {
    let world = World::new().await;
    let (acme, gateway, web) = (world.acme.id, &world.gateway, "web".parse().unwrap());
    let mut reported = Vec::new();
    for progress in [Progress::Delivered, Progress::Sent, Progress::Failed, Progress::Read, Progress::Read] {
        reported.push(gateway.record_status(acme, &web, &status(progress, None)).await.unwrap());
    }
    let (nothing, grown) = (Reported::Nothing, Reported::Progress);
    assert_eq!(reported, [grown, nothing, nothing, grown, nothing]);
}

#[tokio::test]
async fn a_report_settles_a_part_whose_fate_was_not_known() {
    let world = World::new().await;
    let (acme, gateway, web) = (world.acme.id, &world.gateway, "web".parse().unwrap());
    let part = ReplyPart { reply: ReplyId::new(Uuid::from_u128(7)), part: 1 };
    gateway.part_begins(acme, part.reply, 1).await.unwrap();
    assert_eq!(gateway.parts(acme, part.reply).await.unwrap()[0].message_id, None);
    let sent = gateway.record_status(acme, &web, &status(Progress::Sent, Some(part))).await.unwrap();
    assert_eq!(sent, Reported::ReplyResolved);
    assert_eq!(gateway.parts(acme, part.reply).await.unwrap()[0].message_id.as_deref(), Some("wamid.1"));
    // Whoever believes that it was refused comes too late.
    gateway.part_not_taken(acme, part.reply, 1).await.unwrap();
    gateway.part_begins(acme, part.reply, 1).await.unwrap();
    assert_eq!(gateway.parts(acme, part.reply).await.unwrap()[0].message_id.as_deref(), Some("wamid.1"));
    assert!(gateway.parts(world.globex.id, part.reply).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_time_that_cannot_be_is_left_out() {
    let world = World::new().await;
    let (acme, gateway, web) = (world.acme.id, &world.gateway, "web".parse().unwrap());
    for (at, progress) in [(i64::MAX, Progress::Sent), (i64::MIN, Progress::Delivered)] {
        let status = DeliveryStatus { at: Some(at), ..status(progress, None) };
        gateway.record_status(acme, &web, &status).await.unwrap();
    }
    let contact = Contact { window_until: Some(i64::MAX), ..person(Some("DE.1"), None) };
    gateway.meet(acme, &web, &contact).await.unwrap();
    assert_eq!(gateway.contact(acme, &web, "DE.1").await.unwrap().unwrap().window_until, None);
}

#[tokio::test]
async fn a_person_keeps_their_key_through_all_changes_and_a_window_never_shrinks() {
    let world = World::new().await;
    let (acme, gateway, web) = (world.acme.id, &world.gateway, "web".parse().unwrap());
    let by_number = Contact { window_until: Some(2_000), ..person(None, Some("49")) };
    assert_eq!(gateway.meet(acme, &web, &by_number).await.unwrap(), "49");
    let with_id = Contact { window_until: Some(1_000), ..person(Some("DE.1"), Some("49")) };
    assert_eq!(gateway.meet(acme, &web, &with_id).await.unwrap(), "49");
    assert!(
        gateway
            .rename(acme, &web, &person(Some("DE.1"), None), &person(Some("DE.2"), Some("50")))
            .await
            .unwrap()
    );
    let now = gateway.contact(acme, &web, "49").await.unwrap().unwrap();
    assert_eq!(
        (now.user_id.as_deref(), now.phone.as_deref(), now.window_until),
        (Some("DE.2"), Some("50"), Some(2_000))
    );
    // The old number and the old id belong to others now.
    assert_eq!(gateway.meet(acme, &web, &person(Some("DE.9"), Some("49"))).await.unwrap(), "DE.9");
    assert_eq!(gateway.meet(acme, &web, &person(None, Some("51"))).await.unwrap(), "51");
    assert!(
        !gateway.rename(acme, &web, &person(Some("nobody"), None), &person(Some("x"), None)).await.unwrap()
    );
    assert_eq!(gateway.contact(world.globex.id, &web, "49").await.unwrap(), None);
}

#[tokio::test]
async fn two_first_messages_at_once_are_one_person() {
    let world = World::new().await;
    let (acme, gateway, web) = (world.acme.id, &world.gateway, "web".parse().unwrap());
    let seen = person(Some("DE.1"), Some("49"));
    let keys = futures::future::join_all((0..8).map(|_| gateway.meet(acme, &web, &seen))).await;
    assert!(keys.into_iter().all(|key| key.unwrap() == "DE.1"));
}

#[tokio::test]
async fn a_person_who_writes_while_a_reply_is_tried_in_vain_gets_it_at_once() {
    let world = World::new().await;
    let (acme, gateway, runtime) = (world.acme.id, &world.gateway, &world.acme.runtime);
    let (web, hour) = (web_chat(), Duration::from_hours(1));
    let window = |until| Contact { window_until: Some(until), ..person(None, Some("49")) };
    gateway.meet(acme, &web.name, &window(1_000)).await.unwrap();
    gateway.accept(acme, &web, &message("49", 1)).await.unwrap();
    let claim = runtime.claim("worker", hour).await.unwrap().unwrap();
    runtime.complete(&claim, &answer("sorry for the delay")).await.unwrap();

    let tried = gateway.claim_outbox(acme, "gateway").await.unwrap().unwrap();
    gateway.meet(acme, &web.name, &window(4_000_000_000)).await.unwrap();
    gateway.outbox_retry(acme, &tried, hour, "outside the window", true, false).await.unwrap();
    let again = gateway.claim_outbox(acme, "gateway").await.unwrap().expect("it is due");
    gateway.outbox_retry(acme, &again, hour, "asked to wait", true, false).await.unwrap();
    assert_eq!(gateway.claim_outbox(acme, "gateway").await.unwrap(), None, "nobody has written since");
}
