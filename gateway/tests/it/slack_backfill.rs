//! What was written while no gateway listened, for longer than Slack repeats it, is asked for: once.

use std::time::Duration;

use konstruct_domain::Kind;
use konstruct_testkit::slack::{App, seconds_now};
use serde_json::{Value, json};

use crate::world::{SlackConnection, Tenant, World, eventually};

const OUTAGE: Duration = Duration::from_mins(5);
const WAITS: &str = "select count(*) from konstruct.listening where missed_since is not null";
const CAUGHT_UP: &str = "select count(*) from konstruct.listening
     where connection = 'slack-t1' and missed_since is null and seen_at > now() - interval '2 minutes'";

struct Scene {
    world: World,
    tenant: Tenant,
    connection: SlackConnection,
    /// A thread that the employee has joined.
    root: String,
}

impl Scene {
    /// The employee has answered in a thread and in a direct message, and then the gateway goes.
    async fn of_an_outage() -> Self {
        let world = World::start().await;
        let tenant = world.tenant("acme").await;
        let connection = world.connect_slack(&tenant, "T1").await;
        let [mention, _] = connection.app.mention("C1", "U1", "hello");
        let root = App::ts_of(&mention).to_owned();
        let direct = connection.app.direct_message("D1", "U2", "hello");
        for event in [&mention, &direct] {
            world.slack.remember(event);
            world.deliver(&connection, event).await;
            world.answer(&tenant, "hi").await;
        }
        world.slack.wait_for_messages(2).await;
        let mut scene = Self { world, tenant, connection, root };
        scene.stop("20 minutes").await;
        scene
    }

    async fn stop(&mut self, ago: &str) {
        let name = &self.connection.snapshot.name;
        self.world.gateway_store.listening(self.tenant.id, name, OUTAGE).await.unwrap();
        self.world.stop_gateway();
        sqlx::query("update konstruct.listening set seen_at = now() - $1::text::interval where connection = 'slack-t1'")
            .bind(ago)
            .execute(&mut self.world.admin().await)
            .await
            .unwrap();
    }

    /// Written, and never delivered.
    fn missed(&self, event: Value) -> Value {
        self.world.slack.remember(&event);
        event
    }

    fn in_thread(&self, text: &str) -> Value {
        self.missed(self.connection.app.follow_up("C1", &self.root, "U1", text))
    }

    async fn catch_up(&mut self) {
        self.world.start_gateway().await;
        self.caught_up().await;
    }

    async fn caught_up(&self) {
        eventually("it is all asked for", async || self.world.number(CAUGHT_UP).await == 1).await;
    }

    async fn bodies(&self) -> Vec<String> {
        self.world.inbox().await.into_iter().map(|row| row.body).collect()
    }
}

#[tokio::test]
async fn what_was_missed_is_answered_once_and_in_order() {
    let mut scene = Scene::of_an_outage().await;
    let missed: Vec<Value> = ["one", "two", "three"].map(|text| scene.in_thread(text)).into();
    // Not to be answered: another bot, another thread, everybody.
    let mut bot = scene.connection.app.follow_up("C1", &scene.root, "U9", "beep");
    bot["event"]["bot_id"] = json!("B9");
    scene.missed(bot);
    scene.missed(scene.connection.app.follow_up("C1", "1.000001", "U1", "to somebody else"));
    let mut to_all = scene.connection.app.mention("C1", "U1", "hello all")[1].clone();
    to_all["event"]["text"] = json!("hello all");
    scene.missed(to_all);

    scene.catch_up().await;
    assert_eq!(scene.bodies().await, ["one", "two", "three"]);
    scene.world.answer(&scene.tenant, "to all three").await;
    let sent = scene.world.slack.wait_for_messages(3).await;
    assert_eq!((sent[2].shown(), sent[2].thread_ts.as_deref()), ("to all three", Some(scene.root.as_str())));

    // What Slack delivers after all is known, and another outage finds nothing new.
    for event in &missed {
        assert!(scene.world.deliver(&scene.connection, event).await.is_success());
    }
    scene.stop("20 minutes").await;
    scene.catch_up().await;
    assert_eq!(scene.bodies().await, [""; 0]);
    assert_eq!(scene.world.slack.messages().len(), 3);
}

#[tokio::test]
async fn new_conversations_are_found_where_others_were_and_are_followed() {
    let mut scene = Scene::of_an_outage().await;
    let app = scene.connection.app.clone();
    let direct = scene.missed(app.direct_message("D1", "U2", "directly"));
    let [mention, _] = app.mention("C1", "U3", "in a new thread");
    scene.missed(mention.clone());
    scene.missed(app.follow_up("D1", App::ts_of(&direct), "U2", "and more"));
    scene.missed(app.follow_up("C1", App::ts_of(&mention), "U3", "me too"));
    scene.catch_up().await;
    let bodies = scene.bodies().await;
    let at = |text: &str| bodies.iter().position(|body| body == text).unwrap_or_else(|| panic!("{bodies:?}"));
    assert_eq!(bodies.len(), 4, "{bodies:?}");
    assert!(at("directly") < at("and more") && at("in a new thread") < at("me too"), "{bodies:?}");
}

