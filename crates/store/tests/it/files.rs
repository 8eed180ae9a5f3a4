//! Files that are still at their platform: each is fetched by one, and a message waits for its own.

use std::time::Duration;

use konstruct_domain::TenantId;
use konstruct_domain::message::{Attachment, InboundMessage};
use konstruct_store::{FileState, KeptFile, Store, WantedFile};

use crate::world::{World, message, web_chat};

const LEASE: Duration = Duration::from_secs(30);
const KEPT: KeptFile = KeptFile { media_type: "image/png", bytes: 5, size: Some((4, 3)) };

fn with_files(key: &str, number: u32, files: usize) -> InboundMessage {
    let attachment = |place: usize| Attachment {
        reference: format!("file-{place}"),
        media_type: Some("image/jpeg\0".to_owned()),
        name: Some(format!("{place}.jpg")),
        size: Some(7),
        sha256: None,
    };
    InboundMessage { attachments: (0..files).map(attachment).collect(), ..message(key, number) }
}

async fn claim_file(gateway: &Store, tenant: TenantId) -> Option<WantedFile> {
    gateway.claim_file(tenant, LEASE).await.unwrap()
}

#[tokio::test]
async fn a_message_waits_for_all_of_its_files_and_gets_what_became_of_them() {
    let world = World::new().await;
    let (tenant, gateway, runtime) = (world.acme.id, &world.gateway, &world.acme.runtime);
    gateway.accept(tenant, &web_chat(), &with_files("c1", 1, 3)).await.unwrap();
    gateway.accept(tenant, &web_chat(), &message("c2", 2)).await.unwrap();
    let other = runtime.claim("r", LEASE).await.unwrap().unwrap();
    assert_eq!(other.messages.len(), 1, "only this conversation waits");
    assert_eq!(runtime.claim("r", LEASE).await.unwrap(), None);

    assert_eq!(gateway.tenants_with_wanted_files().await.unwrap(), [tenant]);
    assert_eq!(claim_file(gateway, world.globex.id).await, None);
    let mut files = Vec::new();
    while let Some(file) = claim_file(gateway, tenant).await {
        files.push(file);
    }
    assert!(gateway.tenants_with_wanted_files().await.unwrap().is_empty(), "all are leased");
    files.sort_by(|one, other| one.attachment.reference.cmp(&other.attachment.reference));
    assert_eq!(files[1].attachment.name.as_deref(), Some("1.jpg"));
    assert_eq!(files[1].attachment.media_type.as_deref(), Some("image/jpeg\u{fffd}"));

    assert!(gateway.file_kept(tenant, &files[0], KEPT).await.unwrap());
    assert_eq!(runtime.claim("r", LEASE).await.unwrap(), None);
    let document = KeptFile { media_type: "application/pdf", size: None, ..KEPT };
    let (kept, gone) = tokio::join!(
        gateway.file_kept(tenant, &files[1], document),
        gateway.file_gone(tenant, &files[2], "it has \0expired"),
    );
    assert!(kept.unwrap() && gone.unwrap());
    let claim = runtime.claim("r", LEASE).await.unwrap().expect("all are settled");
    assert!(claim.messages[0].text.ends_with("\n[picture]\n[picture]\n[picture]"));
    let states: Vec<_> = runtime.files(&claim).await.unwrap().into_iter().map(|file| file.state).collect();
    let reason = "it has \u{fffd}expired".to_owned();
    assert_eq!(states, [FileState::Picture, FileState::Kept { bytes: 5 }, FileState::Gone { reason }]);
    assert!(world.globex.runtime.files(&claim).await.unwrap().is_empty(), "another tenant sees none of it");
}

#[tokio::test]
async fn a_file_whose_gateway_has_died_is_anothers_and_the_first_counts_no_more() {
    let world = World::new().await;
    let (tenant, gateway) = (world.acme.id, &world.gateway);
    gateway.accept(tenant, &web_chat(), &with_files("c1", 1, 1)).await.unwrap();
    let first = gateway.claim_file(tenant, Duration::ZERO).await.unwrap().unwrap();
    let second = claim_file(gateway, tenant).await.unwrap();
    assert_eq!((first.id, first.tries, second.id, second.tries), (second.id, 1, first.id, 2));
    assert_eq!(claim_file(gateway, tenant).await, None);
    gateway.file_later(tenant, &first, Duration::ZERO).await.unwrap();
    assert_eq!(claim_file(gateway, tenant).await, None, "the first has no say any more");
    assert!(!gateway.file_gone(tenant, &first, "too late").await.unwrap());
    assert!(gateway.file_kept(tenant, &second, KEPT).await.unwrap());
    assert!(!gateway.file_kept(tenant, &second, KEPT).await.unwrap(), "once");
}

#[tokio::test]
async fn a_turn_goes_on_without_files_that_do_not_come() {
    let world = World::new().await;
    let (tenant, gateway, runtime) = (world.acme.id, &world.gateway, &world.acme.runtime);
    gateway.accept(tenant, &web_chat(), &with_files("c1", 1, 1)).await.unwrap();
    let mut admin = world.database.admin().await;
    let half = "update konstruct.conversation set files_until = files_until - interval '5 seconds'";
    sqlx::query(half).execute(&mut admin).await.unwrap();
    // What comes meanwhile does not make the first wait longer.
    gateway.accept(tenant, &web_chat(), &with_files("c1", 2, 1)).await.unwrap();
    sqlx::query(half).execute(&mut admin).await.unwrap();
    let claim = runtime.claim("r", LEASE).await.unwrap().expect("the time of waiting is over");
    let files = runtime.files(&claim).await.unwrap();
    assert_eq!((claim.messages.len(), files.len()), (2, 2));
    assert!(files.iter().all(|file| file.state == FileState::Wanted));
}

#[tokio::test]
async fn nothing_is_wanted_of_a_duplicate_or_of_what_is_for_nobody() {
    let world = World::new().await;
    let (tenant, gateway) = (world.acme.id, &world.gateway);
    let mut overheard = with_files("c9", 1, 2);
    overheard.addressing = konstruct_domain::message::Addressing::FollowUp;
    gateway.accept(tenant, &web_chat(), &overheard).await.unwrap();
    assert_eq!(claim_file(gateway, tenant).await, None);
    for _ in 0..2 {
        gateway.accept(tenant, &web_chat(), &with_files("c1", 1, 1)).await.unwrap();
    }
    assert!(claim_file(gateway, tenant).await.is_some());
    assert_eq!(claim_file(gateway, tenant).await, None);
}
