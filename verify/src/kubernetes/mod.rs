//! The Kubernetes API, about the tenant: what its service account may do, and whether the namespace is what the
//! operator would make of it.

mod access;
mod admission;
mod bindings;
mod namespace;
mod policies;
mod workload;

use konstruct_controllers::Settings;
use konstruct_controllers::framework::compare::covers;
use konstruct_controllers::framework::ownership::Ownership;
use konstruct_controllers::tenant::build::{Boundary, Prepared, boundary};
use konstruct_controllers::tenant::egress::Hosts;
use konstruct_controllers::tenant::validate::{Validated, validate};
use konstruct_controllers::tenant::{Dereferenced, PlanLookup, Surplus};
use konstruct_crds::Plan;
use kube::{Api, Client, Resource};
use serde::Serialize;

use crate::error::Obstacle;
use crate::family::Family;
use crate::report::Probe;
use crate::subject::Subject;

/// What the probes of this family look at.
pub(crate) struct Scene<'a> {
    client: &'a Client,
    subject: &'a Subject,
    /// Namespaces of others.
    elsewhere: Vec<String>,
    /// None where the operator's flags could not be read, with the reason.
    settings: Result<Settings, String>,
    plan: Result<PlanLookup, String>,
}

/// Other tenants whose namespaces are tried verb by verb. A binding in any further one is found by its subjects.
const NEIGHBOURS: usize = 1;

pub(crate) async fn probes(
    client: &Client,
    subject: &Subject,
    others: &[&Subject],
    settings: Result<Settings, String>,
) -> Vec<Probe> {
    let system = settings.as_ref().map_or("konstruct-system", |settings| settings.system_namespace.as_str());
    let mut elsewhere: Vec<String> = others.iter().take(NEIGHBOURS).map(|other| other.namespace()).collect();
    elsewhere.push(system.to_owned());
    let plan = plan(client, subject).await;
    let mut family = Family::new(Ok(Scene { client, subject, elsewhere, settings, plan }));
    access::claims(&mut family).await;
    bindings::claims(&mut family).await;
    namespace::claims(&mut family).await;
    policies::claims(&mut family).await;
    workload::claims(&mut family).await;
    admission::claims(&mut family).await;
    family.finish()
}

async fn plan(client: &Client, subject: &Subject) -> Result<PlanLookup, String> {
    let Some(name) = &subject.tenant.spec.plan else { return Ok(PlanLookup::NotNamed) };
    match Api::<Plan>::all(client.clone()).get_opt(name).await {
        Ok(Some(plan)) => Ok(PlanLookup::Found(plan.spec)),
        Ok(None) => Ok(PlanLookup::Missing(name.clone())),
        Err(error) => Err(format!("Plan {name:?} cannot be read: {error}")),
    }
}

impl Scene<'_> {
    fn inside<K>(&self) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.subject.namespace())
    }

    fn settings(&self) -> Result<&Settings, Obstacle> {
        self.settings.as_ref().map_err(|why| Obstacle::Missing(why.clone()))
    }

    /// What the operator would render.
    fn rendered(&self) -> Result<(Validated, Boundary<Prepared>), Obstacle> {
        self.rendered_with(Hosts::new())
    }

    /// The same, with what it found for the hosts of the extra egress.
    fn rendered_with(&self, hosts: Hosts) -> Result<(Validated, Boundary<Prepared>), Obstacle> {
        let settings = self.settings()?;
        let found = Dereferenced {
            id: self.subject.id,
            namespace: Ownership::Ours,
            slug_taken_by: None,
            runtime: None,
            plan: self.plan.clone().map_err(Obstacle::Missing)?,
            surplus: Surplus::default(),
            hosts,
            dedicated: Vec::new(),
        };
        let valid = validate(&self.subject.tenant, &found).map_err(|_| {
            Obstacle::Missing("the Tenant's spec is not valid: see its condition Ready".to_owned())
        })?;
        let boundary = boundary(&valid, settings);
        Ok((valid, boundary))
    }
}

/// Whether two values say the same, defaults and notation apart: neither has what the other lacks.
fn same<T: Serialize>(live: &T, wanted: &T) -> bool {
    let json = |value: &T| serde_json::to_value(value).unwrap_or_default();
    let (live, wanted) = (json(live), json(wanted));
    covers(&live, &wanted) && covers(&wanted, &live)
}

/// Whether everything wanted is there.
fn has<T: Serialize>(live: &T, wanted: &T) -> bool {
    let json = |value: &T| serde_json::to_value(value).unwrap_or_default();
    covers(&json(live), &json(wanted))
}
