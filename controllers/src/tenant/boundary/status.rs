//! What the provisioner says of a Tenant: its namespace, and whether the walls stand. Pure.

use konstruct_crds::{ConditionType, Reason, Tenant, TenantStatus};
use kube::ResourceExt;

use crate::framework::status::{StatusBuilder, only};
use crate::tenant::build::{Applied, Boundary};
use crate::tenant::egress::{Fault, Opening};
use crate::{Error, Problem};

/// The provisioner's part of a status. The workload controller writes all that is not in it.
pub(in crate::tenant) fn share(status: &TenantStatus) -> TenantStatus {
    let conditions = only(status, is_ours).conditions;
    TenantStatus { namespace: status.namespace.clone(), conditions, ..TenantStatus::default() }
}

const OURS: [ConditionType; 2] = [ConditionType::NamespaceReady, ConditionType::EgressResolved];

pub(in crate::tenant) fn is_ours(type_: ConditionType) -> bool {
    OURS.contains(&type_)
}

pub(in crate::tenant) fn applied(
    tenant: &Tenant,
    egress: &[Opening],
    boundary: &Boundary<Applied>,
) -> TenantStatus {
    let mut builder = StatusBuilder::new(tenant);
    let namespace = boundary.namespace.name_any();
    let message = format!("namespace {namespace} has its policies, quota and limits");
    builder.set(ConditionType::NamespaceReady, true, Reason::Succeeded, message);
    builder.status_mut().namespace = Some(namespace);
    extra_egress(&mut builder, egress);
    builder.finish()
}

/// Says which hosts are not as they should be. True as long as none of them is shut altogether.
fn extra_egress(builder: &mut StatusBuilder<TenantStatus>, egress: &[Opening]) {
    let mut hosts = egress.iter().filter_map(|opening| Some((opening.host.as_deref()?, opening))).peekable();
    if hosts.peek().is_none() {
        return;
    }
    let faults: Vec<(Reason, String)> = hosts.filter_map(|(host, opening)| fault(host, opening)).collect();
    let is_shut = egress.iter().any(|opening| opening.fault.is_some() && opening.blocks.is_empty());
    match faults.first() {
        None => builder.set(ConditionType::EgressResolved, true, Reason::Succeeded, "every host was found"),
        Some((reason, _)) => {
            let messages: Vec<&str> = faults.iter().map(|(_, message)| message.as_str()).collect();
            builder.set(ConditionType::EgressResolved, !is_shut, *reason, messages.join("; "))
        }
    };
}

fn fault(host: &str, opening: &Opening) -> Option<(Reason, String)> {
    let rest =
        if opening.blocks.is_empty() { "nothing is open for it" } else { "its other addresses stay open" };
    Some(match opening.fault.as_ref()? {
        Fault::NotResolved(error) => {
            (Reason::HostNotResolved, format!("host {host} was not found ({error}): {rest}"))
        }
        Fault::Refused { address, what } => (
            Reason::AddressRefused,
            format!("host {host} has the address {address}, which is refused ({what}): {rest}"),
        ),
    })
}

/// A spec that cannot work leaves the walls as they are, unless the namespace itself is what is wrong.
pub(in crate::tenant) fn invalid(tenant: &Tenant, problems: &[Problem]) -> TenantStatus {
    let mut builder = StatusBuilder::new(tenant);
    let claims_namespace =
        |problem: &&Problem| problem.is_about_namespace() || problem.reason == Reason::SlugConflict;
    if let Some(problem) = problems.iter().find(claims_namespace) {
        builder.set(ConditionType::NamespaceReady, false, problem.reason, &problem.message);
    } else {
        keep(&mut builder);
    }
    builder.finish()
}

/// Walls that stood are taken to stand: an API server that is away for a minute takes no employee away.
pub(in crate::tenant) fn after_failure(tenant: &Tenant, error: &Error) -> TenantStatus {
    let generation = tenant.metadata.generation.unwrap_or(0);
    let mut builder = StatusBuilder::new(tenant);
    keep(&mut builder);
    let stands = builder
        .get(ConditionType::NamespaceReady)
        .is_some_and(|ready| ready.is_true() && ready.observed_generation == generation);
    if !stands {
        builder.set(ConditionType::NamespaceReady, false, error.reason(), error.advice());
    }
    builder.finish()
}

/// This pass has learned nothing about the walls.
fn keep(builder: &mut StatusBuilder<TenantStatus>) {
    let namespace = builder.previous().namespace.clone();
    builder.status_mut().namespace = namespace;
    for type_ in OURS {
        builder.keep(type_);
    }
}
