//! One secret on disk from which every key and password of this installation is derived, so that stored data still
//! opens and unguessable URLs stay the same after a restart.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use hmac::{Hmac, KeyInit, Mac};
use konstruct_domain::Slug;
use secrecy::SecretString;
use sha2::Sha256;

const FILE: &str = "master-key";

#[derive(Clone)]
pub(crate) struct Keys([u8; 32]);

impl Keys {
    /// Reads the secret from the state folder, or makes it at the first start.
    pub(crate) fn open(state: &Path) -> Result<Self> {
        let file = state.join(FILE);
        let context = || format!("cannot keep the master key in {}", file.display());
        match fs::read_to_string(&file) {
            Ok(text) => {
                let mut key = [0; 32];
                hex::decode_to_slice(text.trim(), &mut key).with_context(|| {
                    format!("{} is damaged: delete {} to start afresh", file.display(), state.display())
                })?;
                Ok(Self(key))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key: [u8; 32] = rand::random();
                let mut new = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&file)
                    .with_context(context)?;
                new.write_all(hex::encode(key).as_bytes()).with_context(context)?;
                Ok(Self(key))
            }
            Err(error) => Err(error).with_context(context),
        }
    }

    /// 32 bytes for one purpose.
    pub(crate) fn bytes(&self, purpose: &str) -> [u8; 32] {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of every length");

        mac.chain_update(purpose.as_bytes()).finalize().into_bytes().into()
    }

    /// A password for one purpose.
    pub(crate) fn password(&self, purpose: &str) -> SecretString {
        hex::encode(&self.bytes(purpose)[..16]).into()
    }

    pub(crate) fn tenant_database_password(&self, slug: &Slug) -> SecretString {
        self.password(&format!("tenant-database/{slug}"))
    }

    pub(crate) fn tenant_cache_password(&self, slug: &Slug) -> SecretString {
        self.password(&format!("tenant-cache/{slug}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_by_purpose_and_survive_a_restart() {
        let state = tempfile::tempdir().unwrap();
        let keys = Keys::open(state.path()).unwrap();
        assert_ne!(keys.bytes("a"), keys.bytes("b"));
        assert_eq!(Keys::open(state.path()).unwrap().bytes("a"), keys.bytes("a"));
    }
}
