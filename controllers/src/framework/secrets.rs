//! Secret keys that a resource names. Only those are read, from the resource's own namespace.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use konstruct_crds::{Reason, SecretKeyRef};
use konstruct_domain::snapshot::{SecretField, SecretVersion};
use konstruct_store::{KeyError, Keyring};
use kube::{Api, Client};
use secrecy::{ExposeSecret, SecretString};

use crate::{Error, Problem};

/// What stands behind a reference.
#[derive(Clone, Debug)]
pub enum SecretLookup {
    Found(ResolvedSecret),
    MissingSecret,
    MissingKey,
    /// The value is empty or not one line of visible ASCII, so it cannot be part of an HTTP header.
    NotText,
}

/// A secret's value with the name of this value, which goes into the snapshot.
#[derive(Clone, Debug)]
pub struct ResolvedSecret {
    pub field: SecretField,
    pub version: String,
    pub value: SecretString,
}

impl ResolvedSecret {
    pub fn reference(&self) -> SecretVersion {
        SecretVersion { field: self.field, version: self.version.clone() }
    }

    pub fn stored(&self) -> (SecretField, SecretString) {
        (self.field, self.value.clone())
    }
}

/// Looks a reference up in a Secret's data; None: there is no such Secret. Pure.
pub fn look_up(
    keyring: &Keyring,
    field: SecretField,
    data: Option<&BTreeMap<String, Vec<u8>>>,
    reference: &SecretKeyRef,
) -> Result<SecretLookup, KeyError> {
    let Some(data) = data else { return Ok(SecretLookup::MissingSecret) };
    let Some(bytes) = data.get(&reference.key) else { return Ok(SecretLookup::MissingKey) };
    // A line end at the end is what editors and `echo` leave; it is never part of a key.
    let Some(text) = std::str::from_utf8(bytes).ok().map(str::trim).filter(|text| is_token(text)) else {
        return Ok(SecretLookup::NotText);
    };
    let value = SecretString::from(text);
    let version = keyring.fingerprint(field.purpose(), &value)?;
    Ok(SecretLookup::Found(ResolvedSecret { field, version, value }))
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Reads a reference from the cluster.
pub async fn read(
    client: &Client,
    keyring: &Keyring,
    namespace: &str,
    field: SecretField,
    reference: &SecretKeyRef,
) -> Result<SecretLookup, Error> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret =
        api.get_opt(&reference.name).await.map_err(|error| Error::read::<Secret>(&reference.name, error))?;
    let data =
        secret.map(|secret| secret.data.into_iter().flatten().map(|(key, value)| (key, value.0)).collect());
    Ok(look_up(keyring, field, data.as_ref(), reference)?)
}

/// The value, or the problem of the field that names it.
pub fn require<'a>(
    lookup: &'a SecretLookup,
    reference: &SecretKeyRef,
    field: &str,
) -> Result<&'a ResolvedSecret, Problem> {
    let SecretKeyRef { name, key } = reference;
    match lookup {
        SecretLookup::Found(secret) => Ok(secret),
        SecretLookup::MissingSecret => Err(Problem::new(
            Reason::MissingSecret,
            format!("{field}.name"),
            format!("Secret {name:?} does not exist in this namespace: create it with the key {key:?}"),
        )),
        SecretLookup::MissingKey => Err(Problem::new(
            Reason::MissingSecretKey,
            format!("{field}.key"),
            format!("Secret {name:?} has no key {key:?}: add it or correct the reference"),
        )),
        SecretLookup::NotText => Err(Problem::new(
            Reason::InvalidSecret,
            field,
            format!(
                "key {key:?} of Secret {name:?} must hold one line of visible ASCII characters: store the credential alone"
            ),
        )),
    }
}

/// A check of the value's looks, for what is easily mixed up.
pub fn starts_with(secret: &ResolvedSecret, prefix: &str) -> bool {
    secret.value.expose_secret().starts_with(prefix)
}

/// Whether the value has that many characters.
pub fn has_length(secret: &ResolvedSecret, min: usize) -> bool {
    secret.value.expose_secret().len() >= min
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bytes: &[u8]) -> SecretLookup {
        let keyring = Keyring::new(Some([1; 32]), Some([2; 32]));
        let data = BTreeMap::from([("key".to_owned(), bytes.to_vec())]);
        look_up(&keyring, SecretField::ProviderApiKey, Some(&data), &reference("key")).unwrap()
    }

    fn reference(key: &str) -> SecretKeyRef {
        SecretKeyRef { name: "secret".to_owned(), key: key.to_owned() }
    }

    fn version(lookup: &SecretLookup) -> String {
        require(lookup, &reference("key"), "spec.x").unwrap().version.clone()
    }

    #[test]
    fn a_trailing_line_end_is_not_part_of_a_key_and_another_value_is_another_version() {
        assert_eq!(version(&found(b"abc")), version(&found(b"abc\n")));
        assert_ne!(version(&found(b"abc")), version(&found(b"abd")));
        for bad in [b"".as_slice(), b"\n", b"a b", b"a\nb", &[0xff], "ä".as_bytes()] {
            assert!(matches!(found(bad), SecretLookup::NotText), "{bad:?}");
        }
    }

    #[test]
    fn what_is_missing_is_said_with_the_field_and_the_names() {
        let keyring = Keyring::new(None, None);
        let empty = BTreeMap::new();
        for (data, reason, field) in [
            (None, Reason::MissingSecret, "spec.x.name"),
            (Some(&empty), Reason::MissingSecretKey, "spec.x.key"),
        ] {
            let lookup = look_up(&keyring, SecretField::SlackBotToken, data, &reference("key")).unwrap();
            let problem = require(&lookup, &reference("key"), "spec.x").unwrap_err();
            assert_eq!((problem.reason, problem.field.as_str()), (reason, field));
            assert!(problem.message.contains("\"secret\"") && problem.message.contains("\"key\""));
        }
    }
}
