//! The samples of the repository, as somebody who tries the product applies them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use konstruct_kind_tests::objects::{Kind, await_status};
use konstruct_kind_tests::tenant::PATIENCE;
use konstruct_kind_tests::webchat::Conversation;
use konstruct_kind_tests::{Cluster, samples};
use kube::api::ListParams;

#[tokio::test]
async fn the_samples_become_ready_and_answer() -> Result<()> {
    let cluster = Cluster::alone().await?;
    let tenants = samples::apply(&cluster).await?;
    ensure!(tenants.len() >= 2, "the samples have {} tenants", tenants.len());
    let gateway = cluster.gateway().await?;
    for slug in &tenants {
        await_status(&cluster.cluster_api(Kind::Tenant), slug, "Ready", "True", PATIENCE).await?;
        let namespace = format!("kt-{slug}");
        for kind in [Kind::LLMProvider, Kind::Agent, Kind::ChannelConnection] {
            let api = cluster.api(kind, &namespace);
            for object in api.list(&ListParams::default()).await?.items {
                let name = object.metadata.name.context("an object without a name")?;
                let object = {
                    await_status(&api, &name, "Ready", "True", PATIENCE).await?;
                    api.get(&name).await?
                };
                if let Some(path) = object.data.pointer("/status/chatPath").and_then(|path| path.as_str()) {
                    let reply = Conversation::start(&gateway, path)
                        .await?
                        .ask("What is your name?", Duration::from_secs(30))
                        .await?;
                    let agent =
                        object.data["spec"]["agent"].as_str().context("a connection without an agent")?;
                    let agent = cluster.api(Kind::Agent, &namespace).get(agent).await?;
                    let shown =
                        agent.data["spec"]["displayName"].as_str().context("an agent without a name")?;
                    ensure!(reply.contains(shown), "{shown} of {slug} answered: {reply}");
                }
            }
        }
    }
    samples::delete(&cluster).await
}
