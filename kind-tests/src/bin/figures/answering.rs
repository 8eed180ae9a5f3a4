//! How long people wait for what was declared.

use std::time::{Duration, Instant};

use anyhow::Result;
use konstruct_kind_tests::forward::Forward;
use konstruct_kind_tests::objects::{Kind, await_gone};
use konstruct_kind_tests::tenant::PATIENCE;
use konstruct_kind_tests::webchat::Conversation;
use konstruct_kind_tests::{Cluster, TestTenant, kubectl};

use crate::figure::Figure;

const ROUNDS: usize = 20;
const ANSWER: Duration = Duration::from_secs(30);

/// From `kubectl apply` of a Tenant to the first answer of its agent, everything being Ready before it is asked.
/// The image is on the node. One tenant after another; each is gone before the next begins.
pub(crate) async fn tenant_to_answer(cluster: &Cluster) -> Result<Figure> {
    let gateway = cluster.gateway().await?;
    let mut raw = Vec::new();
    for _ in 0..ROUNDS {
        let tenant = TestTenant::new(cluster, "start");
        let start = Instant::now();
        tenant.apply_all().await?;
        tenant.all_ready().await?;
        Conversation::start(&gateway, &tenant.chat_path().await?).await?.ask("Hello", ANSWER).await?;
        raw.push(start.elapsed().as_secs_f64());
        let slug = tenant.slug.clone();
        drop(tenant);
        await_gone(&cluster.cluster_api(Kind::Tenant), &slug, PATIENCE).await?;
    }
    Ok(Figure::p95("tenant-to-answer", "s", 15.0, raw))
}

/// From the end of `kubectl apply` of changed instructions until the reply that first has them: the person writes again
/// as soon as each reply is there.
pub(crate) async fn edit_to_reply(cluster: &Cluster) -> Result<Figure> {
    let tenant = TestTenant::with_employee(cluster, "edit").await?;
    let gateway = cluster.gateway().await?;
    let chat = tenant.chat_path().await?;
    let mut raw = Vec::new();
    for round in 0..ROUNDS {
        let word = format!("round-{round}-of-the-figure.");
        kubectl::apply(&tenant.agent_yaml(&format!("Always say {word}"))).await?;
        let start = Instant::now();
        ask_until(&gateway, &chat, &word).await?;
        raw.push(start.elapsed().as_secs_f64());
    }
    Ok(Figure::p95("edit-to-reply", "s", 2.0, raw))
}

/// Each time in a new conversation: an earlier reply with the old instructions is not to be in the way.
async fn ask_until(gateway: &Forward, chat: &str, word: &str) -> Result<()> {
    while !Conversation::start(gateway, chat).await?.ask("What do you say?", ANSWER).await?.contains(word) {}
    Ok(())
}
