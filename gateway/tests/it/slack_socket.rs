//! Slack without an address of ours: events come over a socket, and leave it when they are committed.

use std::time::{Duration, Instant};

use futures::future::join;
use konstruct_domain::Kind;
use konstruct_domain::snapshot::{ChannelSnapshot, SecretField};
use konstruct_store::Offer;
use konstruct_testkit::TestDatabase;
use konstruct_testkit::outage::Servers;
use konstruct_testkit::slack::{App, Fault, Workspace};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::{SlackConnection, Tenant, World, eventually};

const TOKEN: &str = "xapp-T1";
/// A machine that is busy with other tests may be too late for a try.
const TRIES: [Duration; 5] =
    [Duration::ZERO, Duration::ZERO, Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10)];

async fn connect(world: &World) -> (Tenant, SlackConnection) {
    let tenant = world.tenant("acme").await;
    let connection = world.connect_slack_socket(&tenant, Workspace::new("T1"), TOKEN).await;
    eventually("a socket is open", async || world.slack.sockets(TOKEN) == 1).await;
    (tenant, connection)
}

/// Whether Slack was told that the event has come.
async fn deliver(world: &World, event: &Value) -> bool {
    world.slack.deliver_by_socket(TOKEN, "events_api", event, &TRIES).await.is_some()
}

async fn bodies(world: &World) -> Vec<String> {
    world.inbox().await.into_iter().map(|row| row.body).collect()
}

/// What the connection's condition says is wrong, if anything.
async fn refusal(world: &World, tenant: &Tenant, connection: &SlackConnection) -> Option<String> {
    let name = connection.snapshot.name.as_str();
    let standing = world.operator.standing(tenant.id, Kind::ChannelConnection, name).await.unwrap();
    standing.observations.into_iter().find(|observed| !observed.ok).map(|observed| observed.message)
}

#[tokio::test]
async fn a_message_over_the_socket_is_answered_once() {
    let world = World::start().await;
    let (tenant, connection) = connect(&world).await;
    let [mention, twin] = connection.app.mention("C1", "U1", "hello");
    for event in [&mention, &twin, &mention] {
        assert!(deliver(&world, event).await);
    }
    assert_eq!(bodies(&world).await, ["hello"]);
    world.answer(&tenant, "hi").await;
    assert!(deliver(&world, &twin).await);
    let messages = world.slack.wait_for_messages(1).await;
    assert_eq!((messages.len(), messages[0].thread_ts.as_deref()), (1, Some(App::ts_of(&mention))));
    assert_eq!(world.inbox().await, []);
    assert_eq!(world.slack.complaints(TOKEN), [""; 0]);
    // There is no other door.
    let status = world.post(&connection.path, connection.app.sign(&mention)).await.status();
    assert_eq!(status, StatusCode::NOT_FOUND);
    let shared = connection.app.sign(&connection.app.direct_message("D1", "U1", "by the shared app"));
    world.post("/slack/events", shared).await;
    assert_eq!(world.inbox().await, []);
}

#[tokio::test]
async fn buttons_count_and_what_is_of_no_use_is_acknowledged_all_the_same() {
    let world = World::start().await;
    let (tenant, connection) = connect(&world).await;
    let offer = Offer {
        purpose: "test",
        subject: &json!({}),
        choices: &["yes", "no"],
        may_press: Some(&["U1"]),
        lasts: Duration::from_mins(5),
    };
    let id = world.gateway_store.offer(tenant.id, &connection.snapshot.name, offer).await.unwrap();
    let pressed = json!({
        "type": "block_actions", "team": { "id": "T1" }, "user": { "id": "U1" }, "channel": { "id": "C1" },
        "container": { "message_ts": "1.000100", "channel_id": "C1" },
        "actions": [{ "type": "button", "value": format!("{id}.0"), "text": { "text": "yes & no = é 😀" } }],
    });
    for (kind, payload) in [
        ("interactive", &pressed),
        ("interactive", &json!("nonsense")),
        ("events_api", &json!(["nonsense"])),
        ("events_api", &Value::Null),
        ("slash_commands", &json!({ "command": "/ada" })),
        ("invented_tomorrow", &json!({})),
    ] {
        let acknowledged = world.slack.deliver_by_socket(TOKEN, kind, payload, &TRIES).await;
        assert!(acknowledged.is_some(), "{kind}");
    }
    assert_eq!(world.number("select count(*) from konstruct.audit where action = 'offer.test'").await, 1);
    assert_eq!(world.inbox().await, []);
    assert_eq!(world.slack.complaints(TOKEN), [""; 0]);
}

#[tokio::test]
async fn without_postgresql_nothing_is_acknowledged_and_nothing_is_lost() {
    let servers = Servers::start().await;
    let database = TestDatabase::create_on(servers.database_url()).await;
    let world = World::start_on(database, &servers.redis_url().into()).await;
    let (tenant, connection) = connect(&world).await;
    let event = connection.app.direct_message("D1", "U1", "can you hear me?");

    servers.stop_postgres().await;
    let tries = [Duration::ZERO; 2];
    let told = world.slack.deliver_by_socket(TOKEN, "events_api", &event, &tries).await;
    assert_eq!(told, None);

    servers.start_postgres().await;
    eventually("it is ready again", async || world.readiness.is_ready()).await;
    assert!(deliver(&world, &event).await);
    assert!(deliver(&world, &event).await);
    assert_eq!(bodies(&world).await, ["can you hear me?"]);
    world.answer(&tenant, "loud and clear").await;
    assert_eq!(world.slack.wait_for_messages(1).await[0].shown(), "loud and clear");
}

