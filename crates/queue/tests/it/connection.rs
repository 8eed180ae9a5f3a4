//! Commands that are sent together, against a real Redis.

use futures::FutureExt;
use futures::future::join_all;
use konstruct_domain::message::{HistoryLine, Speaker};
use konstruct_domain::{ConversationId, TenantId};
use konstruct_queue::Bus;
use konstruct_testkit::{redis_url, unique_slug};
use redis::AsyncCommands;
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::SOON;

fn conversations(count: u128) -> Vec<ConversationId> {
    let base = Uuid::new_v4().as_u128();
    (0..count).map(|number| ConversationId::new(Uuid::from_u128(base ^ number))).collect()
}

fn said(number: usize) -> Vec<HistoryLine> {
    vec![HistoryLine { speaker: Speaker::Person, text: format!("line {number}") }]
}

#[tokio::test]
async fn each_of_many_gets_its_own_answer_and_an_error_is_of_one_alone() {
    let bus = Bus::connect(&redis_url()).unwrap();
    let tenant = TenantId::from_slug(&unique_slug("together"));
    let all = conversations(100);
    let keep = |(number, conversation): (usize, &ConversationId)| {
        let (bus, conversation) = (bus.clone(), *conversation);
        async move { bus.put_window(tenant, conversation, 1, &said(number)).await }
    };
    join_all(all.iter().enumerate().map(keep)).await;

    // What is no window cannot be read as one, and Redis says so.
    let client = redis::Client::open(redis_url().expose_secret()).unwrap();
    let mut own = client.get_multiplexed_async_connection().await.unwrap();
    let broken = format!("kt:{tenant}:window:{}", all[50]);
    own.del::<_, ()>(&broken).await.unwrap();
    own.lpush::<_, _, ()>(&broken, "x").await.unwrap();

    let kept = join_all(all.iter().map(|conversation| bus.window(tenant, *conversation, 1))).await;
    for (number, window) in kept.into_iter().enumerate() {
        let expected = (number != 50).then(|| said(number));
        assert_eq!(window, expected, "{number}");
    }
}

#[test]
fn a_runtime_that_ends_takes_no_later_command_with_it() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (first, second) = (runtime(), runtime());
    let bus = first.block_on(async { Bus::connect(&redis_url()).unwrap() });
    let tenant = TenantId::from_slug(&unique_slug("runtimes"));
    let conversation = conversations(1)[0];
    // Asked for and never sent: the runtime ends first.
    let other = bus.clone();
    first.spawn(async move { other.window(tenant, conversation, 1).await });
    first.block_on(tokio::task::yield_now());
    drop(first);
    second.block_on(async {
        // The first command finds out that the old connection has gone.
        let _ = tokio::time::timeout(SOON, bus.ping()).await.expect("an answer, good or bad");
        bus.put_window(tenant, conversation, 1, &said(1)).await;
        assert_eq!(bus.window(tenant, conversation, 1).await, Some(said(1)));
    });
}

#[tokio::test]
async fn who_goes_away_before_a_command_is_sent_takes_nobody_elses_answer() {
    let bus = Bus::connect(&redis_url()).unwrap();
    let tenant = TenantId::from_slug(&unique_slug("gone"));
    let all = conversations(3);
    for (number, conversation) in all.iter().enumerate() {
        bus.put_window(tenant, *conversation, 1, &said(number)).await;
    }
    for _ in 0..3 {
        assert!(bus.window(tenant, all[0], 1).now_or_never().is_none(), "it is not sent yet");
        let answers = async {
            for (number, conversation) in all.iter().enumerate() {
                tokio::task::yield_now().await;
                assert_eq!(bus.window(tenant, *conversation, 1).await, Some(said(number)));
            }
        };
        tokio::time::timeout(SOON, answers).await.expect("answers in time");
    }
}
