//! Files whose time is over are deleted by the gateway's own sweep, with their rows, and nothing else is.

use konstruct_domain::TenantId;
use konstruct_store::{NewPicture, conversation_of};
use uuid::Uuid;

use crate::world::{Tenant, World, eventually};

/// A kept file of that age.
async fn keep(world: &World, tenant: &Tenant, hours: i32) -> Uuid {
    let connection = world.connect_webchat(tenant).await;
    let message = konstruct_domain::message::InboundMessage {
        event_id: "1".to_owned(),
        message_id: "1".to_owned(),
        conversation_key: "1".to_owned(),
        author_id: "1".to_owned(),
        text: String::new(),
        attachments: Vec::new(),
        language: None,
        addressing: konstruct_domain::message::Addressing::Addressed,
        reply_to: konstruct_domain::message::ReplyTarget::new("web_chat", []),
        raw: Vec::new().into(),
    };
    let (id, conversation) = (Uuid::new_v4(), conversation_of(tenant.id, &connection, &message));
    let (connection, media_type) = (connection.name.as_str(), "image/png");
    let row = NewPicture { id, conversation, connection, media_type, bytes: 1, width: 1, height: 1 };
    world.gateway_store.add_picture(tenant.id, row).await.unwrap();
    assert!(world.gateway_store.attach_pictures(tenant.id, conversation, "1", &[id]).await.unwrap());
    world.place().put(tenant.id, id, b"x".as_slice().into()).await.unwrap();
    let aged =
        "update konstruct.media set created_at = now() - make_interval(hours => $2) where media_id = $1";
    sqlx::query(aged).bind(id).bind(hours).execute(&mut world.admin().await).await.unwrap();
    id
}

async fn is_there(world: &World, tenant: TenantId, id: Uuid) -> (bool, bool) {
    let row = sqlx::query_scalar("select count(*) from konstruct.media where media_id = $1").bind(id);
    let row: i64 = row.fetch_one(&mut world.admin().await).await.unwrap();
    (row == 1, world.place().get(tenant, id).await.is_ok())
}

#[tokio::test]
async fn the_sweep_deletes_what_is_old_and_what_is_nobodys() {
    let world = World::start().await;
    let (acme, held, left) =
        (world.tenant("acme").await, world.tenant("held").await, world.tenant("left").await);
    let (old, young) = (keep(&world, &acme, 2).await, keep(&world, &acme, 0).await);
    let on_hold = keep(&world, &held, 2).await;
    world.operator.retain_tenant(held.id, true).await.unwrap();
    let erased = keep(&world, &left, 0).await;
    world.operator.erase_tenant(left.id).await.unwrap();

    // A gateway sweeps when it starts.
    let _other = world.another_gateway().await;
    eventually("what is old is gone", async || is_there(&world, acme.id, old).await == (false, false)).await;
    eventually("what is nobody's is gone", async || {
        is_there(&world, left.id, erased).await == (false, false)
    })
    .await;
    assert_eq!(is_there(&world, acme.id, young).await, (true, true));
    assert_eq!(is_there(&world, held.id, on_hold).await, (true, true), "a legal hold");
}
