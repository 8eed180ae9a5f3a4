//! Claims the account and puts a connection in force for the gateway.

use konstruct_domain::snapshot::ConnectionSnapshot;
use konstruct_domain::{Kind, TenantId};
use konstruct_store::AccountClaim;

use super::build;
use super::validate::Validated;
use crate::framework::publish::{self, Applied, Prepared};
use crate::{Context, Error};

/// What came of it.
#[derive(Debug)]
pub(super) enum Outcome {
    InForce(Applied),
    /// The row says that somebody else has the account, though no older connection is to be seen: one that is just
    /// being deleted, or another installation's operator on the same database.
    AccountTaken,
}

pub(super) fn prepare(tenant: TenantId, connection: &Validated) -> Prepared<ConnectionSnapshot> {
    Prepared {
        tenant,
        kind: Kind::ChannelConnection,
        name: connection.name.to_string(),
        snapshot: build::snapshot(connection),
        secrets: build::secrets(connection),
    }
}

pub(super) async fn apply(
    context: &Context,
    account: Option<(&'static str, &str)>,
    prepared: &Prepared<ConnectionSnapshot>,
) -> Result<Outcome, Error> {
    if let Some((channel_type, account)) = account {
        context.fence.check()?;
        let claim = context
            .store
            .claim_channel_account(prepared.tenant, &prepared.name, channel_type, account)
            .await?;
        if claim == AccountClaim::HeldByAnother {
            return Ok(Outcome::AccountTaken);
        }
    }
    publish::publish(context, prepared).await.map(Outcome::InForce)
}
