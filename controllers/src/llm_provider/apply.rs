//! Puts a provider in force for the ai-gateway.

use konstruct_domain::snapshot::ProviderSnapshot;
use konstruct_domain::{Kind, TenantId};

use super::build;
use super::validate::Validated;
use crate::framework::publish::{self, Applied, Prepared};
use crate::{Context, Error};

pub(super) fn prepare(tenant: TenantId, provider: &Validated) -> Prepared<ProviderSnapshot> {
    Prepared {
        tenant,
        kind: Kind::LLMProvider,
        name: provider.name.to_string(),
        snapshot: build::snapshot(provider),
        secrets: build::secrets(provider),
    }
}

pub(super) async fn apply(
    context: &Context,
    prepared: &Prepared<ProviderSnapshot>,
) -> Result<Applied, Error> {
    publish::publish(context, prepared).await
}
