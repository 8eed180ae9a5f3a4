//! Albums in Telegram groups: all pictures of one that mentions the employee, in whatever order they come.

use futures::future::join_all;
use konstruct_store::FileState;
use reqwest::StatusCode;
use serde_json::Value;

use crate::telegram::Scene;
use crate::webchat::png;
use crate::world::eventually;

const GROUP: i64 = -100_200;

fn album(scene: &Scene, group: i64, captioned: usize, caption: &str) -> Vec<Value> {
    let pictures = [png(10), png(11), png(12)];
    let pictures = pictures.each_ref().map(Vec::as_slice);
    scene.world.telegram.album("ada_bot", group, &pictures, captioned, caption)
}

async fn waiting(scene: &Scene) -> i64 {
    scene.world.number("select count(*) from konstruct.album_part").await
}

#[tokio::test]
async fn whichever_picture_has_the_mention_all_of_them_are_one_turn() {
    for (captioned, order) in [(0, [0, 1, 2]), (1, [0, 1, 2]), (2, [0, 1, 2]), (0, [2, 1, 0])] {
        let scene = Scene::start().await;
        let parts = album(&scene, GROUP, captioned, "@ada_bot what are these?");
        for place in order {
            assert_eq!(scene.deliver(&parts[place]).await, StatusCode::OK);
        }
        let wanted = "select count(*) from konstruct.media where state = 'wanted'";
        eventually("all files are settled", async || scene.world.number(wanted).await == 0).await;
        let claim = scene.world.claim(&scene.tenant).await;
        let mut texts: Vec<_> = claim.messages.iter().map(|message| message.text.as_str()).collect();
        texts.sort_unstable();
        assert_eq!(texts, ["[picture]", "[picture]", "what are these?\n[picture]"], "{captioned} {order:?}");
        let files = scene.tenant.runtime.files(&claim).await.unwrap();
        assert_eq!(files.iter().filter(|file| file.state == FileState::Picture).count(), 3);
        assert_eq!(waiting(&scene).await, 0);
    }
}

#[tokio::test]
async fn parts_that_come_at_once_and_again_are_each_a_message_once() {
    let scene = Scene::start().await;
    let parts = album(&scene, GROUP, 1, "@ada_bot look");
    let statuses = join_all(parts.iter().chain(&parts).chain(&parts).map(|part| scene.deliver(part))).await;
    assert!(statuses.iter().all(|status| *status == StatusCode::OK), "{statuses:?}");
    assert_eq!(scene.world.inbox().await.len(), 3);
}

#[tokio::test]
async fn an_album_that_means_nobody_is_kept_for_a_minute_and_given_to_no_other() {
    let scene = Scene::start().await;
    scene.deliver(&scene.world.telegram.group_message("ada_bot", GROUP, 11, "@ada_bot hello")).await;
    for part in album(&scene, GROUP, 0, "our holidays") {
        assert_eq!(scene.deliver(&part).await, StatusCode::OK);
    }
    assert_eq!(waiting(&scene).await, 3);
    for part in album(&scene, -7, 0, "@ada_bot these") {
        scene.deliver(&part).await;
    }
    assert_eq!(scene.world.inbox().await.len(), 1 + 3);
    scene.world.execute("update konstruct.album set seen_at = now() - interval '61 seconds'").await;
    let late = album(&scene, GROUP, 0, "more of them");
    scene.deliver(&late[1]).await;
    assert_eq!(waiting(&scene).await, 1, "what waited for too long is gone");
    assert_eq!(scene.world.inbox().await.len(), 1 + 3);
}
