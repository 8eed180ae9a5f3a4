//! The runtime's credentials: one address of PostgreSQL and one of Redis, each with a password made once.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::framework::names::{RUNTIME, TenantRef};
use crate::settings::Settings;

pub(super) const DATABASE_URL: &str = "database-url";
pub(super) const REDIS_URL: &str = "redis-url";
/// 256 bits.
const PASSWORD_BYTES: usize = 32;

/// Two passwords in hexadecimal digits, which need no escaping in a URL or in SQL.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub database: SecretString,
    pub cache: SecretString,
}

impl Credentials {
    pub fn generate() -> Self {
        let password = || SecretString::from(hex::encode(rand::random::<[u8; PASSWORD_BYTES]>()));
        Self { database: password(), cache: password() }
    }

    /// Reads them back from the Secret. None if somebody has broken it: then new ones are made.
    pub fn read(secret: &Secret, tenant: &TenantRef) -> Option<Self> {
        let url = |key: &str| std::str::from_utf8(&secret.data.as_ref()?.get(key)?.0).ok();
        Some(Self {
            database: password(url(DATABASE_URL)?, &tenant.slug.database_role())?,
            cache: password(url(REDIS_URL)?, &tenant.slug.cache_user())?,
        })
    }
}

/// The password of `scheme://user:password@…`, if it is one that we made for this user.
fn password(url: &str, user: &str) -> Option<SecretString> {
    let (_, rest) = url.split_once("://")?;
    let (found, rest) = rest.split_once(':')?;
    let (password, _) = rest.split_once('@')?;
    let is_ours = found == user
        && password.len() == 2 * PASSWORD_BYTES
        && password.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_ours.then(|| SecretString::from(password))
}

pub(super) fn build(tenant: &TenantRef, settings: &Settings, credentials: &Credentials) -> Secret {
    let Credentials { database, cache } = credentials;
    let data = [
        (DATABASE_URL, with_login(&settings.tenant_database_url, &tenant.slug.database_role(), database)),
        (REDIS_URL, with_login(&settings.tenant_redis_url, &tenant.slug.cache_user(), cache)),
    ];
    let data: BTreeMap<String, ByteString> =
        data.into_iter().map(|(key, url)| (key.to_owned(), ByteString(url.into_bytes()))).collect();
    Secret {
        metadata: tenant.child(RUNTIME),
        type_: Some("Opaque".to_owned()),
        data: Some(data),
        ..Secret::default()
    }
}

fn with_login(url: &str, user: &str, password: &SecretString) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{user}:{}@{rest}", password.expose_secret()),
        None => url.to_owned(),
    }
}

/// Changes when the content does, so that the pods that mount it are replaced. Says nothing about the passwords.
pub(super) fn hash(secret: &Secret) -> String {
    let mut hasher = Sha256::new();
    for (key, value) in secret.data.iter().flatten() {
        hasher.update(key.as_bytes());
        hasher.update(b"\0");
        hasher.update(&value.0);
        hasher.update(b"\0");
    }
    hex::encode(&hasher.finalize()[..8])
}
