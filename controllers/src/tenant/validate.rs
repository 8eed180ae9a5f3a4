//! Can this tenant be set up? Pure.

use konstruct_crds::{Quota, Reason, Tenant};
use konstruct_domain::Slug;
use kube::ResourceExt;

use super::dereference::{Dereferenced, RuntimeNeeds};
use crate::Problem;
use crate::framework::names::TenantRef;
use crate::framework::ownership::Ownership;
use crate::framework::quantity;

#[derive(Clone, Debug)]
pub struct Validated {
    pub(super) tenant: TenantRef,
    pub(super) display_name: String,
    pub(super) quota: Quota,
}

pub fn validate(tenant: &Tenant, found: &Dereferenced) -> Result<Validated, Vec<Problem>> {
    let mut problems = Vec::new();
    let slug = tenant.spec.slug.parse::<Slug>();
    match &slug {
        Err(error) => problems.push(Problem::new(Reason::InvalidSpec, "spec.slug", error.to_string())),
        Ok(slug) => problems.extend(conflict(slug, found)),
    }
    problems.extend(quota_problems(&tenant.spec.quota, found.runtime.as_ref()));
    match slug {
        Ok(slug) if problems.is_empty() => Ok(Validated {
            tenant: TenantRef { name: tenant.name_any(), id: found.id, slug },
            display_name: tenant.spec.display_name.clone(),
            quota: tenant.spec.quota.clone(),
        }),
        _ => Err(problems),
    }
}

fn conflict(slug: &Slug, found: &Dereferenced) -> Option<Problem> {
    let namespace = slug.namespace();
    let (reason, message) = match (&found.older_with_slug, found.namespace) {
        (Some(older), _) => {
            (Reason::SlugConflict, format!("the older Tenant {older:?} has this slug: choose another one"))
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
        (None, Ownership::Vacant | Ownership::Ours) => return None,
    };
    Some(Problem::new(reason, "spec.slug", message))
}

fn quota_problems(quota: &Quota, needs: Option<&RuntimeNeeds>) -> Vec<Problem> {
    let Quota { pods, cpu, memory } = quota;
    let mut problems = Vec::new();
    if *pods == 0 {
        problems.push(invalid("spec.quota.pods", "is 0: the tenant's runtime needs one pod".to_owned()));
    }
    let amounts = [
        ("spec.quota.cpu", cpu, needs.map(|needs| &needs.cpu)),
        ("spec.quota.memory", memory, needs.map(|needs| &needs.memory)),
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
