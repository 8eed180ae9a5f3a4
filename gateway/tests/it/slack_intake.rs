//! What is accepted is committed, once, for the right tenant.

use futures::future::join_all;
use konstruct_domain::message::TEXT_MAX;
use konstruct_testkit::slack::{App, Workspace, seconds_now};
use reqwest::StatusCode;
use serde_json::json;

use crate::world::{SHARED_SECRET, World};

#[tokio::test]
async fn the_address_of_a_new_app_is_verified() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    for connection in [world.connect_slack(&tenant, "T1").await, world.connect_own_slack(&tenant, "T2").await]
    {
        let body = json!({"type": "url_verification", "token": "deprecated", "challenge": "3eZbrw1aB"});
        let response = world.post(&connection.path, connection.app.sign(&body)).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.text().await.unwrap(), "3eZbrw1aB");
        let form = world
            .http
            .post(format!("{}{}", world.url, connection.path))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("token=x&ssl_check=1");
        assert_eq!(form.send().await.unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_mention_is_stored_once_although_it_comes_as_two_events() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let connection = world.connect_slack(&tenant, "T1").await;
    for event in connection.app.mention("C1", "U1", "what's new? 1 &lt; 2") {
        let response = world.post(&connection.path, connection.app.sign(&event)).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.text().await.unwrap(), "");
    }
    let inbox = world.inbox().await;
    assert_eq!(inbox.len(), 1);
    assert_eq!(inbox[0].body, "what's new? 1 < 2");
    assert_eq!((inbox[0].author_id.as_str(), inbox[0].connection.as_str()), ("U1", "slack-t1"));
    assert_eq!(inbox[0].tenant_id, tenant.id.as_uuid());
}

#[tokio::test]
async fn the_same_event_a_hundred_times_at_once_is_one_message() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let connection = world.connect_slack(&tenant, "T1").await;
    let event = connection.app.direct_message("D1", "U1", "once, please");
    let statuses = join_all((0..100).map(|_| world.deliver(&connection, &event))).await;
    assert!(statuses.iter().all(|status| *status == StatusCode::OK), "{statuses:?}");
    assert_eq!(world.inbox().await.len(), 1);

    let [mention, twin] = connection.app.mention("C1", "U1", "and this");
    let both = join_all(
        (0..50).flat_map(|_| [world.deliver(&connection, &mention), world.deliver(&connection, &twin)]),
    );
    assert!(both.await.iter().all(|status| *status == StatusCode::OK));
    assert_eq!(world.inbox().await.len(), 2);
}

#[tokio::test]
async fn a_follow_up_counts_where_the_employee_takes_part() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let connection = world.connect_slack(&tenant, "T1").await;
    let [mention, _] = connection.app.mention("C1", "U1", "hello");
    let root = App::ts_of(&mention);
    world.deliver(&connection, &mention).await;
    world.deliver(&connection, &connection.app.follow_up("C1", root, "U2", "me too")).await;
    world.deliver(&connection, &connection.app.follow_up("C1", "1.000001", "U2", "another thread")).await;
    world.deliver(&connection, &connection.app.follow_up("C2", root, "U2", "another channel")).await;
    let bodies: Vec<_> = world.inbox().await.into_iter().map(|row| row.body).collect();
    assert_eq!(bodies, ["hello", "me too"]);
}

#[tokio::test]
async fn two_workspaces_through_one_address_are_never_crossed() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let connections = [
        (&acme, world.connect_slack(&acme, "TACME").await),
        (&globex, world.connect_slack(&globex, "TGLOBEX").await),
    ];
    // The same channel, user and even event ids in both workspaces.
    let deliveries = (0..40).map(|number| {
        let (_, connection) = &connections[number % 2];
        let mut event = connection.app.direct_message("D1", "U1", &connection.app.team_id);
        event["event_id"] = json!(format!("Ev{}", number / 2));
        event["event"]["ts"] = json!(format!("{}.000001", number / 2));
        let world = &world;
        async move { world.deliver(connection, &event).await }
    });
    assert!(join_all(deliveries).await.iter().all(|status| *status == StatusCode::OK));
    let inbox = world.inbox().await;
    assert_eq!(inbox.len(), 40);
    for row in inbox {
        let expected = if row.tenant_id == acme.id.as_uuid() { "TACME" } else { "TGLOBEX" };
        assert_eq!(row.body, expected);
    }
}

#[tokio::test]
async fn an_unknown_workspace_is_acknowledged_and_dropped() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let connection = world.connect_slack(&tenant, "T1").await;
    let stranger = App::new(&Workspace::new("TSTRANGER"), SHARED_SECRET);
    let request = stranger.sign(&stranger.direct_message("D1", "U1", "hi"));
    assert_eq!(world.post(&connection.path, request).await.status(), StatusCode::OK);
    assert_eq!(world.inbox().await, []);
}

#[tokio::test]
async fn a_message_from_a_shared_channel_belongs_to_the_installation() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let connection = world.connect_slack(&tenant, "T1").await;
    let mut event = connection.app.direct_message("D1", "U1", "from next door");
    event["team_id"] = json!("TNEXTDOOR");
    assert_eq!(world.deliver(&connection, &event).await, StatusCode::OK);
    assert_eq!(world.inbox().await.len(), 1);
}

#[tokio::test]
async fn the_longest_message_is_kept_whole_and_a_longer_one_is_cut() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let connection = world.connect_slack(&tenant, "T1").await;
    let longest = "ä😀".repeat(TEXT_MAX / 2);
    for text in [longest.clone(), format!("{longest}!")] {
        let event = connection.app.direct_message("D1", "U1", &text);
        assert_eq!(world.deliver(&connection, &event).await, StatusCode::OK);
    }
    for row in world.inbox().await {
        assert!(row.body == longest, "{} characters", row.body.chars().count());
    }
}

#[tokio::test]
async fn text_that_postgresql_cannot_hold_does_not_fail() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let connection = world.connect_slack(&tenant, "T1").await;
    let event = connection.app.direct_message("D1", "U1", "nul \0 and \u{202e}reversed\u{200b}");
    assert_eq!(world.deliver(&connection, &event).await, StatusCode::OK);
    let lone_surrogate = event.to_string().replace("nul ", "\\ud800");
    let request = connection.app.sign_bytes(lone_surrogate.into_bytes(), seconds_now());
    let status = world.post(&connection.path, request).await.status();
    assert!(status.is_success() || status == StatusCode::BAD_REQUEST, "{status}");
    assert_eq!(world.inbox().await.len(), 1);
}
