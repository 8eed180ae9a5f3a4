//! Which files there are, and until when.

use std::time::Duration;

use konstruct_store::{NewPicture, conversation_of};
use uuid::Uuid;

use crate::world::{World, message, web_chat};

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn a_file_expires_by_age_or_when_no_message_came_for_it() {
    let world = World::new().await;
    let (tenant, gateway) = (world.acme.id, &world.gateway);
    let conversation = conversation_of(tenant, &web_chat(), &message("c1", 1));
    let [kept, lost, old] = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
    for id in [kept, lost, old] {
        let picture = NewPicture {
            id,
            conversation,
            connection: "web",
            media_type: "image/png",
            bytes: 1,
            width: 1,
            height: 1,
        };
        gateway.add_picture(tenant, picture).await.unwrap();
    }
    let first = message("c1", 1).message_id;
    assert!(gateway.attach_pictures(tenant, conversation, &first, &[kept, old]).await.unwrap());
    assert!(gateway.attach_pictures(tenant, conversation, &first, &[kept]).await.unwrap(), "the same again");
    let other = message("c1", 2).message_id;
    assert!(!gateway.attach_pictures(tenant, conversation, &other, &[lost, kept]).await.unwrap());
    assert!(!gateway.attach_pictures(tenant, conversation, &other, &[Uuid::new_v4()]).await.unwrap());

    let mut admin = world.database.admin().await;
    for (id, days) in [(kept, 2.0), (lost, 2.0), (old, 100.0)] {
        let aged = "update konstruct.media set created_at = now() - make_interval(days => $2::int) where media_id = $1";
        sqlx::query(aged).bind(id).bind(days).execute(&mut admin).await.unwrap();
    }
    let expired = gateway.expired_media(tenant, 90 * DAY, DAY).await.unwrap();
    assert_eq!(expired, [old, lost]);
    assert!(gateway.expired_media(world.globex.id, 90 * DAY, DAY).await.unwrap().is_empty());
    gateway.forget_media(tenant, &expired).await.unwrap();
    assert!(gateway.expired_media(tenant, 90 * DAY, DAY).await.unwrap().is_empty());
    assert_eq!(gateway.expired_media(tenant, DAY, DAY).await.unwrap(), [kept]);
    world.operator.retain_tenant(tenant, true).await.unwrap();
    assert!(gateway.expired_media(tenant, DAY, DAY).await.unwrap().is_empty(), "it is under legal hold");
}
