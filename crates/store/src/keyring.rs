//! Envelope encryption. A key-encryption key per purpose wraps one data key per tenant; data keys seal secrets.
//!
//! AES-256-GCM throughout. The additional data names the place a ciphertext belongs to, so one that is copied to
//! another row, field or tenant does not open.

use std::sync::Arc;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, Mac};
use konstruct_domain::TenantId;
use konstruct_domain::snapshot::SecretPurpose;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::Sha256;

const NONCE_LENGTH: usize = 12;

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("this role has no key for {} secrets", .0.as_str())]
    Absent(SecretPurpose),
    #[error("a key-encryption key must be 64 hexadecimal digits (32 bytes)")]
    Malformed,
    #[error("a secret could not be sealed")]
    Seal,
    #[error("a sealed value does not open: it was made with another key or for another place")]
    Open,
}

/// A 256-bit key.
#[derive(Clone)]
pub(crate) struct Key(Arc<SecretBox<[u8; 32]>>);

impl Key {
    pub(crate) fn random() -> Self {
        Self::from_bytes(rand::random())
    }

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Arc::new(SecretBox::new(Box::new(bytes))))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }

    /// Nonce and ciphertext of `plain`, bound to `place`.
    pub(crate) fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        let cipher = Aes256Gcm::new_from_slice(self.bytes()).map_err(|_| KeyError::Seal)?;
        let nonce: [u8; NONCE_LENGTH] = rand::random();
        let sealed = cipher
            .encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: place.as_bytes() })
            .map_err(|_| KeyError::Seal)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    pub(crate) fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_LENGTH>().ok_or(KeyError::Open)?;
        let cipher = Aes256Gcm::new_from_slice(self.bytes()).map_err(|_| KeyError::Open)?;
        cipher
            .decrypt(&Nonce::from(*nonce), Payload { msg: ciphertext, aad: place.as_bytes() })
            .map_err(|_| KeyError::Open)
    }

    fn digest(&self, parts: &[&[u8]]) -> Result<String, KeyError> {
        let mut mac =
            <Hmac<Sha256> as KeyInit>::new_from_slice(self.bytes()).map_err(|_| KeyError::Malformed)?;
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Ok(hex::encode(mac.finalize().into_bytes()))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

/// The key-encryption keys that a role holds: the operator both, the gateway `Channel`, the ai-gateway `Provider`.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    channel: Option<Key>,
    provider: Option<Key>,
}

impl Keyring {
    pub fn new(channel: Option<[u8; 32]>, provider: Option<[u8; 32]>) -> Self {
        Self { channel: channel.map(Key::from_bytes), provider: provider.map(Key::from_bytes) }
    }

    /// Keys as they stand in a Secret: 64 hexadecimal digits each.
    pub fn from_hex(
        channel: Option<&SecretString>,
        provider: Option<&SecretString>,
    ) -> Result<Self, KeyError> {
        let parse = |text: &SecretString| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(text.expose_secret().trim(), &mut bytes).map_err(|_| KeyError::Malformed)?;
            Ok(bytes)
        };
        Ok(Self::new(channel.map(parse).transpose()?, provider.map(parse).transpose()?))
    }

    pub(crate) fn key(&self, purpose: SecretPurpose) -> Result<&Key, KeyError> {
        match purpose {
            SecretPurpose::Channel => self.channel.as_ref(),
            SecretPurpose::Provider => self.provider.as_ref(),
        }
        .ok_or(KeyError::Absent(purpose))
    }

    /// Unguessable without the key and the same each time: the part of a connection's URLs that names it.
    pub fn public_id(&self, tenant: TenantId, connection: &str) -> Result<String, KeyError> {
        let digest = self.key(SecretPurpose::Channel)?.digest(&[
            b"public-id",
            tenant.as_uuid().as_bytes(),
            connection.as_bytes(),
        ])?;
        Ok(digest[..24].to_owned())
    }

    /// Proves later that a text is ours, for one purpose: hexadecimal, to be compared in constant time.
    pub fn sign(&self, purpose: &str, text: &str) -> Result<String, KeyError> {
        self.key(SecretPurpose::Channel)?.digest(&[b"signature", purpose.as_bytes(), text.as_bytes()])
    }

    /// Names a secret's value without revealing it, so that a rotated secret is a new version.
    pub fn fingerprint(&self, purpose: SecretPurpose, secret: &SecretString) -> Result<String, KeyError> {
        let digest = self.key(purpose)?.digest(&[b"fingerprint", secret.expose_secret().as_bytes()])?;
        Ok(digest[..16].to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_with_its_key_and_in_its_place() {
        let key = Key::random();
        let sealed = key.seal("acme/slack/token", b"xoxb").unwrap();
        assert_eq!(key.open("acme/slack/token", &sealed).unwrap(), b"xoxb");
        assert!(key.open("globex/slack/token", &sealed).is_err());
        assert!(Key::random().open("acme/slack/token", &sealed).is_err());
        assert!(key.open("acme/slack/token", &sealed[..5]).is_err());
        assert_ne!(sealed, key.seal("acme/slack/token", b"xoxb").unwrap(), "nonces are never reused");
    }

    #[test]
    fn malformed_and_absent_keys_are_said() {
        let text = SecretString::from("abc");
        assert!(matches!(Keyring::from_hex(Some(&text), None), Err(KeyError::Malformed)));
        let gateway = Keyring::new(Some([1; 32]), None);
        assert!(matches!(gateway.key(SecretPurpose::Provider), Err(KeyError::Absent(_))));
    }

    #[test]
    fn public_ids_are_stable_and_differ_by_tenant_and_connection() {
        let keyring = Keyring::new(Some([1; 32]), None);
        let (one, two) =
            (TenantId::from_slug(&"acme".parse().unwrap()), TenantId::from_slug(&"globex".parse().unwrap()));
        assert_eq!(keyring.public_id(one, "web").unwrap(), keyring.public_id(one, "web").unwrap());
        assert_ne!(keyring.public_id(one, "web").unwrap(), keyring.public_id(two, "web").unwrap());
        assert_ne!(keyring.public_id(one, "web").unwrap(), keyring.public_id(one, "web2").unwrap());
        assert!(!format!("{keyring:?}").contains('1'));
    }
}