#[tokio::test]
async fn when_sockets_are_replaced_or_break_nothing_is_lost_doubled_or_out_of_order() {
    let world = World::start().await;
    let (_, connection) = connect(&world).await;
    let texts: Vec<String> = (0..30).map(|number| format!("number {number}")).collect();
    let deliveries = async {
        for text in &texts {
            assert!(deliver(&world, &connection.app.direct_message("D1", "U1", text)).await, "{text}");
            sleep(Duration::from_millis(150)).await;
        }
    };
    let replaced = async {
        world.slack.refresh_sockets(TOKEN, "warning", Duration::from_secs(3)).await;
        world.slack.break_sockets(TOKEN);
    };
    join(deliveries, replaced).await;
    assert_eq!(bodies(&world).await, texts);
    assert!(world.slack.calls("apps.connections.open") >= 3);
    eventually("one socket is left", async || world.slack.sockets(TOKEN) == 1).await;
    assert_eq!(world.slack.complaints(TOKEN), [""; 0]);
}

#[tokio::test]
async fn a_new_socket_is_there_before_the_old_one_goes() {
    let world = World::start().await;
    connect(&world).await;
    let leaving = world.slack.refresh_sockets(TOKEN, "refresh_requested", Duration::from_secs(20));
    let both = eventually("both are open", async || world.slack.sockets(TOKEN) == 2);
    join(leaving, both).await;
    eventually("one is left", async || world.slack.sockets(TOKEN) == 1).await;
}

#[tokio::test]
async fn what_keeps_the_socket_closed_is_said_with_what_to_do() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    world.slack.inject("apps.connections.open", [Fault::RateLimited { seconds: 1 }, Fault::Status(503)]);
    let connection = world.connect_slack_socket(&tenant, Workspace::new("T1"), "xapp-wrong").await;
    let says = async |what: &str| {
        eventually(what, async || {
            refusal(&world, &tenant, &connection).await.is_some_and(|said| said.contains(what))
        })
        .await;
    };
    says("(invalid_auth)").await;
    says("spec.slack.socketMode.appTokenRef").await;

    let mut right = connection.snapshot.clone();
    let ChannelSnapshot::Slack(slack) = &mut right.channel else { panic!("{right:?}") };
    let field = SecretField::SlackAppToken;
    slack.app_token = Some(world.version(field, TOKEN));
    world.publish(&tenant, &right, &[World::slack_token("T1"), (field, TOKEN.into())]).await;
    eventually("a socket is open", async || world.slack.sockets(TOKEN) == 1).await;
    eventually("all is well", async || refusal(&world, &tenant, &connection).await.is_none()).await;

    world.slack.switch_socket_mode(TOKEN, false);
    says("switch it on at api.slack.com/apps").await;
    world.slack.switch_socket_mode(TOKEN, true);
    eventually("all is well again", async || refusal(&world, &tenant, &connection).await.is_none()).await;
    assert!(deliver(&world, &connection.app.direct_message("D1", "U1", "hello")).await);
    assert_eq!(bodies(&world).await, ["hello"]);
}

#[tokio::test]
async fn workspaces_with_one_app_get_their_own_whichever_socket_it_comes_over() {
    let world = World::start().await;
    let (acme, first) = connect(&world).await;
    let globex = world.tenant("globex").await;
    let mut workspace = Workspace::new("T2");
    TOKEN.clone_into(&mut workspace.app_token);
    let second = world.connect_slack_socket(&globex, workspace, TOKEN).await;
    eventually("both have a socket", async || world.slack.sockets(TOKEN) == 2).await;
    let stranger = App::new(&Workspace::new("T3"), "secret");
    for app in [&first.app, &second.app, &stranger, &second.app, &second.app, &first.app, &first.app] {
        assert!(deliver(&world, &app.direct_message("D1", "U1", &app.team_id)).await);
    }
    let inbox = world.inbox().await;
    assert_eq!(inbox.len(), 6);
    for row in inbox {
        let expected = if row.tenant_id == acme.id.as_uuid() { "T1" } else { "T2" };
        assert_eq!(row.body, expected);
    }
    // Whoever has another app's token gets nothing of it.
    let other = world.tenant("other").await;
    let third = world.connect_slack_socket(&other, Workspace::new("T3"), "xapp-T3").await;
    eventually("the third has a socket", async || world.slack.sockets("xapp-T3") == 1).await;
    assert!(deliver(&world, &third.app.direct_message("D1", "U1", "not for this app")).await);
    assert_eq!(world.inbox().await.len(), 6);
}

#[tokio::test]
async fn one_gateway_has_the_socket_and_the_next_takes_it_over_at_once() {
    let mut world = World::start().await;
    let (_, connection) = connect(&world).await;
    let other = world.another_gateway().await;
    sleep(Duration::from_secs(6)).await;
    assert_eq!(world.slack.sockets(TOKEN), 1);
    let opened = world.slack.calls("apps.connections.open");
    let stopped = Instant::now();
    world.stop_gateway();
    eventually("the other one opens a socket", async || {
        world.slack.calls("apps.connections.open") > opened && world.slack.sockets(TOKEN) == 1
    })
    .await;
    assert!(stopped.elapsed() < Duration::from_secs(45), "not only when the lease ends");
    assert!(deliver(&world, &connection.app.direct_message("D1", "U1", "hello")).await);
    assert_eq!(bodies(&world).await, ["hello"]);
    drop(other);
}