#[tokio::test]
async fn neither_a_short_outage_nor_another_tenant_nor_the_day_before_is_asked_for() {
    let mut scene = Scene::of_an_outage().await;
    let globex = scene.world.tenant("globex").await;
    scene.world.start_gateway().await;
    scene.caught_up().await;
    let other = scene.world.connect_slack(&globex, "T2").await;
    let greeting = other.app.direct_message("D1", "U1", "hello");
    scene.world.deliver(&other, &greeting).await;
    scene.world.answer(&globex, "hi").await;
    scene.world.gateway_store.listening(globex.id, &other.snapshot.name, OUTAGE).await.unwrap();
    scene.missed(other.app.direct_message("D1", "U1", "for Slack to repeat"));

    let asked = scene.world.slack.calls("conversations.history");
    scene.stop("4 minutes").await;
    scene.in_thread("for Slack to repeat");
    scene.world.start_gateway().await;
    eventually("somebody listens again", async || scene.world.number(CAUGHT_UP).await == 1).await;
    assert_eq!(scene.world.number(WAITS).await, 0);
    assert_eq!(scene.world.slack.calls("conversations.history"), asked);

    scene.stop("3 days").await;
    let hours_ago = |hours: u64| format!("{}.000100", seconds_now() - hours * 3600);
    for (hours, text) in [(25, "too long ago"), (23, "yesterday")] {
        let mut event = scene.connection.app.direct_message("D1", "U2", text);
        event["event"]["ts"] = json!(hours_ago(hours));
        scene.missed(event);
    }
    scene.catch_up().await;
    let inbox = scene.world.inbox().await;
    assert!(inbox.iter().all(|row| row.tenant_id == scene.tenant.id.as_uuid()));
    assert_eq!(scene.bodies().await, ["yesterday", "for Slack to repeat"]);
}

#[tokio::test]
async fn a_limit_is_waited_for_and_a_place_that_cannot_be_read_keeps_nothing_up() {
    let mut scene = Scene::of_an_outage().await;
    scene.world.slack.limit_history(Duration::from_secs(2));
    scene.world.slack.withdraw_scope("T1", "im:history");
    let texts: Vec<String> = (0..17).map(|number| format!("number {number}")).collect();
    for text in &texts {
        scene.in_thread(text);
    }
    scene.missed(scene.connection.app.direct_message("D1", "U2", "unreadable"));
    scene.catch_up().await;
    assert_eq!(scene.bodies().await, texts);
    assert!(scene.world.slack.calls("conversations.replies") > 3, "it was refused and asked again");
}

#[tokio::test]
async fn a_gateway_that_dies_in_between_is_followed_by_one_that_goes_on() {
    let mut scene = Scene::of_an_outage().await;
    let texts: Vec<String> = (0..6).map(|number| format!("number {number}")).collect();
    for text in &texts {
        scene.in_thread(text);
    }
    scene.world.start_gateway().await;
    eventually("it has begun", async || !scene.bodies().await.is_empty()).await;
    scene.world.stop_gateway();
    let begun = scene.bodies().await.len();
    assert!(begun < texts.len(), "{begun}");
    assert_eq!(scene.world.number(WAITS).await, 1, "it is not forgotten");
    scene.world.execute("update konstruct.listening set lease_until = now()").await;
    scene.catch_up().await;
    assert_eq!(scene.bodies().await, texts);
}

#[tokio::test]
async fn of_two_gateways_one_asks() {
    let mut scene = Scene::of_an_outage().await;
    scene.in_thread("once");
    let (name, lasts) = (scene.connection.snapshot.name.clone(), Duration::from_mins(1));
    let (store, tenant) = (scene.world.gateway_store.clone(), scene.tenant.id);
    store.listening(tenant, &name, OUTAGE).await.unwrap();
    assert!(store.lease_missed(tenant, &name, "another", lasts).await.unwrap().is_some());
    assert_eq!(store.lease_missed(tenant, &name, "a third", lasts).await.unwrap(), None);
    assert!(!store.renew_missed(tenant, &name, "a third", lasts).await.unwrap());
    store.caught_up(tenant, &name, "a third").await.unwrap();
    scene.world.execute("update konstruct.listening set seen_at = now() - interval '1 hour'").await;
    scene.world.start_gateway().await;
    eventually("the gateway listens", async || {
        scene
            .world
            .number("select count(*) from konstruct.listening where seen_at > now() - interval '1 minute'")
            .await
            == 1
    })
    .await;
    assert_eq!(scene.world.slack.calls("conversations.history"), 0);
    // Withdrawn, and put in force again: nobody was to listen in between.
    scene.world.operator.withdraw(tenant, Kind::ChannelConnection, name.as_str()).await.unwrap();
    assert_eq!(scene.world.number("select count(*) from konstruct.listening").await, 0);
}
