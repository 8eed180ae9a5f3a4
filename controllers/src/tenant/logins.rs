//! A tenant's logins at PostgreSQL and Redis. Made once in a process and again when they may have been lost.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use konstruct_domain::TenantId;
use konstruct_store::TenantRecord;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::build::Credentials;
use crate::framework::names::TenantRef;
use crate::{Context, Error};

/// A database that was restored from an old backup gets its logins back within this time.
const AGAIN_AFTER: Duration = Duration::from_hours(1);

#[derive(Debug, Default)]
pub(crate) struct Logins {
    done: Mutex<HashMap<(TenantId, Login), Done>>,
    /// Counts the times that Redis was lost. Without an ACL file it forgets its users when it restarts.
    redis_epoch: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Login {
    Database,
    Cache,
}

#[derive(Debug)]
struct Done {
    what: [u8; 32],
    epoch: u64,
    at: Instant,
}

impl Logins {
    /// Redis was away: its users may be gone.
    pub(crate) fn redis_returned(&self) {
        self.redis_epoch.fetch_add(1, Ordering::Relaxed);
    }

    /// Directory row and login role.
    pub(super) async fn database(
        &self,
        context: &Context,
        tenant: &TenantRecord,
        credentials: &Credentials,
    ) -> Result<(), Error> {
        let what = digest(&[&tenant.display_name], &credentials.database);
        let key = (tenant.id, Login::Database);
        if !self.is_done(key, what, 0) {
            context.fence.check()?;
            context.store.upsert_tenant(tenant).await?;
            context.store.ensure_database_role(tenant.id, &tenant.slug, &credentials.database).await?;
            self.set_done(key, what, 0);
        }
        Ok(())
    }

    pub(super) async fn cache(
        &self,
        context: &Context,
        tenant: &TenantRef,
        credentials: &Credentials,
    ) -> Result<(), Error> {
        let what = digest(&[], &credentials.cache);
        let (key, epoch) = ((tenant.id, Login::Cache), self.redis_epoch.load(Ordering::Relaxed));
        if !self.is_done(key, what, epoch) {
            context.fence.check()?;
            context.bus.ensure_cache_user(tenant.id, &tenant.slug, &credentials.cache).await?;
            self.set_done(key, what, epoch);
        }
        Ok(())
    }

    pub(super) fn forget(&self, tenant: TenantId) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.remove(&(tenant, Login::Database));
        done.remove(&(tenant, Login::Cache));
    }

    fn is_done(&self, key: (TenantId, Login), what: [u8; 32], epoch: u64) -> bool {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.get(&key)
            .is_some_and(|done| done.what == what && done.epoch == epoch && done.at.elapsed() < AGAIN_AFTER)
    }

    fn set_done(&self, key: (TenantId, Login), what: [u8; 32], epoch: u64) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.insert(key, Done { what, epoch, at: Instant::now() });
    }
}

fn digest(parts: &[&str], password: &SecretString) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts.iter().copied().chain([password.expose_secret()]) {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_made_again_after_a_change_and_after_redis_was_away() {
        let logins = Logins::default();
        let key = (TenantId::PLATFORM, Login::Cache);
        let (one, other) = (digest(&[], &"a".into()), digest(&[], &"b".into()));
        logins.set_done(key, one, 0);
        assert!(logins.is_done(key, one, 0));
        assert!(!logins.is_done(key, other, 0));
        assert!(!logins.is_done((key.0, Login::Database), one, 0));

        logins.redis_returned();
        assert!(!logins.is_done(key, one, logins.redis_epoch.load(Ordering::Relaxed)));
        logins.forget(key.0);
        assert!(!logins.is_done(key, one, 0));
    }
}
