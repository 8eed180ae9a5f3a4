//! Brings the database to this version's schema. Run by `konstruct migrate` with the owner's rights.

use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, PgConnection};

use crate::{Error, Result};

/// Passwords for the platform's login roles. A role without one keeps what it has.
#[derive(Debug, Default)]
pub struct RolePasswords {
    pub operator: Option<SecretString>,
    pub gateway: Option<SecretString>,
    pub ai_gateway: Option<SecretString>,
}

pub async fn migrate(admin_url: &SecretString, passwords: &RolePasswords) -> Result<()> {
    let mut connection = PgConnection::connect(admin_url.expose_secret()).await?;
    sqlx::migrate!("../../migrations").run(&mut connection).await.map_err(Error::Migrate)?;
    for (role, password) in [
        ("konstruct_operator", &passwords.operator),
        ("konstruct_gateway", &passwords.gateway),
        ("konstruct_ai_gateway", &passwords.ai_gateway),
    ] {
        if let Some(password) = password {
            sqlx::query!("select konstruct.enable_login($1::text::name, $2)", role, password.expose_secret())
                .execute(&mut connection)
                .await?;
        }
    }
    connection.close().await?;
    Ok(())
}
