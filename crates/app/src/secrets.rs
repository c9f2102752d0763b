//! Keyed hashes of secrets, seals (authenticated encryption), and randomness from the operating system.

use std::sync::Arc;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use tenantry_core::ExecutionContext;
use tenantry_core::token::{Secret, TokenHash};
use tenantry_store::{Moments, Tx, UseCase, Vault};
use uuid::{Builder, Uuid};

use crate::{Clock, Error};

/// A new token with its secret, which is shown once.
#[derive(Debug, Clone)]
pub struct IssuedToken<T> {
    /// The token.
    pub token: T,
    /// Its secret.
    pub secret: Secret,
}

/// The key that hashes and seals secrets in the database. Without it, a copy of the database neither reveals a token
/// nor lets anybody test a guess.
#[derive(Clone)]
pub struct HashKey {
    key: [u8; 32],
    /// Has read the key, which is half of the work of a hash.
    mac: Hmac<Sha256>,
}

impl HashKey {
    /// A key from its bytes.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        // RFC 2104 pads a key that is shorter than the hash's block with zeros.
        let mut block = [0; 64];
        for (to, from) in block.iter_mut().zip(key) {
            *to = from;
        }
        Self { key, mac: Hmac::new(&block.into()) }
    }

    /// A new key from the operating system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        Self::new(random())
    }

    /// The key in hexadecimal. Store it where only the server can read it.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.key.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The key from 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut key = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (index, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(Self::new(key))
    }

    /// HMAC-SHA-256 of a secret's text.
    #[must_use]
    pub fn hash(&self, secret: &str) -> TokenHash {
        let mut mac = self.mac.clone();
        mac.update(secret.as_bytes());
        TokenHash(mac.finalize().into_bytes().into())
    }
}

/// Bytes of the random nonce in front of a sealed text. At this length two random nonces practically never collide.
const NONCE_BYTES: usize = 24;
/// The text from which the encryption key is derived, so that hashes and seals use different keys.
const SEAL_KEY_DERIVATION: &str = "tenantry seals, version 1";

impl HashKey {
    /// Encrypts `text`. Opening it needs this key and the same `about` (associated data).
    pub(crate) fn seal(&self, about: &[u8], text: &[u8], context: &mut ExecutionContext) -> Option<Vec<u8>> {
        self.seal_by(about, text, context.random_bytes())
    }

    fn seal_by(&self, about: &[u8], text: &[u8], nonce: [u8; NONCE_BYTES]) -> Option<Vec<u8>> {
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), Payload { msg: text, aad: about }).ok()?;
        Some([&nonce, sealed.as_slice()].concat())
    }

    /// Decrypts a sealed text. `None` if the key or `about` differ, or if the text was changed.
    pub(crate) fn open(&self, about: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        self.cipher().decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: about }).ok()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let TokenHash(key) = self.hash(SEAL_KEY_DERIVATION);
        XChaCha20Poly1305::new(&key.into())
    }
}

impl Vault for HashKey {
    fn seal(&self, about: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        let drawn = random();
        self.seal_by(about, text, *drawn.first_chunk()?)
    }

    fn open(&self, about: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        Self::open(self, about, sealed)
    }
}

/// Checks that the key is the one of this database. A new database adopts the key.
#[derive(Clone)]
pub struct KeyCheck {
    /// The key.
    pub hash_key: HashKey,
}

impl KeyCheck {
    /// The name of the check value in `installation`.
    pub const NAME: &'static str = "hash_key_check";

    /// The check value: a hash that identifies the key without revealing it.
    #[must_use]
    pub fn value(&self) -> [u8; 32] {
        self.hash_key.hash("tenantry key check").0
    }
}

impl UseCase for KeyCheck {
    type Output = bool;
    type Error = Error;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<bool, Error> {
        let check = self.value();
        Ok(tx.installation_value_ensure(Self::NAME, &check).await? == check)
    }
}

/// SHA-256 of a request: method, path and body, with separators.
pub(crate) fn fingerprint(method: &str, path: &str, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [method.as_bytes(), path.as_bytes()] {
        hash.update(part);
        hash.update([0]);
    }
    hash.update(body);
    hash.finalize().into()
}

/// The fingerprint of a request by one credential. The first half is that of the request.
pub(crate) fn fingerprint_by(request: [u8; 32], credential: Uuid) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(request);
    hash.update(credential.as_bytes());
    let mut both: [u8; 32] = hash.finalize().into();
    for (to, from) in both.iter_mut().zip(request).take(request.len() / 2) {
        *to = from;
    }
    both
}

/// The source of each transaction's time and randomness: the clock and the operating system.
#[must_use]
pub fn moments(clock: Clock) -> Moments {
    Arc::new(move || ExecutionContext::new(clock(), random()))
}

/// A random id, without a time in it.
pub(crate) fn random_uuid() -> Uuid {
    let bytes = random();
    Builder::from_random_bytes(*bytes.first_chunk().unwrap_or(&[0; 16])).into_uuid()
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the operating system's randomness")]
pub(crate) fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    if getrandom::fill(&mut bytes).is_err() {
        // Without randomness every new secret could be guessed, so the process must not go on.
        std::process::abort();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use tenantry_core::Timestamp;

    use super::*;

    fn context() -> ExecutionContext {
        ExecutionContext::new(Timestamp::from_micros(0), [3; 32])
    }

    #[test]
    fn a_seal_opens_with_its_key_and_associated_data_alone() {
        let (key, other) = (HashKey::new([1; 32]), HashKey::new([2; 32]));
        let sealed = key.seal(b"mail 1", b"a secret", &mut context()).unwrap();
        assert_eq!(key.open(b"mail 1", &sealed).unwrap(), b"a secret");
        assert_eq!(other.open(b"mail 1", &sealed), None);
        assert_eq!(key.open(b"mail 2", &sealed), None);
        assert!(!sealed.windows(8).any(|part| part == b"a secret"));
    }

    #[test]
    fn a_changed_seal_does_not_open() {
        let key = HashKey::new([1; 32]);
        let sealed = key.seal(b"", b"a secret", &mut context()).unwrap();
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(key.open(b"", &changed), None, "{index}");
            assert_eq!(key.open(b"", &sealed[..index]), None, "{index}");
        }
    }

    #[test]
    fn two_seals_of_one_text_differ() {
        let (key, mut context) = (HashKey::new([1; 32]), context());
        let seals = [(); 2].map(|()| key.seal(b"", b"a secret", &mut context).unwrap());
        assert_ne!(seals[0], seals[1]);
    }
}
