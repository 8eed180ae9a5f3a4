//! Files that people send through a platform, from the delivery to what a turn gets to see.

use std::time::{Duration, Instant};

use futures::future::join_all;
use konstruct_store::{Claim, FileState, MessageFile, Turn, Wanted};
use konstruct_testkit::fault::CallFault;
use konstruct_testkit::slack::SharedFile;
use konstruct_testkit::whatsapp::Media;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::telegram::Scene;
use crate::webchat::png;
use crate::whatsapp::{self, Line, connect_own};
use crate::world::{Tenant, World, eventually, turn};

/// What a PNG of a few bytes says of itself: more pixels than any memory holds.
fn bomb() -> Vec<u8> {
    let mut bytes = png(1);
    bytes[16..24].copy_from_slice(&[0, 0, 0x3e, 0x80, 0, 0, 0x3e, 0x80]);
    bytes
}

async fn files(tenant: &Tenant, claim: &Claim) -> Vec<MessageFile> {
    tenant.runtime.files(claim).await.unwrap()
}

/// On a busy machine that may take longer than a turn waits.
async fn settled(world: &World) {
    let wanted = "select count(*) from konstruct.media where state = 'wanted'";
    eventually("all files are settled", async || world.number(wanted).await == 0).await;
}

/// The message that waits longest, and its files.
async fn next(world: &World, tenant: &Tenant) -> (String, Vec<MessageFile>) {
    settled(world).await;
    let claim = world.claim(tenant).await;
    let files = files(tenant, &claim).await;
    (claim.messages[0].text.clone(), files)
}

async fn send_whatsapp(
    world: &World,
    line: &Line,
    person: &str,
    kind: &str,
    media: Media,
    body: Value,
) -> String {
    let id = world.whatsapp.add_media(media);
    let message = line.app.file(person, "49170", kind, &id, &body);
    assert_eq!(whatsapp::deliver(world, line, &message).await, StatusCode::OK);
    id
}

#[tokio::test]
async fn a_picture_from_whatsapp_is_fetched_written_anew_and_comes_with_its_message() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let line = connect_own(&world, &tenant, "PN1").await;
    let caption = json!({ "caption": "what is this?" });
    send_whatsapp(&world, &line, "DE.1", "image", Media::new("PN1", "image/png", &png(2000)), caption).await;
    let (text, files) = next(&world, &tenant).await;
    assert_eq!(text, "what is this?\n[picture]");
    assert_eq!((files.len(), &files[0].state), (1, &FileState::Picture), "{files:?}");
    let kept = world.place().get(tenant.id, files[0].id).await.unwrap();
    assert_eq!(image::load_from_memory(&kept).unwrap().width(), 1568);
    assert_eq!(files[0].media_type.as_deref(), Some("image/jpeg"), "as it is now, not as it came");
}

#[tokio::test]
async fn a_delivery_does_not_wait_for_its_file_and_a_turn_not_for_ever() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let line = connect_own(&world, &tenant, "PN1").await;
    world.whatsapp.inject("files", [CallFault::Hang]);
    let started = Instant::now();
    send_whatsapp(&world, &line, "DE.1", "image", Media::new("PN1", "image/png", &png(10)), json!({})).await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    eventually("the file is asked for", async || world.whatsapp.calls("files") == 1).await;
    let claimed = tenant.runtime.claim("r", Duration::from_secs(30)).await.unwrap();
    assert_eq!(claimed, None, "the message waits for its file");

    world.execute("update konstruct.conversation set files_until = now()").await;
    let claim = world.claim(&tenant).await;
    assert_eq!(files(&tenant, &claim).await[0].state, FileState::Wanted);

    // Whoever was asking is gone: once its time is over another asks, which the sweep sees to.
    let _other = world.another_gateway().await;
    world.execute("update konstruct.media set due_at = now()").await;
    eventually("another try has brought it", async || {
        files(&tenant, &claim).await[0].state == FileState::Picture
    })
    .await;
    assert_eq!(world.number("select tries::bigint from konstruct.media").await, 2);

    // The turn that did not see it ends; the next one does, and no other.
    tenant.runtime.complete(&claim, &turn("it has not arrived")).await.unwrap();
    for (text, late) in [("and now?", true), ("again?", false)] {
        let message = line.app.message("DE.1", "49170", text);
        assert_eq!(whatsapp::deliver(&world, &line, &message).await, StatusCode::OK);
        let claim = world.claim(&tenant).await;
        assert_eq!((claim.messages[0].text.as_str(), claim.late_files), (text, late));
        let here = files(&tenant, &claim).await;
        assert!(here.iter().all(|file| file.state == FileState::Picture) && here.len() == usize::from(late));
        let told = here.iter().map(|file| file.id).collect();
        tenant.runtime.complete(&claim, &Turn { files: told, ..turn("I see it") }).await.unwrap();
    }
}

