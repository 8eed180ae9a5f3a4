//! Buttons that people press: verified, taken once, by who may.

use std::time::Duration;

use futures::future::join_all;
use konstruct_store::Offer;
use konstruct_testkit::slack::SignedRequest;
use reqwest::StatusCode;
use serde_json::json;
use uuid::Uuid;

use crate::world::{SlackConnection, Tenant, World, eventually};

const PATH: &str = "/slack/interactivity";

async fn scene() -> (World, Tenant, SlackConnection) {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let connection = world.connect_slack(&tenant, "T1").await;
    (world, tenant, connection)
}

async fn offer(world: &World, tenant: &Tenant, connection: &SlackConnection, lasts: Duration) -> Uuid {
    let offer = Offer {
        purpose: "test",
        subject: &json!({"of": "the test"}),
        choices: &["yes", "no"],
        may_press: Some(&["U1", "U2"]),
        lasts,
    };
    world.gateway_store.offer(tenant.id, &connection.snapshot.name, offer).await.unwrap()
}

async fn post(world: &World, path: &str, request: &SignedRequest) -> StatusCode {
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("x-slack-request-timestamp", request.timestamp.as_str()),
        ("x-slack-signature", request.signature.as_str()),
    ];
    world.post_signed(path, &headers, &request.body).await
}

async fn taken(world: &World) -> i64 {
    world.number("select count(*) from konstruct.audit where action = 'offer.test'").await
}

async fn told(world: &World, count: usize) -> Vec<String> {
    eventually("the person is told", async || world.slack.ephemerals().len() >= count).await;
    world.slack.ephemerals().into_iter().map(|told| told.text).collect()
}

#[tokio::test]
async fn of_all_who_press_at_once_and_of_all_replays_one_counts() {
    let (world, tenant, connection) = scene().await;
    let id = offer(&world, &tenant, &connection, Duration::from_mins(5)).await;
    let presses: Vec<_> = (0..12)
        .map(|n| connection.app.pressed("C1", "1.000100", ["U1", "U2"][n % 2], &format!("{id}.{}", n % 2)))
        .collect();
    let replayed = presses.iter().chain(&presses);
    let statuses = join_all(replayed.map(|press| post(&world, PATH, press))).await;
    assert!(statuses.iter().all(|status| *status == StatusCode::OK), "{statuses:?}");
    assert_eq!(taken(&world).await, 1);
    let told = told(&world, 24).await;
    assert_eq!(told.iter().filter(|text| text.starts_with("Thank you, noted")).count(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|text| text.contains("decided before")).count(), 23);
    let to = &world.slack.ephemerals()[0];
    assert_eq!((to.channel.as_str(), to.thread_ts.as_deref()), ("C1", Some("1.000100")));
}

#[tokio::test]
async fn what_is_not_theirs_expired_or_unknown_changes_nothing_and_says_so() {
    let (world, tenant, connection) = scene().await;
    let open = offer(&world, &tenant, &connection, Duration::from_mins(5)).await;
    let expired = offer(&world, &tenant, &connection, Duration::ZERO).await;
    let other = world.tenant("globex").await;
    let foreign_connection = world.connect_slack(&other, "T2").await;
    let foreign = offer(&world, &other, &foreign_connection, Duration::from_mins(5)).await;
    let cases = [
        ("U9", format!("{open}.0"), "somebody else"),
        ("U1", format!("{expired}.0"), "expired"),
        ("U1", format!("{foreign}.0"), "not known"),
        ("U1", format!("{}.0", Uuid::new_v4()), "not known"),
        ("U1", format!("{open}.2"), "not known"),
        ("U1", open.to_string(), "not known"),
        ("U1", "💥".to_owned(), "not known"),
    ];
    for (index, (user, value, expected)) in cases.iter().enumerate() {
        let press = connection.app.pressed("C1", "1.000100", user, value);
        assert_eq!(post(&world, PATH, &press).await, StatusCode::OK);
        let told = told(&world, index + 1).await;
        assert!(told[index].contains(expected), "{value}: {told:?}");
    }
    assert_eq!(taken(&world).await, 0);
    let press = connection.app.pressed("C1", "1.000100", "U1", &format!("{open}.1"));
    post(&world, PATH, &press).await;
    eventually("who may, still can", async || taken(&world).await == 1).await;
}

#[tokio::test]
async fn a_press_that_slack_has_not_signed_is_refused() {
    let (world, tenant, connection) = scene().await;
    let own = world.connect_own_slack(&tenant, "T3").await;
    let id = offer(&world, &tenant, &connection, Duration::from_mins(5)).await;
    let press = connection.app.pressed("C1", "1.000100", "U1", &format!("{id}.0"));
    let mut changed = press.clone();
    changed.body.push(b'x');
    assert_eq!(post(&world, PATH, &changed).await, StatusCode::UNAUTHORIZED);
    let stale = connection.app.sign_bytes(press.body.clone(), konstruct_testkit::slack::seconds_now() - 301);
    assert_eq!(post(&world, PATH, &stale).await, StatusCode::UNAUTHORIZED);
    let own_path = own.path.replace("events", "interactivity");
    assert_eq!(post(&world, &own_path, &press).await, StatusCode::UNAUTHORIZED, "another app's secret");
    // Signed by another app, about this workspace.
    let by_own = own.app.sign_bytes(press.body.clone(), konstruct_testkit::slack::seconds_now());
    assert_eq!(post(&world, &own_path, &by_own).await, StatusCode::OK);
    assert_eq!(taken(&world).await, 0);
    let malformed =
        connection.app.sign_bytes(b"payload=%7B".to_vec(), konstruct_testkit::slack::seconds_now());
    assert_eq!(post(&world, PATH, &malformed).await, StatusCode::BAD_REQUEST);
    assert_eq!(post(&world, PATH, &press).await, StatusCode::OK);
    assert_eq!(taken(&world).await, 1);
}
