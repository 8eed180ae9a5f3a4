//! What a tenant's login can do to others, tried out. For `konstruct verify isolation`, which holds the tenant's own
//! credentials and no others.
//!
//! Each method returns what was possible and must not be: an empty list is a claim that holds. What needs a statement
//! that might succeed runs it in a transaction that is rolled back. Tables come from the catalogue, so statements about
//! them cannot be checked when this compiles.

mod attempt;
mod beyond_rows;
mod catalogue;
mod rights;
mod roles;
mod rows;
mod side_channels;

use std::time::Duration;

use konstruct_domain::TenantId;
use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

use crate::Result;
use crate::connect::options;
use attempt::Attempt;

pub use rows::Stance;

/// What was possible, one finding a line.
pub type Findings = Vec<String>;

/// A session of a tenant's login role.
#[derive(Debug)]
pub struct TenantProbe {
    options: PgConnectOptions,
    connection: PgConnection,
    tenant: TenantId,
}

/// A login has a limited number of connections, and a forwarded one that was closed lives on for a moment.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(250);
const TOO_MANY_CONNECTIONS: &str = "53300";

async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    let mut tries = 1;
    loop {
        match options.connect().await {
            Err(sqlx::Error::Database(error))
                if error.code().as_deref() == Some(TOO_MANY_CONNECTIONS) && tries < TRIES =>
            {
                tries += 1;
                tokio::time::sleep(PAUSE).await;
            }
            other => return Ok(other?),
        }
    }
}

impl TenantProbe {
    pub async fn connect(url: &SecretString, tenant: TenantId) -> Result<Self> {
        let options = options(url, "konstruct-verify")?;
        let connection = connect(&options).await?;
        Ok(Self { options, connection, tenant })
    }

    /// The tenant that the database takes this login for must be the one that it was made for.
    pub async fn bound_to_another(&mut self) -> Result<Findings> {
        let bound = sqlx::query_scalar!(r#"select konstruct.current_tenant() as "tenant!""#)
            .fetch_one(&mut self.connection)
            .await?;
        let expected = self.tenant.as_uuid();
        Ok(if bound == expected {
            Vec::new()
        } else {
            vec![format!("acts for {bound} instead of {expected}")]
        })
    }

    /// Tries statements that must all be refused.
    async fn allowed_of(&mut self, statements: impl IntoIterator<Item = String>) -> Result<Findings> {
        let mut allowed = Vec::new();
        for statement in statements {
            match self.attempt(&[], &statement).await? {
                Attempt::Refused => {}
                Attempt::Done { .. } => allowed.push(statement),
                Attempt::Failed { code, message } => {
                    return Err(crate::Error::Inconclusive { statement, code, message });
                }
            }
        }
        Ok(allowed)
    }
}