#[tokio::test]
async fn a_platform_that_stumbles_is_asked_again_while_the_turn_waits() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let line = connect_own(&world, &tenant, "PN1").await;
    world.whatsapp.inject("media", [CallFault::Status(500)]);
    world.whatsapp.inject("files", [CallFault::Status(503)]);
    send_whatsapp(&world, &line, "DE.1", "image", Media::new("PN1", "image/png", &png(10)), json!({})).await;
    let (_, files) = next(&world, &tenant).await;
    assert_eq!(files[0].state, FileState::Picture);
    assert_eq!(world.number("select tries::bigint from konstruct.media").await, 3);
}

#[tokio::test]
async fn files_that_lie_are_answered_with_the_reason() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let line = connect_own(&world, &tenant, "PN1").await;
    let honest = || Media::new("PN1", "image/png", &png(10));
    let large = vec![7; 21 << 20];
    let none = json!({});
    let wrong_hash = json!({ "sha256": "0".repeat(64) });
    for (what, media, body, reason) in [
        ("a hash", honest(), wrong_hash, "it is not the one whose SHA-256 was announced"),
        (
            "a size",
            Media { file_size: Some(11), ..honest() },
            none.clone(),
            "it is not as large as WhatsApp says",
        ),
        (
            "100 MB, told",
            Media { file_size: Some(100 << 20), ..honest() },
            none.clone(),
            "it has more than 20 MB",
        ),
        (
            "21 MB, not told",
            Media { file_size: Some(9), bytes: large, ..honest() },
            none.clone(),
            "it has more than 20 MB",
        ),
        ("a bomb", Media::new("PN1", "image/png", &bomb()), none.clone(), "the picture"),
        (
            "a program",
            Media::new("PN1", "image/png", b"MZ\x90\0\x03\0\0\0"),
            none.clone(),
            "the file is a program",
        ),
        ("nothing", Media::new("PN1", "image/png", b""), none.clone(), "the file is empty"),
        (
            "led inwards",
            Media { redirect: Some("http://169.254.169.254/latest".to_owned()), ..honest() },
            none.clone(),
            "its address is not one of the platform's",
        ),
        (
            "an inward address",
            Media { url: Some("https://127.0.0.1/x".to_owned()), ..honest() },
            none.clone(),
            "its address is not one of the platform's",
        ),
        (
            "another's",
            Media { phone_number_id: "PN2".to_owned(), ..honest() },
            none.clone(),
            "it has expired, or is not there any more",
        ),
    ] {
        send_whatsapp(&world, &line, "DE.1", "image", media, body).await;
        settled(&world).await;
        let claim = world.claim(&tenant).await;
        let files = files(&tenant, &claim).await;
        let FileState::Gone { reason: told } = &files[0].state else { panic!("{what}: {files:?}") };
        assert!(told.starts_with(reason), "{what}: {told}");
        tenant.runtime.complete(&claim, &crate::world::turn("I see")).await.unwrap();
    }
    let nothing = !world.files.path().join(tenant.id.to_string()).exists();
    assert!(nothing, "nothing of it is kept");

    let expired = line.app.file("DE.1", "49170", "image", "4711", &none);
    assert_eq!(whatsapp::deliver(&world, &line, &expired).await, StatusCode::OK);
    let (_, files) = next(&world, &tenant).await;
    let reason = "it has expired, or is not there any more".to_owned();
    assert_eq!(files[0].state, FileState::Gone { reason });
}

