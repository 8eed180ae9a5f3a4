//! Puts an agent in force for its tenant's runtime.

use konstruct_domain::snapshot::AgentSnapshot;
use konstruct_domain::{Kind, TenantId};

use super::build;
use super::validate::Validated;
use crate::framework::publish::{self, Applied, Prepared};
use crate::{Context, Error};

pub(super) fn prepare(tenant: TenantId, agent: &Validated) -> Prepared<AgentSnapshot> {
    Prepared {
        tenant,
        kind: Kind::Agent,
        name: agent.name.to_string(),
        snapshot: build::snapshot(agent),
        secrets: Vec::new(),
    }
}

pub(super) async fn apply(context: &Context, prepared: &Prepared<AgentSnapshot>) -> Result<Applied, Error> {
    publish::publish(context, prepared).await
}
