//! The condition `IsolationVerified`, under a field manager of its own: the operator leaves it alone.

use konstruct_crds::{Condition, ConditionStatus, ConditionType, Reason, ResourceStatus, Tenant, conditions};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use serde_json::json;

use crate::Error;
use crate::report::{TenantReport, Verdict};
use crate::subject::Subject;

const MANAGER: &str = "konstruct-verify";

pub(crate) async fn write(client: &Client, subject: &Subject, report: &TenantReport) -> Result<(), Error> {
    let tenants: Api<Tenant> = Api::all(client.clone());
    let condition = condition(&subject.tenant, report);
    let patch = json!({
        "apiVersion": Tenant::api_version(&()),
        "kind": Tenant::kind(&()),
        // The UID keeps us from describing a Tenant of the same name that was made since.
        "metadata": {"name": subject.name, "uid": subject.tenant.metadata.uid},
        "status": {"conditions": [condition]},
    });
    let params = PatchParams::apply(MANAGER).force();
    let written = tenants.patch_status(&subject.name, &params, &Patch::Apply(patch)).await;
    written.map(drop).map_err(|source| Error::WriteCondition { tenant: subject.name.clone(), source })
}

fn condition(tenant: &Tenant, report: &TenantReport) -> Condition {
    let passed = report.passed().len();
    let (status, reason, message) = match report.verdict() {
        Verdict::Isolated => {
            (ConditionStatus::True, Reason::ProbesPassed, format!("all {passed} claims hold"))
        }
        Verdict::Breached => (
            ConditionStatus::False,
            Reason::IsolationBreached,
            format!("open: {}", report.breached().join(", ")),
        ),
        Verdict::Unverified => (
            ConditionStatus::Unknown,
            Reason::ProbesSkipped,
            format!("{passed} claims hold; not verified: {}", report.skipped().join(", ")),
        ),
    };
    let generation = tenant.metadata.generation.unwrap_or(0);
    let new = Condition::new(ConditionType::IsolationVerified, status, reason, message, generation);
    // What stays the same keeps its transition time.
    let before = tenant.status.as_ref().and_then(|status| status.condition(ConditionType::IsolationVerified));
    let mut kept: Vec<Condition> = before.cloned().into_iter().collect();
    conditions::set(&mut kept, new.clone());
    kept.pop().unwrap_or(new)
}