#[tokio::test]
async fn other_files_are_kept_as_what_they_are() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let line = connect_own(&world, &tenant, "PN1").await;
    let ogg = b"OggS\0\x02\0\0\0\0\0\0\0\0rest";
    for (kind, bytes, media_type) in [
        ("document", b"%PDF-1.7\n".as_slice(), "application/pdf"),
        ("image", b"%PDF-1.7\n", "application/pdf"),
        ("audio", ogg, "audio/ogg"),
        ("document", b"plain words", "text/plain"),
        ("document", &[0xfe, 0xfe], "application/octet-stream"),
    ] {
        let body = json!({ "filename": "a\u{202e}b.x" });
        send_whatsapp(&world, &line, "DE.1", kind, Media::new("PN1", "a/b", bytes), body).await;
        settled(&world).await;
        let claim = world.claim(&tenant).await;
        let files = files(&tenant, &claim).await;
        assert_eq!(files[0].media_type.as_deref(), Some(media_type));
        assert_eq!(files[0].state, FileState::Kept { bytes: bytes.len() as u64 });
        assert_eq!(&world.place().get(tenant.id, files[0].id).await.unwrap()[..], bytes, "as it came");
        tenant.runtime.complete(&claim, &crate::world::turn("I see")).await.unwrap();
    }
    let as_document = Media::new("PN1", "application/pdf", &png(10));
    send_whatsapp(&world, &line, "DE.1", "document", as_document, json!({})).await;
    assert_eq!(next(&world, &tenant).await.1[0].state, FileState::Picture, "however it was sent");
}

