//! What the tenant's pods reach, seen from one of them.

mod attempt;
mod pod;
mod targets;

use konstruct_controllers::Settings;
use kube::Client;

pub use attempt::{ProbeArgs, probe};

use crate::error::Obstacle;
use crate::family::{Family, Findings};
use crate::report::{Probe, explain};
use crate::subject::{Credentials, Subject};
use attempt::Outcomes;
use targets::Targets;

struct Scene {
    targets: Targets,
    outcomes: Outcomes,
}

pub(crate) async fn probes(
    client: &Client,
    subject: &Subject,
    others: &[&Subject],
    credentials: Result<&Credentials, String>,
    settings: Result<&Settings, String>,
    internet: &str,
) -> Vec<Probe> {
    let mut family = Family::new(look(client, subject, others, credentials, settings, internet).await);
    family.claim("net-needed", "its pods reach PostgreSQL, Redis and the ai-gateway by name", needed).await;
    family
        .claim("net-tenants", "its pods reach no pod of another tenant", async |scene| {
            let nobody = "no pod of another tenant runs: start one, so that there is something to reach";
            forbidden(scene, |targets| &targets.tenants, nobody)
        })
        .await;
    family
        .claim("net-api", "its pods do not reach the Kubernetes API", async |scene| {
            forbidden(scene, |targets| &targets.api, "the API server has no address: allow get of services")
        })
        .await;
    family
        .claim("net-metadata", "its pods do not reach the cloud's metadata", async |scene| {
            forbidden(scene, |targets| &targets.metadata, "no address")
        })
        .await;
    family
        .claim("net-internet", "its pods do not reach the internet", async |scene| {
            forbidden(scene, |targets| &targets.internet, "no address: give --internet-address")
        })
        .await;
    family.finish()
}

async fn look(
    client: &Client,
    subject: &Subject,
    others: &[&Subject],
    credentials: Result<&Credentials, String>,
    settings: Result<&Settings, String>,
    internet: &str,
) -> Result<Scene, String> {
    let (credentials, settings) = (credentials?, settings?);
    let targets = Targets::find(client, others, credentials, settings, internet).await;
    let targets = targets.map_err(|error| explain(&error))?;
    let outcomes =
        Box::pin(pod::observe(client, subject, settings, &targets.needs, &targets.forbids())).await;
    Ok(Scene { targets, outcomes: outcomes.map_err(|error| explain(&error))? })
}

async fn needed(scene: &mut Scene) -> Result<Findings, Obstacle> {
    Ok(scene.missing())
}

fn forbidden(
    scene: &Scene,
    which: impl Fn(&Targets) -> &Vec<String>,
    nothing: &str,
) -> Result<Findings, Obstacle> {
    let addresses = which(&scene.targets);
    if addresses.is_empty() {
        return Err(Obstacle::Missing(nothing.to_owned()));
    }
    let reached: Findings = scene.reached(addresses).map(|address| format!("{address} is reached")).collect();
    if reached.is_empty() {
        // A pod without any network reaches nothing, and proves nothing.
        let missing = scene.missing();
        return if missing.is_empty() { Ok(reached) } else { Err(Obstacle::Missing(missing.join("; "))) };
    }
    if scene.is_unguarded() {
        return Ok(vec!["the cluster's network plug-in does not enforce NetworkPolicies".to_owned()]);
    }
    Ok(reached)
}

impl Scene {
    fn missing(&self) -> Findings {
        let outcome = |address: &String| self.outcomes.get(address).map(|found| found.said.clone());
        let is_reached = |address: &&String| self.outcomes.get(*address).is_some_and(|found| found.connected);
        let missing = self.targets.needs.iter().filter(|address| !is_reached(address));
        missing
            .map(|address| {
                format!(
                    "{address} is not reached ({})",
                    outcome(address).unwrap_or_else(|| "not tried".to_owned())
                )
            })
            .collect()
    }

    fn reached<'a>(&'a self, addresses: &'a [String]) -> impl Iterator<Item = &'a String> {
        addresses.iter().filter(|address| self.outcomes.get(*address).is_some_and(|found| found.connected))
    }

    /// What is sure to listen was reached, although the policies forbid it. Of other tenants' pods one is enough: some
    /// may have stopped since they were listed.
    fn is_unguarded(&self) -> bool {
        let Targets { tenants, api, .. } = &self.targets;
        let reaches_tenants = tenants.is_empty() || self.reached(tenants).next().is_some();
        reaches_tenants && self.reached(api).count() == api.len()
    }
}
