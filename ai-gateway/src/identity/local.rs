//! Tokens for `konstruct dev`, where no Kubernetes vouches for a runtime.

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use konstruct_domain::TenantId;
use secrecy::SecretString;
use sha2::Sha256;

/// Marks the format, so that a token of another one is refused and not misread.
const PREFIX: &str = "kl1";

/// Longer than anybody lets `konstruct dev` run.
const VALID_FOR: Duration = Duration::from_hours(30 * 24);

/// Issues and verifies `kl1.<tenant>.<expiry>.<signature>`.
#[derive(Clone)]
pub struct LocalTokens(Hmac<Sha256>);

impl LocalTokens {
    pub fn new(key: [u8; 32]) -> Self {
        // HMAC's own way with a key that is shorter than a block.
        let mut block = [0; 64];
        block[..key.len()].copy_from_slice(&key);
        Self(Hmac::new(&block.into()))
    }

    /// A token with which a runtime proves that it is this tenant's.
    pub fn issue(&self, tenant: TenantId) -> SecretString {
        self.issue_until(tenant, Timestamp::now() + VALID_FOR)
    }

    fn issue_until(&self, tenant: TenantId, expiry: Timestamp) -> SecretString {
        let claims = format!("{PREFIX}.{tenant}.{}", expiry.as_second());
        let signature = self.0.clone().chain_update(&claims).finalize().into_bytes();
        format!("{claims}.{}", hex::encode(signature)).into()
    }

    pub(super) fn verify(&self, token: &str) -> Option<TenantId> {
        let (claims, signature) = token.rsplit_once('.')?;
        // In constant time, and before anything in the token is believed.
        self.0.clone().chain_update(claims).verify_slice(&hex::decode(signature).ok()?).ok()?;
        let mut parts = claims.split('.');
        let (prefix, tenant, expiry) = (parts.next()?, parts.next()?, parts.next()?);
        let expiry = Timestamp::from_second(expiry.parse().ok()?).ok()?;
        (prefix == PREFIX && parts.next().is_none() && Timestamp::now() < expiry)
            .then(|| tenant.parse().ok())?
    }
}

impl fmt::Debug for LocalTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalTokens")
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn tenant(slug: &str) -> TenantId {
        TenantId::from_slug(&slug.parse().unwrap())
    }

    #[test]
    fn a_token_proves_its_tenant_and_no_other() {
        let tokens = LocalTokens::new([7; 32]);
        let token = tokens.issue(tenant("acme"));
        assert_eq!(tokens.verify(token.expose_secret()), Some(tenant("acme")));
        let forged =
            token.expose_secret().replace(&tenant("acme").to_string(), &tenant("globex").to_string());
        assert_eq!(tokens.verify(&forged), None);
        assert_eq!(LocalTokens::new([8; 32]).verify(token.expose_secret()), None);
    }

    #[test]
    fn an_expired_or_mangled_token_proves_nothing() {
        let tokens = LocalTokens::new([7; 32]);
        let expired = tokens.issue_until(tenant("acme"), Timestamp::now());
        assert_eq!(tokens.verify(expired.expose_secret()), None);
        let good = tokens.issue(tenant("acme"));
        let good = good.expose_secret();
        let (claims, signature) = good.rsplit_once('.').unwrap();
        for bad in ["", ".", "kl1", claims, &good[..good.len() - 2], &format!("{claims}.{signature}00")] {
            assert_eq!(tokens.verify(bad), None, "{bad}");
        }
    }
}
