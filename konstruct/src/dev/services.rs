//! PostgreSQL and Redis: those of the environment, else private ones of our own.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use konstruct_local_services::{Dir, LocalServices, Options};
use konstruct_store::RolePasswords;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use tokio::task::spawn_blocking;

use super::keys::Keys;

/// Login roles that the migrations make.
pub(crate) const OPERATOR: &str = "konstruct_operator";
pub(crate) const GATEWAY: &str = "konstruct_gateway";
pub(crate) const AI_GATEWAY: &str = "konstruct_ai_gateway";

pub(crate) struct Services {
    database: SecretString,
    redis: SecretString,
    /// None when the environment names others.
    local: Option<LocalServices>,
    /// Where the data of our own ones is.
    data: PathBuf,
}

impl Services {
    /// Starts what the environment does not name.
    pub(crate) async fn start(
        state: &Path,
        database: Option<SecretString>,
        redis: Option<SecretString>,
    ) -> Result<Self> {
        let data = state.join("services");
        if let (Some(database), Some(redis)) = (database.clone(), redis.clone()) {
            return Ok(Self { database, redis, local: None, data });
        }
        let options = Options { dir: Dir::Persistent(data.clone()), durable: true };
        let local = spawn_blocking(move || LocalServices::start(&options)).await??;
        Ok(Self {
            database: database.unwrap_or_else(|| local.database_url().to_owned().into()),
            redis: redis.unwrap_or_else(|| local.redis_url().to_owned().into()),
            local: Some(local),
            data,
        })
    }

    /// Brings the schema up to date and gives the platform's roles their passwords.
    pub(crate) async fn migrate(&self, keys: &Keys) -> Result<()> {
        let passwords = RolePasswords {
            operator: Some(keys.password(OPERATOR)),
            gateway: Some(keys.password(GATEWAY)),
            ai_gateway: Some(keys.password(AI_GATEWAY)),
        };
        konstruct_store::migrate(&self.database, &passwords).await.with_context(|| self.advice())
    }

    /// What to do about a database that cannot be brought up to date.
    fn advice(&self) -> String {
        match &self.local {
            Some(local) if local.database_url() == self.database.expose_secret() => format!(
                "cannot prepare our own database; to start afresh, without what was said so far, delete {}",
                self.data.display()
            ),
            _ => {
                "cannot prepare the database; DATABASE_URL must name a user who may create roles and schemas"
                    .to_owned()
            }
        }
    }

    pub(crate) fn database_url(&self, user: &str, password: &SecretString) -> Result<SecretString> {
        with_credentials(&self.database, user, password).context("DATABASE_URL")
    }

    /// The address for the shared roles.
    pub(crate) fn redis_url(&self) -> &SecretString {
        &self.redis
    }

    pub(crate) fn tenant_redis_url(&self, user: &str, password: &SecretString) -> Result<SecretString> {
        with_credentials(&self.redis, user, password).context("REDIS_URL")
    }

    /// Where files lie that people send.
    pub(crate) fn media_folder(&self) -> String {
        self.data.with_file_name("media").display().to_string()
    }

    /// "our own" or where the environment points to, for people.
    pub(crate) fn describe(&self) -> String {
        let host = |url: &SecretString| {
            let parsed = Url::parse(url.expose_secret()).ok();
            parsed.map_or_else(String::new, |url| {
                format!(
                    "{}:{}",
                    url.host_str().unwrap_or_default(),
                    url.port().map_or(String::new(), |p| p.to_string())
                )
            })
        };
        let owner = if self.local.is_some() { "private" } else { "yours" };
        format!("PostgreSQL {} and Redis {} ({owner})", host(&self.database), host(&self.redis))
    }

    pub(crate) async fn stop(self) -> Result<()> {
        spawn_blocking(move || drop(self.local)).await.context("cannot stop the local servers")
    }
}

/// The same server for another user.
fn with_credentials(url: &SecretString, user: &str, password: &SecretString) -> Result<SecretString> {
    let refused = || anyhow!("needs the form scheme://user:password@host:port/name");
    let mut url = Url::parse(url.expose_secret()).map_err(|_| refused())?;
    url.set_username(user).map_err(|()| refused())?;
    url.set_password(Some(password.expose_secret())).map_err(|()| refused())?;
    Ok(String::from(url).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_user_of_the_same_server() {
        let admin = "postgres://postgres:secret@127.0.0.1:5432/postgres?sslmode=disable".to_owned().into();
        let tenant = with_credentials(&admin, "kt_acme", &"pw".to_owned().into()).unwrap();
        assert_eq!(tenant.expose_secret(), "postgres://kt_acme:pw@127.0.0.1:5432/postgres?sslmode=disable");
        assert!(with_credentials(&"nonsense".to_owned().into(), "a", &"b".to_owned().into()).is_err());
    }
}
