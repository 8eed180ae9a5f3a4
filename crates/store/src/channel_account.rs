//! Which connection owns an account at a platform: one owner in the installation.

use konstruct_domain::TenantId;
use sqlx::PgConnection;

use crate::{Result, Store};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountClaim {
    /// The connection owns the account.
    Held,
    /// Another connection, of this or another tenant, owns it.
    HeldByAnother,
}

impl Store {
    pub async fn claim_channel_account(
        &self,
        tenant: TenantId,
        connection: &str,
        channel_type: &str,
        account: &str,
    ) -> Result<AccountClaim> {
        let mut transaction = self.begin(tenant).await?;
        sqlx::query!(
            "insert into konstruct.channel_account (channel_type, account, connection) values ($1, $2, $3)
             on conflict (channel_type, account) do nothing",
            channel_type,
            account,
            connection
        )
        .execute(&mut *transaction)
        .await?;
        // Row-level security hides another tenant's claim; the row is ours or there is none to see.
        let held = sqlx::query_scalar!(
            r#"select exists (select from konstruct.channel_account
               where channel_type = $1 and account = $2 and connection = $3) as "held!""#,
            channel_type,
            account,
            connection
        )
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(if held { AccountClaim::Held } else { AccountClaim::HeldByAnother })
    }
}

/// Nobody listens for the connection from now on, on purpose: what is written meanwhile is not missed.
pub(crate) async fn release(transaction: &mut PgConnection, connection: &str) -> Result<()> {
    sqlx::query!("delete from konstruct.channel_account where connection = $1", connection)
        .execute(&mut *transaction)
        .await?;
    sqlx::query!("delete from konstruct.listening where connection = $1", connection)
        .execute(transaction)
        .await?;
    Ok(())
}
