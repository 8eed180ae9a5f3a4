//! Revisions: the name of a compiled snapshot is the hash of what went into it.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The first 16 hexadecimal digits of the SHA-256 of a snapshot's canonical JSON.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(String);

impl Revision {
    /// Hashes a snapshot. `serde_json::Value` sorts the keys of its objects, so equal values have equal text.
    pub fn of<T: Serialize>(snapshot: &T) -> Result<Self, serde_json::Error> {
        let canonical = serde_json::to_value(snapshot)?.to_string();
        Ok(Self(hex::encode(&Sha256::digest(canonical.as_bytes())[..8])))
    }

    /// A revision read back from where it was stored.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_fields_does_not_matter_and_their_values_do() {
        let one = Revision::of(&serde_json::json!({"a": 1, "b": 2})).unwrap();
        let same = Revision::of(&serde_json::json!({"b": 2, "a": 1})).unwrap();
        let other = Revision::of(&serde_json::json!({"a": 1, "b": 3})).unwrap();
        assert_eq!(one, same);
        assert_ne!(one, other);
        assert_eq!(one.as_str().len(), 16);
    }
}
