//! What is refused leaves no trace.

use konstruct_testkit::slack::{SignedRequest, seconds_now};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn what_is_not_authentic_is_answered_401_and_not_stored() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    for connection in [world.connect_slack(&tenant, "T1").await, world.connect_own_slack(&tenant, "T2").await]
    {
        let app = &connection.app;
        let event = app.direct_message("D1", "U1", "hi");
        let (body, now) = (event.to_string().into_bytes(), seconds_now());
        let good = app.sign(&event);

        let mut tampered = good.clone();
        *tampered.body.last_mut().unwrap() = b' ';
        let mut foreign = app.clone();
        foreign.signing_secret = "another secret".to_owned();
        let with_timestamp =
            |timestamp: &str| SignedRequest { timestamp: timestamp.to_owned(), ..good.clone() };
        let refused = [
            ("one byte changed", tampered),
            ("another secret", foreign.sign(&event)),
            ("stale", app.sign_bytes(body.clone(), now - 301)),
            ("future", app.sign_bytes(body.clone(), now + 310)),
            ("not a number", with_timestamp("yesterday")),
            ("another timestamp", with_timestamp(&(now - 1).to_string())),
            ("an empty signature", SignedRequest { signature: String::new(), ..good.clone() }),
        ];
        for (what, request) in refused {
            let response = world.post(&connection.path, request).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{what}");
            assert!(
                !response.headers().contains_key("x-slack-no-retry"),
                "the secret may be corrected: {what}"
            );
            let answer: Value = response.json().await.unwrap();
            assert_eq!(answer["error"]["code"], "invalid_signature", "{what}");
        }
        for missing in ["x-slack-request-timestamp", "x-slack-signature"] {
            let mut request = world
                .http
                .post(format!("{}{}", world.url, connection.path))
                .header("x-slack-request-timestamp", &good.timestamp)
                .header("x-slack-signature", &good.signature)
                .body(good.body.clone())
                .build()
                .unwrap();
            request.headers_mut().remove(missing);
            let status = world.http.execute(request).await.unwrap().status();
            assert_eq!(status, StatusCode::UNAUTHORIZED, "without {missing}");
        }
    }
    assert_eq!(world.inbox().await, []);
}

#[tokio::test]
async fn one_apps_secret_does_not_open_another_apps_door() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let shared = world.connect_slack(&acme, "T1").await;
    let own = world.connect_own_slack(&globex, "T2").await;
    let event = own.app.direct_message("D1", "U1", "hi");
    let crossed = world.post(&own.path, shared.app.sign(&event)).await;
    assert_eq!(crossed.status(), StatusCode::UNAUTHORIZED);
    let crossed = world.post(&shared.path, own.app.sign(&event)).await;
    assert_eq!(crossed.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(world.inbox().await, []);
}

#[tokio::test]
async fn an_own_app_delivers_for_its_own_workspace_only() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let own = world.connect_own_slack(&acme, "T1").await;
    let other = world.connect_slack(&globex, "T2").await;
    // Correctly signed by acme's app, but about globex's workspace.
    let event = other.app.direct_message("D1", "U1", "let me in");
    let response = world.post(&own.path, own.app.sign(&event)).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(world.inbox().await, []);
}

#[tokio::test]
async fn a_body_over_a_megabyte_is_refused_before_anything_else() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let connection = world.connect_slack(&tenant, "T1").await;
    let event = connection.app.direct_message("D1", "U1", &"x".repeat(1_100_000));
    assert_eq!(world.deliver(&connection, &event).await, StatusCode::PAYLOAD_TOO_LARGE);
    let just_fits = connection.app.direct_message("D1", "U1", &"x".repeat(1_000_000));
    assert_eq!(world.deliver(&connection, &just_fits).await, StatusCode::OK);
    assert_eq!(world.inbox().await.len(), 1);
}

#[tokio::test]
async fn malformed_json_is_answered_400() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let connection = world.connect_slack(&tenant, "T1").await;
    let deep = "[".repeat(100_000);
    for body in ["", "{", "{\"type\":\"event_callback\"", "payload=%7B", "\u{0}", &deep] {
        let request = connection.app.sign_bytes(body.as_bytes().to_vec(), seconds_now());
        let response = world.post(&connection.path, request).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{body:.40}");
        assert_eq!(response.headers()["x-slack-no-retry"], "1", "{body:.40}");
    }
    let not_utf8 = connection.app.sign_bytes(vec![b'"', 0xff, b'"'], seconds_now());
    assert_eq!(world.post(&connection.path, not_utf8).await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn odd_but_valid_deliveries_are_acknowledged_and_not_stored() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let connection = world.connect_slack(&tenant, "T1").await;
    let app = &connection.app;
    let own = json!({"type": "message", "channel_type": "im", "channel": "D1", "user": app.bot_user_id, "ts": "1.000001"});
    let odd = [
        json!(null),
        json!({"type": "invented_tomorrow"}),
        json!({"type": "event_callback"}),
        json!({"type": "app_rate_limited", "team_id": "T1", "minute_rate_limited": 1}),
        app.envelope(&own),
        app.envelope(
            &json!({"type": "message", "subtype": "message_changed", "channel": "C1", "ts": "1.000001"}),
        ),
        app.envelope(&json!({"type": "reaction_added", "user": "U1"})),
        app.follow_up("C1", "1.000001", "U1", "not for you"),
    ];
    for event in odd {
        assert_eq!(world.deliver(&connection, &event).await, StatusCode::OK, "{event}");
    }
    assert_eq!(world.inbox().await, []);
}

#[tokio::test]
async fn there_is_nothing_at_unknown_addresses() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let connection = world.connect_slack(&tenant, "T1").await;
    let own_door_of_a_shared_app = format!("/slack/{}/events", connection.snapshot.public_id);
    for path in ["/", "/slack", "/slack/unknown/events", &own_door_of_a_shared_app] {
        let request = connection.app.sign(&connection.app.direct_message("D1", "U1", "hi"));
        assert_eq!(world.post(path, request).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}