/// What rests for as long as a runtime lets it.
async fn claim_rested(tenant: &Tenant) -> Claim {
    let quiet = Duration::from_millis(200);
    let wanted = Wanted { owner: "r", lease: Duration::from_mins(1), quiet, conversations: 1, messages: 50 };
    for _ in 0..600 {
        if let Some(claim) = tenant.runtime.claim_many(wanted).await.unwrap().pop() {
            return claim;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no message waits");
}

#[tokio::test]
async fn an_album_is_one_turn_with_all_its_pictures() {
    let scene = Scene::start().await;
    let telegram = &scene.world.telegram;
    let updates: Vec<_> = (1..=4)
        .map(|number| {
            let photo = telegram.photo(&png(number * 10));
            let caption = if number == 1 { "our holiday" } else { "" };
            telegram.said(
                "ada_bot",
                11,
                &json!({ "photo": photo, "caption": caption, "media_group_id": "g" }),
            )
        })
        .collect();
    let delivered = join_all(updates.iter().map(|update| scene.deliver(update))).await;
    assert!(delivered.iter().all(|status| *status == StatusCode::OK), "{delivered:?}");
    settled(&scene.world).await;
    let claim = claim_rested(&scene.tenant).await;
    let mut said: Vec<_> = claim.messages.iter().map(|message| message.text.as_str()).collect();
    said.sort_unstable();
    assert_eq!(said, ["[picture]", "[picture]", "[picture]", "our holiday\n[picture]"]);
    let files = files(&scene.tenant, &claim).await;
    assert!(files.len() == 4 && files.iter().all(|file| file.state == FileState::Picture), "{files:?}");

    scene.tenant.runtime.complete(&claim, &crate::world::turn("nice")).await.unwrap();
    let stranger = telegram.said("ada_bot", 11, &json!({ "document": { "file_id": "of_another_bot" } }));
    scene.deliver(&stranger).await;
    let large = json!({ "document": { "file_id": "x", "file_size": 100 << 20, "file_name": "a.zip" } });
    scene.deliver(&telegram.said("ada_bot", 11, &large)).await;
    settled(&scene.world).await;
    let claim = claim_rested(&scene.tenant).await;
    let reasons: Vec<_> = crate::attachments::files(&scene.tenant, &claim).await;
    let reasons: Vec<_> = reasons.iter().map(|file| &file.state).collect();
    let gone = |reason: &str| FileState::Gone { reason: reason.to_owned() };
    let expected =
        ["Bad Request: invalid file_id", "the file has more than 20 MB: send a smaller one"].map(gone);
    assert_eq!(reasons, expected.iter().collect::<Vec<_>>());
}

fn shared(team_id: &str, name: &str, mimetype: &str, bytes: &[u8]) -> SharedFile {
    let (team_id, name, mimetype) = (team_id.to_owned(), name.to_owned(), mimetype.to_owned());
    SharedFile { team_id, name, mimetype, bytes: bytes.to_vec() }
}

#[tokio::test]
async fn files_of_slack_come_with_the_bots_token_from_slack_alone() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let connection = world.connect_slack(&tenant, "T1").await;
    world.connect_slack(&world.tenant("globex").await, "T2").await;
    let share = |file: SharedFile| world.slack.share(file);
    let picture = share(shared("T1", "a.png", "image/png", &png(10)));
    let mut by_id = share(shared("T1", "b.png", "image/png", &png(10)));
    for address in ["url_private", "url_private_download"] {
        by_id.as_object_mut().unwrap().remove(address);
    }
    let mut elsewhere = picture.clone();
    elsewhere["url_private_download"] = json!("https://files.slack.com.evil.example/a.png");
    let mut inwards = picture.clone();
    inwards["url_private_download"] = json!("http://169.254.169.254/latest/meta-data/");
    let pdf = share(shared("T1", "c.pdf", "application/pdf", b"%PDF-1.7\n"));
    let of_another = share(shared("T2", "d.png", "image/png", &png(10)));
    let mut event = connection.app.direct_message("D1", "U1", "see these");
    event["event"]["subtype"] = json!("file_share");
    event["event"]["files"] = json!([picture, by_id, pdf, elsewhere, inwards, of_another]);
    assert_eq!(world.deliver(&connection, &event).await, StatusCode::OK);
    let (text, files) = next(&world, &tenant).await;
    assert_eq!(text, "see these\n[picture]\n[picture]\n[file: c.pdf]\n[picture]\n[picture]\n[picture]");
    let states: Vec<_> = files.iter().map(|file| &file.state).collect();
    let gone = |reason: &str| FileState::Gone { reason: reason.to_owned() };
    let foreign = gone("its address is not one of the platform's");
    let no_scope = gone("the app may not read files: an administrator has to give it the scope files:read");
    let expected = [
        &FileState::Picture,
        &FileState::Picture,
        &FileState::Kept { bytes: 9 },
        &foreign,
        &foreign,
        // Slack shows the same page for what the app may not see.
        &no_scope,
    ];
    assert_eq!(states, expected);

    world.slack.let_read_files("T1", false);
    let mut event = connection.app.direct_message("D1", "U1", "");
    event["event"]["files"] = json!([picture]);
    assert_eq!(world.deliver(&connection, &event).await, StatusCode::OK);
    assert_eq!(next(&world, &tenant).await.1[0].state, no_scope);
}

#[tokio::test]
async fn what_nobody_is_asked_about_is_not_fetched() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let connection = world.connect_slack(&tenant, "T1").await;
    let picture = world.slack.share(shared("T1", "a.png", "image/png", &png(10)));
    let mut event = connection.app.follow_up("C1", "1.000001", "U2", "among ourselves");
    event["event"]["files"] = json!([picture]);
    assert_eq!(world.deliver(&connection, &event).await, StatusCode::OK);
    assert_eq!(world.number("select count(*) from konstruct.media").await, 0);
    // The same message in two deliveries has its file once.
    let mut twins = connection.app.mention("C1", "U1", "look");
    for twin in &mut twins {
        twin["event"]["files"] = json!([picture]);
        assert_eq!(world.deliver(&connection, twin).await, StatusCode::OK);
    }
    assert_eq!(world.number("select count(*) from konstruct.media").await, 1);
}
