//! Signatures of the Standard Webhooks scheme, version `v1`: HMAC-SHA-256 over `id.timestamp.body`.
//!
//! Verifiers read a secret in two ways. Standard Webhooks libraries drop `whsec_` and decode the rest as
//! base64; the published Polar SDKs use the whole text as the key. Every request therefore carries both
//! signatures, and a verifier accepts it if one of them matches (docs/contracts/polar/webhooks.md, 9.5, and
//! docs/contracts/polar/differences.md, 10, row 17). After a rotation it carries those of the old secret as well.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::digest::Output;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The prefix of a generated secret, before its base64 text.
const PREFIX: &str = "whsec_";
/// The shortest decoded key in bytes: with an empty key everybody could sign.
const MIN_KEY_OCTETS: usize = 16;
/// The block size of SHA-256 in bytes; a longer key is hashed first (RFC 2104).
const BLOCK_OCTETS: usize = 64;
/// Base64 with or without padding: some verifiers require it, others reject it.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The three headers that identify, date and authenticate a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureHeaders {
    /// `webhook-id`: the id of the event, the same for every attempt.
    pub webhook_id: String,
    /// `webhook-timestamp`: the time of this attempt, in Unix seconds.
    pub webhook_timestamp: String,
    /// `webhook-signature`: one or two signatures for each secret, separated by a space.
    pub webhook_signature: String,
}

/// Signs one attempt with each secret, in order: first with the decoded secret, if it decodes, then with its whole
/// text.
#[must_use]
pub fn sign<'a>(
    secrets: impl IntoIterator<Item = &'a str>,
    event_id: &str,
    timestamp_s: i64,
    body: &[u8],
) -> SignatureHeaders {
    let signed = [format!("{event_id}.{timestamp_s}.").as_bytes(), body].concat();
    let keys = secrets
        .into_iter()
        .flat_map(|secret| decoded(secret).into_iter().chain([secret.as_bytes().to_vec()]));
    let signatures: Vec<String> =
        keys.map(|key| format!("v1,{}", STANDARD.encode(mac(&key, &signed)))).collect();
    SignatureHeaders {
        webhook_id: event_id.to_owned(),
        webhook_timestamp: timestamp_s.to_string(),
        webhook_signature: signatures.join(" "),
    }
}

/// The key that a Standard Webhooks library reads from the secret; the prefix is optional.
fn decoded(secret: &str) -> Option<Vec<u8>> {
    let text = secret.strip_prefix(PREFIX).unwrap_or(secret);
    LENIENT.decode(text).ok().filter(|key| key.len() >= MIN_KEY_OCTETS)
}

fn mac(key: &[u8], message: &[u8]) -> Output<Sha256> {
    let mut block = [0; BLOCK_OCTETS];
    let hashed;
    let key = if key.len() > BLOCK_OCTETS {
        hashed = Sha256::digest(key);
        hashed.as_slice()
    } else {
        key
    };
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message);
    mac.finalize().into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tenantry_core::webhook::SigningSecret;

    use super::*;

    // Expected values were computed with the hmac and base64 modules of Python.
    const BODY: &str =
        r#"{"type":"member.created","timestamp":"2026-04-01T12:00:00Z","data":{"name":"Zoë"}}"#;
    const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const EVENT: &str = "0190a3c2-7b1e-4c55-9d3e-5a6b7c8d9e0f";
    const LONG: &str = "v1,5YFpsCEcRrvsd3g8HKls1ORiA11uXwia0Aw8UiM20lU=";

    fn signature(secret: &str, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        sign([secret], id, timestamp_s, body).webhook_signature
    }

    #[test]
    fn a_generated_secret_gives_both_signatures() {
        let random = std::array::from_fn(|i| u8::try_from(i).unwrap());
        assert_eq!(SigningSecret::from_random(random).as_str(), SECRET);
        let signed = sign([SECRET], EVENT, 1_775_044_800, BODY.as_bytes());
        assert_eq!(signed.webhook_id, EVENT);
        assert_eq!(signed.webhook_timestamp, "1775044800");
        assert_eq!(
            signed.webhook_signature,
            "v1,4+3CnlMurvI0rpyM51O+fso+H1UsdH8wsyGhQy1cdAA= v1,RHhTO3GKae78AQ6yb6A4JDKOfnnxOGMXBs++pFMO63Y="
        );
    }

    #[test]
    fn the_example_of_the_reference_libraries_gives_their_signature() {
        let signed = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert!(signed.starts_with("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,"), "{signed}");
    }

    #[test]
    fn a_secret_that_is_not_base64_gives_one_signature() {
        let chosen = "a secret of the caller's own choice!";
        assert_eq!(signature(chosen, "evt_1", 1, b""), "v1,orm2LcPo9GGIN2vhW6mgjWVbbVTP9CbfI2E3mEohuCY=");
    }

    #[test]
    fn padding_is_optional_and_a_long_secret_is_hashed_to_a_key() {
        let unpadded = "whsec_+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s";
        assert_eq!(
            signature(unpadded, "evt_2", -1, b"\x00\xff"),
            "v1,uTil8emDP0HzxZlD/3xJJt7RILLw70+Bw2CWOS5Matg= v1,Cd0IrTh2FFaoqbO3K4SrQ9C7eNecnQPqHGTM3Sa+6mM="
        );
        assert_eq!(signature(&"é".repeat(50), "evt_3", 1, b"x"), LONG);
    }

    #[test]
    fn a_secret_that_decodes_to_a_short_key_gives_one_signature() {
        for short in ["whsec_", "", "whsec_AAAA", "AAAA"] {
            assert!(!signature(short, "evt", 1, b"").contains(' '), "{short}");
        }
    }

    #[test]
    fn two_secrets_give_the_signatures_of_both() {
        let other = "another secret of 32 characters!";
        let both = sign([SECRET, other], EVENT, 7, b"{}").webhook_signature;
        let each = [signature(SECRET, EVENT, 7, b"{}"), signature(other, EVENT, 7, b"{}")];
        assert_eq!(both, each.join(" "));
    }

    proptest! {
        #[test]
        fn every_generated_secret_decodes_and_is_long_enough(random in any::<[u8; 32]>()) {
            let secret = SigningSecret::from_random(random);
            prop_assert_eq!(decoded(secret.as_str()), Some(random.to_vec()));
            prop_assert!(SigningSecret::parse(secret.as_str()).is_ok());
            prop_assert_eq!(signature(secret.as_str(), "e", 0, b"").split(' ').count(), 2);
        }
    }
}
