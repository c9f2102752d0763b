//! An authenticator in software (W3C Web Authentication, 6): it makes passkeys and answers challenges.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const PRESENT: u8 = 1;
const VERIFIED: u8 = 1 << 2;
const HAS_CREDENTIAL: u8 = 1 << 6;

/// A passkey.
struct Credential {
    id: Vec<u8>,
    key: EcdsaKeyPair,
    user_handle: String,
}

/// An authenticator with at most one passkey, and the browser around it.
pub(crate) struct Authenticator {
    credential: Option<Credential>,
    /// The origin of the page, as the browser says it.
    pub(crate) origin: String,
    /// The relying party that the authenticator signs for. The browser takes it from the options.
    pub(crate) rp_id: Option<String>,
    /// Whether it verifies the person by a fingerprint or a PIN.
    pub(crate) verifies: bool,
    /// Whether the page is in a frame of another origin.
    pub(crate) is_framed: bool,
    /// The number of its answers.
    pub(crate) counter: u32,
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn sha256(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    Sha256::digest(bytes.as_ref()).to_vec()
}

impl Authenticator {
    pub(crate) fn at(origin: &str) -> Self {
        let origin = origin.to_owned();
        Self { credential: None, origin, rp_id: None, verifies: true, is_framed: false, counter: 0 }
    }

    fn client_data(&self, kind: &str, challenge: &str) -> String {
        json!({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": self.is_framed})
            .to_string()
    }

    fn data(&mut self, rp_id: &str, flags: u8) -> Vec<u8> {
        self.counter += 1;
        let mut data = sha256(self.rp_id.as_deref().unwrap_or(rp_id));
        data.push(flags | PRESENT | if self.verifies { VERIFIED } else { 0 });
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// Makes a passkey for these options. Returns the answer for the server.
    pub(crate) fn create(&mut self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).unwrap();
        let options = &options["publicKey"];
        assert_eq!(options["authenticatorSelection"]["residentKey"], "required", "{options}");
        assert_eq!(options["authenticatorSelection"]["userVerification"], "required", "{options}");
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random).unwrap();
        let point = key.public_key().as_ref().to_vec();
        let id = sha256(&point);
        let mut data = self.data(options["rp"]["id"].as_str().unwrap(), HAS_CREDENTIAL);
        data.extend([0; 16]);
        data.extend(u16::try_from(id.len()).unwrap().to_be_bytes());
        data.extend(&id);
        // A key in COSE (RFC 9052): an elliptic curve point for ES256.
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend(&point[1..33]);
        data.extend([0x22, 0x58, 0x20]);
        data.extend(&point[33..]);
        // CBOR (RFC 8949): {"fmt": "none", "attStmt": {}, "authData": data}.
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).unwrap());
        object.extend(&data);
        let client = self.client_data("webauthn.create", options["challenge"].as_str().unwrap());
        let user_handle = options["user"]["id"].as_str().unwrap().to_owned();
        let answer = json!({
            "id": base64(&id), "rawId": base64(&id), "type": "public-key", "extensions": {},
            "response": {
                "attestationObject": base64(&object), "clientDataJSON": base64(&client), "transports": ["internal"],
            },
        });
        self.credential = Some(Credential { id, key, user_handle });
        answer.to_string()
    }

    /// Answers a challenge with the passkey.
    pub(crate) fn get(&mut self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).unwrap();
        let options = &options["publicKey"];
        assert_eq!(options["userVerification"], "required", "{options}");
        let data = self.data(options["rpId"].as_str().unwrap(), 0);
        let client = self.client_data("webauthn.get", options["challenge"].as_str().unwrap());
        let Credential { id, key, user_handle } = self.credential.as_ref().unwrap();
        let signed = [data.clone(), sha256(&client)].concat();
        let signature = key.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "id": base64(id), "rawId": base64(id), "type": "public-key", "extensions": {},
            "response": {
                "authenticatorData": base64(&data), "clientDataJSON": base64(&client),
                "signature": base64(signature), "userHandle": user_handle,
            },
        })
        .to_string()
    }
}
