//! What the provisioner says of a Tenant: its namespace, and whether the walls stand. Pure.

use konstruct_crds::conditions::ResourceStatus;
use konstruct_crds::{ConditionType, Reason, Tenant, TenantStatus};
use kube::ResourceExt;

use crate::framework::status::{StatusBuilder, only};
use crate::tenant::build::{Applied, Boundary};
use crate::{Error, Problem};

/// The provisioner's part of a status. The workload controller writes all that is not in it.
pub(in crate::tenant) fn share(status: &TenantStatus) -> TenantStatus {
    let conditions = only(status, is_ours).conditions;
    TenantStatus { namespace: status.namespace.clone(), conditions, ..TenantStatus::default() }
}

pub(in crate::tenant) const fn is_ours(type_: ConditionType) -> bool {
    matches!(type_, ConditionType::NamespaceReady)
}

pub(in crate::tenant) fn applied(tenant: &Tenant, boundary: &Boundary<Applied>) -> TenantStatus {
    let mut builder = StatusBuilder::new(tenant);
    let namespace = boundary.namespace.name_any();
    let message = format!("namespace {namespace} has its policies, quota and limits");
    builder.set(ConditionType::NamespaceReady, true, Reason::Succeeded, message);
    builder.status_mut().namespace = Some(namespace);
    builder.finish()
}

/// A spec that cannot work leaves the walls as they are, unless the namespace itself is what is wrong.
pub(in crate::tenant) fn invalid(tenant: &Tenant, problems: &[Problem]) -> TenantStatus {
    let mut builder = StatusBuilder::new(tenant);
    let claims_namespace = |problem: &&Problem| {
        matches!(
            problem.reason,
            Reason::SlugConflict | Reason::NamespaceConflict | Reason::NamespaceTerminating
        )
    };
    if let Some(problem) = problems.iter().find(claims_namespace) {
        builder.set(ConditionType::NamespaceReady, false, problem.reason, &problem.message);
    } else {
        keep_namespace(&mut builder);
        builder.keep(ConditionType::NamespaceReady);
    }
    builder.finish()
}

/// Walls that stood are taken to stand: an API server that is away for a minute takes no employee away.
pub(super) fn after_failure(tenant: &Tenant, error: &Error) -> TenantStatus {
    let generation = tenant.metadata.generation.unwrap_or(0);
    let mut builder = StatusBuilder::new(tenant);
    keep_namespace(&mut builder);
    let stands = builder
        .previous()
        .condition(ConditionType::NamespaceReady)
        .is_some_and(|ready| ready.is_true() && ready.observed_generation == generation);
    if stands {
        builder.keep(ConditionType::NamespaceReady);
    } else {
        builder.set(ConditionType::NamespaceReady, false, error.reason(), error.advice());
    }
    builder.finish()
}

fn keep_namespace(builder: &mut StatusBuilder<TenantStatus>) {
    let namespace = builder.previous().namespace.clone();
    builder.status_mut().namespace = namespace;
}
