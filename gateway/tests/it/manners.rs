//! Too many messages, and messages when nobody is there.

use std::time::Duration;

use jiff::Timestamp;
use konstruct_domain::hours::{Day, Hours};
use konstruct_domain::snapshot::{ConnectionSnapshot, Manners};
use konstruct_testkit::slack::App;
use reqwest::StatusCode;
use tokio::time::sleep;

use crate::world::{SlackConnection, Tenant, World, eventually};

/// Puts a Slack connection with these manners in force.
async fn connect(world: &World, tenant: &Tenant, manners: Manners) -> SlackConnection {
    let connection = world.connect_slack(tenant, "T1").await;
    let snapshot = ConnectionSnapshot { manners, ..connection.snapshot.clone() };
    let token = World::slack_token("T1");
    world.publish(tenant, &snapshot, &[token]).await;
    SlackConnection { snapshot, ..connection }
}

fn three_a_minute() -> Manners {
    Manners { messages_per_minute: Some(3), hours: None }
}

/// Hours that ended a while ago and begin in more than a day.
fn closed(text: &str) -> Manners {
    let day = |ahead: i64| {
        let time = Timestamp::now() + jiff::SignedDuration::from_hours(24 * ahead);
        [Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun][usize::try_from(
            time.to_zoned(jiff::tz::TimeZone::UTC).weekday().to_monday_zero_offset(),
        )
        .unwrap()]
    };
    let hours = Hours { time_zone: "UTC".into(), days: vec![day(3)], from: 540, to: 1020, text: text.into() };
    Manners { messages_per_minute: None, hours: Some(hours) }
}

#[tokio::test]
async fn who_writes_too_much_is_told_once_in_the_thread_when_it_resets() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let connection = connect(&world, &tenant, three_a_minute()).await;
    let events: Vec<_> =
        (0..8).map(|n| connection.app.direct_message("D1", "U1", &format!("no {n}"))).collect();
    for event in &events {
        assert_eq!(world.deliver(&connection, event).await, StatusCode::OK);
        assert_eq!(world.deliver(&connection, event).await, StatusCode::OK, "a delivery again");
    }
    assert_eq!(world.inbox().await.len(), 3, "what was let in");
    let messages = world.slack.wait_for_messages(1).await;
    assert_eq!(messages[0].thread_ts.as_deref(), Some(App::ts_of(&events[3])));
    let text = messages[0].shown();
    assert!(text.starts_with("Automatic message from an AI assistant: too many"), "{text}");
    assert!(text.contains(" in 20 s.") || text.contains(" in 19 s."), "{text}");
    // Somebody else is told too.
    let other = connection.app.direct_message("D1", "U2", "and I?");
    assert_eq!(world.deliver(&connection, &other).await, StatusCode::OK);
    assert_eq!(world.slack.wait_for_messages(2).await[1].thread_ts.as_deref(), Some(App::ts_of(&other)));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.slack.messages().len(), 2);
}

#[tokio::test]
async fn a_thread_of_others_counts_for_nobody() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let connection = connect(&world, &tenant, three_a_minute()).await;
    for number in 0..10 {
        let event = connection.app.follow_up("C1", "1700000000.000100", "U1", &format!("no {number}"));
        assert_eq!(world.deliver(&connection, &event).await, StatusCode::OK);
    }
    let own = connection.app.direct_message("D1", "U1", "hello");
    assert_eq!(world.deliver(&connection, &own).await, StatusCode::OK);
    assert_eq!(world.inbox().await.len(), 1);
    assert!(world.outbox().await.is_empty(), "nobody was told of a limit");
}

#[tokio::test]
async fn outside_of_the_hours_messages_wait_and_the_sender_is_told_once() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let connection = connect(&world, &tenant, closed("Back {time}.")).await;
    let first = connection.app.direct_message("D1", "U1", "anybody there?");
    let later = connection.app.follow_up("D1", App::ts_of(&first), "U1", "hello?");
    for event in [&first, &later] {
        assert_eq!(world.deliver(&connection, event).await, StatusCode::OK);
    }
    let messages = world.slack.wait_for_messages(1).await;
    assert_eq!(messages[0].thread_ts.as_deref(), Some(App::ts_of(&first)));
    let text = messages[0].shown();
    assert!(text.starts_with("Automatic message from an AI assistant: Back 20"), "{text}");
    assert!(text.contains("09:00 (UTC)"), "{text}");
    assert_eq!(world.inbox().await.len(), 2, "both are kept");
    let claim = tenant.runtime.claim("test-runtime", Duration::from_secs(30)).await.unwrap();
    assert_eq!(claim, None, "nobody works on them before the hours begin");

    sqlx::query("update konstruct.conversation_state set retry_at = now() where retry_at > now()")
        .execute(&mut world.admin().await)
        .await
        .unwrap();
    world.answer(&tenant, "good morning").await;
    eventually("the answer", async || world.slack.messages().len() == 2).await;
    assert_eq!(world.slack.messages()[1].shown(), "good morning");
}

#[tokio::test]
async fn a_visitor_of_a_web_chat_is_told_with_the_answer_in_the_own_language() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let snapshot = world.connect_webchat(&tenant).await;
    let snapshot = ConnectionSnapshot { manners: three_a_minute(), ..snapshot };
    world.publish(&tenant, &snapshot, &[]).await;
    let chat = crate::webchat::Visitor::new(&world, &snapshot).await;
    for number in 0..3 {
        assert_eq!(chat.say(&format!("no {number}")).await.status(), StatusCode::ACCEPTED);
    }
    let refused = chat.say("one more").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((10..=21).contains(&wait), "{wait}");
    let answer: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(answer["error"]["code"], "rate_limited");
    assert!(answer["error"]["message"].as_str().unwrap().starts_with("Automatische Nachricht"), "{answer}");
    assert!(world.outbox().await.is_empty());
}
