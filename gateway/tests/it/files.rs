//! Files that people send: fetched whole, or refused when they are not what was promised.

use konstruct_channels::{Account, Adapters, File, Secrets, SendError};
use konstruct_domain::message::Attachment;
use konstruct_domain::snapshot::{ConnectionSnapshot, SecretField, TelegramMode};
use konstruct_testkit::fault::CallFault;
use konstruct_testkit::whatsapp::Media;

use crate::world::World;
use crate::{telegram, whatsapp};

const MAX: u64 = 1_000;

fn attachment(reference: &str) -> Attachment {
    Attachment { reference: reference.to_owned(), media_type: None, name: None, size: None, sha256: None }
}

async fn fetch(
    world: &World,
    connection: &ConnectionSnapshot,
    secret: (SecretField, &str),
    attachment: &Attachment,
) -> Result<File, SendError> {
    let adapters = Adapters::new(&world.channels).unwrap();
    let secrets: Secrets = [(secret.0, secret.1.into())].into_iter().collect();
    let account = Account { connection, secrets: &secrets };
    adapters.get(connection.channel.type_name()).unwrap().fetch(&account, attachment, MAX).await
}

fn media() -> Media {
    Media::new("PN1", "image/png", b"bytes")
}

#[tokio::test]
async fn whatsapp_files_are_what_was_promised_or_refused() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let line = whatsapp::connect_own(&world, &tenant, "PN1").await;
    let token = (SecretField::WhatsAppAccessToken, "EAA-PN1");
    let get = async |media: Media| {
        let id = world.whatsapp.add_media(media);
        fetch(&world, &line.snapshot, token, &attachment(&id)).await
    };
    let file = get(media()).await.unwrap();
    assert_eq!((&file.bytes[..], file.media_type.as_deref()), (&b"bytes"[..], Some("image/png")));

    world.whatsapp.inject("files", [CallFault::Status(404)]);
    assert!(get(media()).await.is_ok(), "an address that is gone is asked for once more");
    world.whatsapp.inject("files", [CallFault::Status(404), CallFault::Status(404)]);
    assert!(matches!(get(media()).await, Err(SendError::Rejected { .. })));

    for (what, lie) in [
        ("another digest", Media { sha256: Some("0".repeat(64)), ..media() }),
        ("too large, and says so", Media { file_size: Some(MAX + 1), ..media() }),
        ("too large, and says otherwise", Media { bytes: vec![7; 2_000], file_size: Some(5), ..media() }),
        ("another size", Media { file_size: Some(6), ..media() }),
        ("led inwards", Media { redirect: Some("http://169.254.169.254/latest".to_owned()), ..media() }),
        ("led elsewhere", Media { redirect: Some("https://files.example.com/x".to_owned()), ..media() }),
        ("an address inside", Media { url: Some("http://169.254.169.254/latest".to_owned()), ..media() }),
        ("a foreign address", Media { url: Some("https://evilfbsbx.com/x".to_owned()), ..media() }),
        ("another's file", Media { phone_number_id: "PN2".to_owned(), ..media() }),
    ] {
        let refused = get(lie).await;
        assert!(matches!(refused, Err(SendError::Rejected { .. })), "{what}: {refused:?}");
    }
    let announced =
        Attachment { sha256: Some("1".repeat(64)), ..attachment(&world.whatsapp.add_media(media())) };
    assert!(matches!(
        fetch(&world, &line.snapshot, token, &announced).await,
        Err(SendError::Rejected { .. })
    ));
}

#[tokio::test]
async fn telegram_files_are_fetched_and_large_ones_refused() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let line = telegram::connect(&world, &tenant, "ada_bot", TelegramMode::Webhook).await;
    let bot = konstruct_testkit::telegram::Bot::new("ada_bot");
    let token = (SecretField::TelegramBotToken, bot.token.as_str());
    let id = world.telegram.add_file(b"bytes");
    assert_eq!(&fetch(&world, &line.snapshot, token, &attachment(&id)).await.unwrap().bytes[..], b"bytes");
    let large = world.telegram.add_file(&[7; 2_000]);
    for refused in [large.as_str(), "unknown"] {
        let refused = fetch(&world, &line.snapshot, token, &attachment(refused)).await;
        assert!(matches!(refused, Err(SendError::Rejected { .. })), "{refused:?}");
    }
}
