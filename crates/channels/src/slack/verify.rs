//! Proof that a delivery comes from Slack: an HMAC over the raw bytes, and a timestamp that is fresh.

use secrecy::SecretString;

use crate::signature::{hmac_sha256, same};

/// How old, or how far in the future, a delivery may be.
pub const TOLERANCE_SECONDS: u64 = 300;

/// Why a delivery is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the signing secret is blank")]
    BlankSecret,
    #[error("the header X-Slack-Request-Timestamp is missing")]
    MissingTimestamp,
    #[error("the header X-Slack-Request-Timestamp is not a number of seconds")]
    InvalidTimestamp,
    #[error("the header X-Slack-Signature is missing")]
    MissingSignature,
    #[error("the request is older than {TOLERANCE_SECONDS} s")]
    Stale,
    #[error("the request is more than {TOLERANCE_SECONDS} s in the future")]
    Future,
    #[error("the signature does not match the body")]
    WrongSignature,
}

/// Checks a delivery. `now` is in seconds since 1970.
pub fn verify(
    secret: &SecretString,
    timestamp: Option<&[u8]>,
    signature: Option<&[u8]>,
    body: &[u8],
    now: u64,
) -> Result<(), Refused> {
    let timestamp = timestamp.ok_or(Refused::MissingTimestamp)?;
    let signature = signature.ok_or(Refused::MissingSignature)?;
    let sent_at = seconds(timestamp).ok_or(Refused::InvalidTimestamp)?;
    if sent_at.saturating_add(TOLERANCE_SECONDS) < now {
        return Err(Refused::Stale);
    }
    if sent_at > now.saturating_add(TOLERANCE_SECONDS) {
        return Err(Refused::Future);
    }
    let expected = signature_of(secret, timestamp, body)?;
    if same(&expected, signature) { Ok(()) } else { Err(Refused::WrongSignature) }
}

/// The value of X-Slack-Signature for a body that is sent at `timestamp`.
pub fn sign(secret: &SecretString, timestamp: u64, body: &[u8]) -> Result<String, Refused> {
    signature_of(secret, timestamp.to_string().as_bytes(), body)
}

fn signature_of(secret: &SecretString, timestamp: &[u8], body: &[u8]) -> Result<String, Refused> {
    let digits = hmac_sha256(secret, &[b"v0:", timestamp, b":", body]).ok_or(Refused::BlankSecret)?;
    Ok(format!("v0={digits}"))
}

/// Digits only: `str::parse` would also take a sign.
fn seconds(text: &[u8]) -> Option<u64> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_763_740_800;
    const BODY: &[u8] = "{\"hello\":\"wörld 😀\"}".as_bytes();
    const SIGNATURE: &[u8] = b"v0=9ffbbed6ede3b4ce4147e17edb2ec61127f494848ab05a7e543dcd849fb83e46";

    fn secret() -> SecretString {
        "konstruct-slack-secret".into()
    }

    fn check(
        timestamp: Option<&str>,
        signature: Option<&[u8]>,
        body: &[u8],
        now: u64,
    ) -> Result<(), Refused> {
        verify(&secret(), timestamp.map(str::as_bytes), signature, body, now)
    }

    /// The vector was made with Slack's own SDK.
    #[test]
    fn agrees_with_the_official_signature() {
        assert_eq!(sign(&secret(), NOW, BODY).unwrap().as_bytes(), SIGNATURE);
        assert_eq!(check(Some("1763740800"), Some(SIGNATURE), BODY, NOW), Ok(()));
    }

    type Case<'a> = (Refused, Option<&'a str>, Option<&'a [u8]>, &'a [u8], u64);

    #[test]
    fn every_way_to_be_wrong_has_its_own_answer() {
        let at = Some("1763740800");
        let one_byte_off = BODY.iter().map(|b| b ^ u8::from(*b == b'h')).collect::<Vec<_>>();
        let reencoded =
            serde_json::from_slice::<serde_json::Value>(BODY).unwrap().to_string().replace('ö', "\\u00f6");
        let upper_case = SIGNATURE.to_ascii_uppercase();
        let cases: [Case; 13] = [
            (Refused::MissingTimestamp, None, Some(SIGNATURE), BODY, NOW),
            (Refused::MissingSignature, at, None, BODY, NOW),
            (Refused::InvalidTimestamp, Some("yesterday"), Some(SIGNATURE), BODY, NOW),
            (Refused::InvalidTimestamp, Some("-1763740800"), Some(SIGNATURE), BODY, NOW),
            (Refused::InvalidTimestamp, Some(""), Some(SIGNATURE), BODY, NOW),
            (Refused::InvalidTimestamp, Some("99999999999999999999"), Some(SIGNATURE), BODY, NOW),
            (Refused::Stale, at, Some(SIGNATURE), BODY, NOW + 301),
            (Refused::Future, at, Some(SIGNATURE), BODY, NOW - 301),
            (Refused::WrongSignature, at, Some(SIGNATURE), &one_byte_off, NOW),
            (Refused::WrongSignature, at, Some(SIGNATURE), reencoded.as_bytes(), NOW),
            (Refused::WrongSignature, at, Some(&upper_case), BODY, NOW),
            (Refused::WrongSignature, at, Some(b"v0="), BODY, NOW),
            (Refused::WrongSignature, Some("1763740801"), Some(SIGNATURE), BODY, NOW),
        ];
        for (refused, timestamp, signature, body, now) in cases {
            assert_eq!(check(timestamp, signature, body, now), Err(refused));
        }
    }

    #[test]
    fn the_window_is_inclusive() {
        for now in [NOW - TOLERANCE_SECONDS, NOW + TOLERANCE_SECONDS] {
            assert_eq!(check(Some("1763740800"), Some(SIGNATURE), BODY, now), Ok(()));
        }
    }

    #[test]
    fn a_blank_secret_verifies_nothing() {
        for blank in ["", " ", "\n"] {
            let blank = SecretString::from(blank);
            assert_eq!(sign(&blank, NOW, BODY), Err(Refused::BlankSecret));
            let checked = verify(&blank, Some(b"1763740800"), Some(SIGNATURE), BODY, NOW);
            assert_eq!(checked, Err(Refused::BlankSecret));
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_refused_and_never_panic(
            timestamp in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
            signature in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..80)),
            body in proptest::collection::vec(any::<u8>(), 0..200),
            now in any::<u64>(),
        ) {
            prop_assert!(verify(&secret(), timestamp.as_deref(), signature.as_deref(), &body, now).is_err());
        }

        #[test]
        fn what_we_sign_we_accept(body in proptest::collection::vec(any::<u8>(), 0..200), now in any::<u64>()) {
            let signature = sign(&secret(), now, &body).unwrap();
            let timestamp = now.to_string();
            let checked = verify(&secret(), Some(timestamp.as_bytes()), Some(signature.as_bytes()), &body, now);
            prop_assert_eq!(checked, Ok(()));
        }
    }
}
