//! HMAC-SHA256 over raw bytes.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// In hexadecimal digits. A blank secret signs nothing: everybody knows it.
pub(crate) fn hmac_sha256(secret: &SecretString, bytes: &[u8]) -> Option<String> {
    let secret = secret.expose_secret();
    if secret.trim().is_empty() {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(bytes);
    Some(hex::encode(mac.finalize().into_bytes()))
}

/// Takes the same time wherever the two differ. Nothing is the same as a blank secret.
pub(crate) fn same(secret: &str, given: &[u8]) -> bool {
    !secret.trim().is_empty() && bool::from(secret.as_bytes().ct_eq(given))
}
