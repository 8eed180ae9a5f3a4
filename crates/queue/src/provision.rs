//! A tenant's Redis user. Run by the operator.

use konstruct_domain::{Slug, TenantId};
use redis::AsyncCommands;
use secrecy::{ExposeSecret, SecretString};

use crate::Bus;
use crate::bus::Error;
use crate::limit;
use crate::signal::prefix;

/// What a runtime does with Redis, and nothing else.
const COMMANDS: [&str; 11] = [
    "-@all",
    "+auth",
    "+hello",
    "+ping",
    "+quit",
    "+get",
    "+set",
    "+setex",
    "+publish",
    "+subscribe",
    "+unsubscribe",
];

impl Bus {
    /// Makes the tenant's user or sets its password and rights anew. It reaches the tenant's prefix only.
    pub async fn ensure_cache_user(
        &self,
        tenant: TenantId,
        slug: &Slug,
        password: &SecretString,
    ) -> Result<(), Error> {
        let mut command = redis::cmd("ACL");
        command.arg("SETUSER").arg(slug.cache_user()).arg("reset").arg("on");
        command.arg(format!(">{}", password.expose_secret()));
        command.arg(format!("~{}*", prefix(tenant))).arg(format!("&{}*", prefix(tenant)));
        for rule in COMMANDS {
            command.arg(rule);
        }
        command.query_async::<()>(&mut self.connection()).await?;
        self.save_users().await;
        Ok(())
    }

    pub async fn drop_cache_user(&self, slug: &Slug) -> Result<(), Error> {
        redis::cmd("ACL")
            .arg("DELUSER")
            .arg(slug.cache_user())
            .query_async::<()>(&mut self.connection())
            .await?;
        self.save_users().await;
        Ok(())
    }

    /// Deletes everything under the tenant's prefix, and what gateways count about it.
    pub async fn erase_keys(&self, tenant: TenantId) -> Result<(), Error> {
        self.erase(&prefix(tenant)).await?;
        self.erase(&limit::prefix(tenant)).await
    }

    async fn erase(&self, prefix: &str) -> Result<(), Error> {
        let mut connection = self.connection();
        let mut cursor: u64 = 0;
        loop {
            let (next, keys): (u64, Vec<String>) = redis::cmd("SCAN")
                .arg(cursor)
                .arg("MATCH")
                .arg(format!("{prefix}*"))
                .arg("COUNT")
                .arg(1000)
                .query_async(&mut connection)
                .await?;
            if !keys.is_empty() {
                connection.unlink::<_, ()>(keys).await?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// Works only where the server has an ACL file. Where it has none, the operator makes the users again after a
    /// restart of Redis.
    async fn save_users(&self) {
        let saved: Result<(), _> = redis::cmd("ACL").arg("SAVE").query_async(&mut self.connection()).await;
        if let Err(error) = saved {
            tracing::debug!(%error, "Redis keeps its users in memory only");
        }
    }
}
