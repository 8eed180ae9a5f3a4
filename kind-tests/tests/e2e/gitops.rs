//! What Flux makes of a repository: applied, judged by kstatus, repaired, pruned. `kind-tests/run --gitops`, and with
//! `--control-plane-only` the part that needs no pods.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use konstruct_kind_tests::flux::{Fleet, Flux};
use konstruct_kind_tests::git::GitServer;
use konstruct_kind_tests::objects::{Kind, await_gone, await_object, condition, text};
use konstruct_kind_tests::tenant::PATIENCE;
use konstruct_kind_tests::webchat::Conversation;
use konstruct_kind_tests::{Cluster, TestTenant, kubectl, platform};
use kube::api::{Api, DynamicObject};

const ANSWER: Duration = Duration::from_secs(30);
const EXAMPLE: &str = "manifests/gitops/fleet";
const AGENTS: &str = "manifests/gitops/fleet/agents/northwind.yaml";

/// The files of the example, as somebody copies them into a repository.
fn copy_example(git: &GitServer) -> Result<()> {
    for part in ["tenants", "agents"] {
        for file in ["kustomization.yaml", "northwind.yaml"] {
            let path = format!("{EXAMPLE}/{part}/{file}");
            let text = std::fs::read_to_string(platform::repository().join(&path)).context(path.clone())?;
            git.write(&path, &text)?;
        }
    }
    Ok(())
}

/// Flux said that all is well: then each object is ready now, and nothing is waited for here.
async fn ready_now(api: &Api<DynamicObject>, name: &str) -> Result<()> {
    let object = api.get(name).await?;
    let ready = condition(&object, "Ready").is_some_and(|condition| condition["status"] == "True");
    ensure!(ready, "Flux counts it as healthy, but {name} is not Ready: {:#}", object.data["status"]);
    Ok(())
}

async fn field_is(api: &Api<DynamicObject>, name: &str, path: &str, value: &str) -> Result<()> {
    let is = |object: Option<&DynamicObject>| {
        object.and_then(|object| object.data.pointer(path)).is_some_and(|found| found == value)
    };
    await_object(api, name, &format!("{path} = {value}"), is, PATIENCE).await?;
    Ok(())
}

/// Figures go past the test program's capture, to whoever runs it with --nocapture.
fn took(what: &str, since: Instant) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{what}: {:.1} s", since.elapsed().as_secs_f64());
}

#[tokio::test]
#[ignore = "needs Flux: kind-tests/run --gitops"]
async fn the_example_is_installed_edited_repaired_and_pruned() -> Result<()> {
    let cluster = Cluster::alone().await?;
    let (git, _flux) = (GitServer::start().await?, Flux::start().await?);
    copy_example(&git)?;
    let first = git.commit("Northwind").await?;
    let since = Instant::now();
    let fleet = Fleet::follow(&cluster, &git).await?;
    fleet.is_ready("agents", &first, 2 * PATIENCE).await?;
    took("commit to tenant and agents Ready, by Flux", since);
    let (tenants, namespace) = (cluster.cluster_api(Kind::Tenant), "kt-northwind");
    let agents = cluster.api(Kind::Agent, namespace);
    let connections = cluster.api(Kind::ChannelConnection, namespace);
    ready_now(&tenants, "northwind").await?;
    ready_now(&agents, "ines").await?;
    ready_now(&connections, "website").await?;
    ready_now(&cluster.api(Kind::LLMProvider, namespace), "demo").await?;

    git.replace(AGENTS, "displayName: Ines", "displayName: Paula")?;
    let edited = git.commit("Another name").await?;
    let since = Instant::now();
    fleet.is_ready("agents", &edited, PATIENCE).await?;
    took("edit committed to Ready, by Flux", since);
    ready_now(&agents, "ines").await?;
    let path = connections.get("website").await?.data["status"]["chatPath"].as_str().map(str::to_owned);
    let path = path.context("a web chat without a path")?;
    let gateway = cluster.gateway().await?;
    let reply = Conversation::start(&gateway, &path).await?.ask("What is your name?", ANSWER).await?;
    ensure!(reply.contains("Paula"), "Flux said Ready, yet the old name answers: {reply}");

    let drift = r#"{"spec": {"displayName": "Mallory"}}"#;
    kubectl::run(&["patch", "agent", "ines", "-n", namespace, "--type=merge", "-p", drift]).await?;
    kubectl::run(&["delete", "channelconnection", "website", "-n", namespace, "--timeout=60s"]).await?;
    let since = Instant::now();
    field_is(&agents, "ines", "/spec/displayName", "Paula").await?;
    field_is(&connections, "website", "/spec/agent", "ines").await?;
    took("drift reverted, checked every 3 s", since);

    git.replace(AGENTS, "      model: scripted-demo", "      model: nobody-has-it")?;
    let broken = git.commit("A model that does not exist").await?;
    let since = Instant::now();
    let message = fleet.is_unhealthy("agents", &broken, PATIENCE).await?;
    took("broken commit to unhealthy, by Flux", since);
    ensure!(message.contains("ines"), "Flux does not name what is wrong: {message}");
    let reply = Conversation::start(&gateway, &path).await?.ask("What is your name?", ANSWER).await?;
    ensure!(reply.contains("Paula"), "the last good revision does not serve: {reply}");
    git.replace(AGENTS, "nobody-has-it", "scripted-demo")?;
    let mended = git.commit("The old model").await?;
    fleet.is_ready("agents", &mended, PATIENCE).await?;

    git.write(&format!("{EXAMPLE}/agents/kustomization.yaml"), "resources: []\n")?;
    git.commit("Nobody works here any more").await?;
    let since = Instant::now();
    await_gone(&agents, "ines", PATIENCE).await?;
    await_gone(&connections, "website", PATIENCE).await?;
    git.write(&format!("{EXAMPLE}/tenants/kustomization.yaml"), "resources: []\n")?;
    git.commit("No customer any more").await?;
    await_gone(&tenants, "northwind", PATIENCE).await?;
    await_gone(&cluster.cluster_api(Kind::Namespace), namespace, PATIENCE).await?;
    took("removal committed to everything gone", since);
    fleet.leave().await
}

