//! Proof that a delivery comes from Meta: an HMAC over the raw bytes. There is no timestamp in it; a delivery that is
//! played again is a duplicate.

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use crate::signature::{hmac_sha256, same};
use crate::{Received, Refused};

const REMEDY: &str = "check that the Secret has the app secret of the Meta app that delivers here";

pub(super) fn verify(received: &Received<'_>, secret: &SecretString) -> Result<(), Refused> {
    let refuse = |reason: &str| Refused::new(reason, REMEDY);
    let given = received
        .header("x-hub-signature-256")
        .ok_or_else(|| refuse("the header X-Hub-Signature-256 is missing"))?;
    let expected = hmac_sha256(secret, received.body).ok_or_else(|| refuse("the app secret is blank"))?;
    if same(&format!("sha256={expected}"), given) {
        Ok(())
    } else {
        Err(refuse("the signature does not match the body"))
    }
}

/// The answer to the request by which Meta checks an address.
pub(super) fn handshake(query: &str, token: &SecretString) -> Result<String, Refused> {
    const REMEDY: &str = "enter the verify token of the Secret as it is in the Meta app's webhook settings";
    let url = Url::parse(&format!("http://query/?{query}"))
        .map_err(|_| Refused::new("the query cannot be read", REMEDY))?;
    let value =
        |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    if value("hub.mode").as_deref() != Some("subscribe") {
        return Err(Refused::new("hub.mode is not subscribe", REMEDY));
    }
    let given = value("hub.verify_token").unwrap_or_default();
    if !same(token.expose_secret(), given.as_bytes()) {
        return Err(Refused::new("hub.verify_token is another one", REMEDY));
    }
    let challenge = value("hub.challenge").filter(|challenge| challenge.len() <= 1000);
    challenge.ok_or_else(|| Refused::new("hub.challenge is missing", REMEDY))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;
    use proptest::prelude::*;

    use super::*;

    const BODY: &[u8] = "{\"hello\":\"wörld 😀\"}".as_bytes();
    const SIGNATURE: &[u8] = b"sha256=03d92ffec1744f42e9aa6f5256829cbd3c44f85c93619fdbe001a408ca2d0fa7";

    fn check(signature: Option<&[u8]>, body: &[u8], secret: &str) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(signature) = signature {
            let Ok(signature) = signature.try_into() else { return false };
            headers.insert("x-hub-signature-256", signature);
        }
        let body = Bytes::copy_from_slice(body);
        verify(&Received { headers: &headers, body: &body, now: 0 }, &secret.into()).is_ok()
    }

    #[test]
    fn the_vector_of_the_official_client_is_accepted_and_nothing_near_it() {
        let secret = "konstruct-app-secret";
        assert!(check(Some(SIGNATURE), BODY, secret));
        let reencoded =
            serde_json::from_slice::<serde_json::Value>(BODY).unwrap().to_string().replace('ö', "\\u00f6");
        let escaped = "{\"hello\":\"w\\u00f6rld \\ud83d\\ude00\"}";
        let mut changed = BODY.to_vec();
        changed[2] ^= 1;
        for body in [reencoded.as_bytes(), escaped.as_bytes(), &changed, b""] {
            assert!(!check(Some(SIGNATURE), body, secret));
        }
        let upper_case = SIGNATURE.to_ascii_uppercase();
        for signature in [None, Some(&b""[..]), Some(b"sha256="), Some(&upper_case), Some(&SIGNATURE[7..])] {
            assert!(!check(signature, BODY, secret), "{signature:?}");
        }
        for secret in ["another", "", " "] {
            assert!(!check(Some(SIGNATURE), BODY, secret));
        }
    }

    #[test]
    fn the_handshake_gives_back_the_challenge_to_who_knows_the_token() {
        let token = "open sesame".into();
        let good = "hub.mode=subscribe&hub.verify_token=open+sesame&hub.challenge=1158201444";
        assert_eq!(handshake(good, &token).unwrap(), "1158201444");
        for bad in [
            "",
            "hub.mode=subscribe&hub.challenge=1",
            "hub.mode=subscribe&hub.verify_token=open&hub.challenge=1",
            "hub.mode=unsubscribe&hub.verify_token=open+sesame&hub.challenge=1",
            "hub.mode=subscribe&hub.verify_token=open+sesame",
        ] {
            assert!(handshake(bad, &token).is_err(), "{bad}");
        }
        assert!(handshake("hub.mode=subscribe&hub.verify_token=&hub.challenge=1", &"".into()).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_requests_are_refused_and_never_panic(
            signature in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..80)),
            body in proptest::collection::vec(any::<u8>(), 0..200),
            query in ".{0,100}",
        ) {
            prop_assert!(!check(signature.as_deref(), &body, "secret"));
            prop_assert!(handshake(&query, &"token".into()).is_err());
        }
    }
}
