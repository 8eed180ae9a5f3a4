//! Can this tenant be set up? Pure.

use konstruct_crds::{Reason, Scheduling, Tenant, TenantState};
use konstruct_domain::{AgentName, Slug};
use kube::ResourceExt;

use super::dereference::{Dereferenced, PlanLookup, RuntimeNeeds, Surplus};
use super::egress::{self, Opening};
use super::entitlement::{Entitlement, FullQuota, TenantLimits, entitlement};
use crate::Problem;
use crate::framework::names::TenantRef;
use crate::framework::ownership::Ownership;
use crate::framework::quantity;

#[derive(Clone, Debug)]
pub struct Validated {
    pub(super) tenant: TenantRef,
    pub(super) display_name: String,
    pub(super) state: TenantState,
    pub(super) entitlement: Entitlement,
    pub(super) scheduling: Scheduling,
    pub(super) surplus: Surplus,
    /// Those of the Tenant's admins who are above the limit.
    pub(super) without_seat: Vec<String>,
    pub(super) egress: Vec<Opening>,
    pub(super) dedicated: Vec<AgentName>,
}

impl Validated {
    /// What counts against the tenant's agents and connections.
    pub const fn limits(&self) -> TenantLimits {
        self.entitlement.limits
    }
}

pub fn validate(tenant: &Tenant, found: &Dereferenced) -> Result<Validated, Vec<Problem>> {
    let mut problems = Vec::new();
    let slug = tenant.spec.slug.parse::<Slug>();
    match &slug {
        Err(error) => problems.push(Problem::new(Reason::InvalidSpec, "spec.slug", error.to_string())),
        Ok(slug) => problems.extend(conflict(slug, found)),
    }
    let entitlement = entitled(tenant, found).map_err(|more| problems.extend(more)).ok();
    if let Some(entitlement) = &entitlement {
        problems.extend(quota_problems(entitlement, found.runtime.as_ref()));
    }
    let openings = egress::openings(&tenant.spec.extra_egress, &found.hosts);
    let egress = openings.map_err(|more| problems.extend(more)).ok();
    match (slug, entitlement, egress) {
        (Ok(slug), Some(entitlement), Some(egress)) if problems.is_empty() => Ok(Validated {
            tenant: TenantRef { name: tenant.name_any(), id: found.id, slug },
            display_name: tenant.spec.display_name.clone(),
            state: tenant.spec.state,
            without_seat: without_seat(&tenant.spec.admins, entitlement.limits.seats),
            entitlement,
            scheduling: tenant.spec.scheduling.clone(),
            surplus: found.surplus.clone(),
            egress,
            dedicated: found.dedicated.clone(),
        }),
        _ => Err(problems),
    }
}

fn entitled(tenant: &Tenant, found: &Dereferenced) -> Result<Entitlement, Vec<Problem>> {
    let plan = match &found.plan {
        PlanLookup::NotNamed => None,
        PlanLookup::Found(plan) => Some(plan),
        PlanLookup::Missing(name) => {
            let message = format!("Plan {name:?} does not exist: create it or correct the name");
            return Err(vec![Problem::new(Reason::MissingPlan, "spec.plan", message)]);
        }
    };
    entitlement(&tenant.spec, plan)
}

fn without_seat(admins: &[String], seats: Option<u16>) -> Vec<String> {
    seats.map_or_else(Vec::new, |seats| admins.iter().skip(seats.into()).cloned().collect())
}

fn conflict(slug: &Slug, found: &Dereferenced) -> Option<Problem> {
    let namespace = slug.namespace();
    let (reason, message) = match (&found.slug_taken_by, found.namespace) {
        (Some(other), _) => {
            (Reason::SlugConflict, format!("Tenant {other:?} has this slug: choose another one"))
        }
        (None, Ownership::Foreign) => (
            Reason::NamespaceConflict,
            format!(
                "namespace {namespace:?} exists already and was not made for this Tenant; nothing in it was touched: \
                 choose another slug, or delete that namespace if nothing in it is needed"
            ),
        ),
        (None, Ownership::Terminating) => (
            Reason::NamespaceTerminating,
            format!("namespace {namespace:?} is being deleted; it is made again when that is done"),
        ),
        (None, Ownership::Missing) => (
            Reason::NamespaceMissing,
            format!(
                "namespace {namespace:?} does not exist, and this installation makes none: ask the platform's \
                 administrator for it"
            ),
        ),
        (None, Ownership::Vacant | Ownership::Given | Ownership::Ours) => return None,
    };
    Some(Problem::new(reason, "spec.slug", message))
}

/// The quota must have room for the runtime, whose size the plan may say.
fn quota_problems(entitlement: &Entitlement, needs: Option<&RuntimeNeeds>) -> Vec<Problem> {
    let FullQuota { pods, cpu, memory, ephemeral_storage, secrets: _, config_maps: _ } = &entitlement.quota;
    let planned = entitlement
        .runtime
        .as_ref()
        .map(|size| RuntimeNeeds { cpu: size.cpu.clone(), memory: size.memory.clone() });
    let needs = needs.map(|default| planned.as_ref().unwrap_or(default));
    let mut problems = Vec::new();
    if *pods == 0 {
        problems.push(invalid("spec.quota.pods", "is 0: the tenant's runtime needs one pod".to_owned()));
    }
    let amounts = [
        ("spec.quota.cpu", cpu, needs.map(|needs| &needs.cpu)),
        ("spec.quota.memory", memory, needs.map(|needs| &needs.memory)),
        ("spec.quota.ephemeralStorage", ephemeral_storage, None),
    ];
    for (field, amount, need) in amounts {
        let least = need.and_then(|need| quantity::milli(need)).unwrap_or(1);
        match quantity::milli(amount) {
            None => problems.push(invalid(field, format!("{amount:?} is no quantity: write 500m, 2 or 2Gi"))),
            Some(milli) if milli < least => {
                let need = need.map_or("more than 0", String::as_str);
                problems.push(invalid(
                    field,
                    format!("{amount} is too little: the tenant's runtime needs {need}"),
                ));
            }
            Some(_) => {}
        }
    }
    problems
}

fn invalid(field: &str, message: String) -> Problem {
    Problem::new(Reason::InvalidSpec, field, message)
}