/// A suspended tenant is Ready when nothing of it runs, which it is at once where nothing can run.
#[tokio::test]
#[ignore = "needs Flux: kind-tests/run --gitops"]
async fn without_pods_a_plan_and_a_tenant_follow_their_repository() -> Result<()> {
    let cluster = Cluster::alone().await?;
    let (git, _flux) = (GitServer::start().await?, Flux::start().await?);
    let names = TestTenant::new(&cluster, "gitops");
    let (slug, plan) = (&names.slug, format!("{}-plan", names.slug));
    let folder = format!("{EXAMPLE}/tenants");
    let file = format!("{folder}/tenant.yaml");
    git.write(&format!("{EXAMPLE}/agents/kustomization.yaml"), "resources: []\n")?;
    git.write(&format!("{folder}/kustomization.yaml"), "resources: [tenant.yaml]\n")?;
    git.write(
        &file,
        &format!(
            "apiVersion: konstruct.dev/v1alpha1\nkind: Plan\nmetadata: {{name: {plan}}}\nspec: {{limits: {{agents: 2}}}}\n---\n\
             apiVersion: konstruct.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: {slug}}}\n\
             spec: {{displayName: First, slug: {slug}, plan: {plan}, state: Suspended, deletionPolicy: Delete}}\n"
        ),
    )?;
    let first = git.commit("A tenant").await?;
    let since = Instant::now();
    let fleet = Fleet::follow(&cluster, &git).await?;
    fleet.is_ready("tenants", &first, PATIENCE).await?;
    took("commit to a suspended tenant Ready, by Flux", since);
    let tenants = cluster.cluster_api(Kind::Tenant);
    ready_now(&tenants, slug).await?;

    git.replace(&file, "displayName: First", "displayName: Second")?;
    git.replace(&file, "agents: 2", "agents: 4")?;
    let edited = git.commit("Larger").await?;
    fleet.is_ready("tenants", &edited, PATIENCE).await?;
    ready_now(&tenants, slug).await?;
    field_is(&tenants, slug, "/spec/displayName", "Second").await?;

    let drift = r#"{"spec": {"displayName": "Mallory"}}"#;
    kubectl::run(&["patch", "tenant", slug, "--type=merge", "-p", drift]).await?;
    kubectl::run(&["delete", "plan", &plan]).await?;
    let since = Instant::now();
    field_is(&tenants, slug, "/spec/displayName", "Second").await?;
    let there = |object: Option<&DynamicObject>| object.is_some();
    await_object(&cluster.cluster_api(Kind::Plan), &plan, "back", there, PATIENCE).await?;
    took("drift reverted, checked every 3 s", since);

    git.replace(&file, &format!("plan: {plan}"), "plan: nobody-offers-it")?;
    let broken = git.commit("A plan that does not exist").await?;
    let since = Instant::now();
    let message = fleet.is_unhealthy("tenants", &broken, PATIENCE).await?;
    took("broken commit to unhealthy, by Flux", since);
    ensure!(message.contains(slug.as_str()), "Flux does not name what is wrong: {message}");
    let tenant = tenants.get(slug).await?;
    let stalled = condition(&tenant, "Stalled").context("no condition Stalled")?;
    ensure!(text(stalled, "reason") == "MissingPlan", "{stalled:#}");
    git.replace(&file, "plan: nobody-offers-it", &format!("plan: {plan}"))?;
    let mended = git.commit("The plan that there is").await?;
    fleet.is_ready("tenants", &mended, PATIENCE).await?;

    git.write(&format!("{folder}/kustomization.yaml"), "resources: []\n")?;
    git.commit("No tenant").await?;
    let since = Instant::now();
    await_gone(&tenants, slug, PATIENCE).await?;
    await_gone(&cluster.cluster_api(Kind::Namespace), &names.namespace(), PATIENCE).await?;
    took("removal committed to everything gone", since);
    fleet.leave().await
}
