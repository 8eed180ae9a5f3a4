//! As the tenant's own user, against Redis.

use konstruct_domain::TenantId;
use konstruct_queue::probe::CacheProbe;
use secrecy::SecretString;

use crate::family::Family;
use crate::report::{Probe, explain};

/// `other` is a tenant that must be out of reach.
pub async fn probes(url: Result<SecretString, String>, tenant: TenantId, other: TenantId) -> Vec<Probe> {
    let mut family = Family::new(open(url, tenant).await);
    family
        .claim("cache-keys", "reads and writes no key of others", async |s| s.keys_reached(other).await)
        .await;
    family
        .claim("cache-channels", "speaks on and hears no channel of others", async |s| {
            s.channels_reached(other).await
        })
        .await;
    family
        .claim("cache-commands", "runs no command about the whole server", async |s| {
            s.administration_reached().await
        })
        .await;
    family.finish()
}

async fn open(url: Result<SecretString, String>, tenant: TenantId) -> Result<CacheProbe, String> {
    let advice = "Redis was not reached as the tenant: run this in the cluster, or forward the port and give \
                  --redis-address";
    let failed = |error| format!("{advice} ({})", explain(&error));
    let mut probe = CacheProbe::connect(&url?).await.map_err(failed)?;
    match probe.own_keys_refused(tenant).await.map_err(failed)? {
        refused if refused.is_empty() => Ok(probe),
        refused => Err(format!(
            "the tenant's user is refused its own keys ({}), so that other refusals prove nothing: see the Tenant's \
             condition CacheReady",
            refused.join(", ")
        )),
    }
}
