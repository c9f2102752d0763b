//! Keyed hashes of secrets, secrets sealed until they are sent, and randomness from the operating system.

use std::sync::Arc;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use tenantry_core::ExecutionContext;
use tenantry_core::token::TokenHash;
use tenantry_store::{Moments, Tx, UseCase, Vault};

use crate::{Clock, Error};

/// The key that secrets are hashed with before they are stored: who reads the database alone can neither
/// use a token nor test a guess.
#[derive(Clone)]
pub struct HashKey([u8; 32]);

impl HashKey {
    /// This key.
    #[must_use]
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// A new key from the operating system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        Self(random())
    }

    /// The key in hexadecimal, to be kept where only the server reads it.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
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
        Some(Self(key))
    }

    /// HMAC-SHA-256 of a secret's text.
    #[must_use]
    pub fn hash(&self, secret: &str) -> TokenHash {
        // A key shorter than the hash's block counts as filled up with zeros (RFC 2104).
        let mut block = [0; 64];
        for (to, from) in block.iter_mut().zip(self.0) {
            *to = from;
        }
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(secret.as_bytes());
        TokenHash(mac.finalize().into_bytes().into())
    }
}

/// Bytes of the nonce before a sealed text; drawn at random, so long that no two meet.
const NONCE: usize = 24;
/// What the key of seals is derived with, so that a seal and a hash never share a key.
const SEALS: &str = "tenantry seals, version 1";

impl HashKey {
    /// `text` so that only this key reads it, and only as what was sealed for `about`.
    pub(crate) fn seal(&self, about: &[u8], text: &[u8], context: &mut ExecutionContext) -> Option<Vec<u8>> {
        self.seal_by(about, text, context.random_bytes())
    }

    fn seal_by(&self, about: &[u8], text: &[u8], nonce: [u8; NONCE]) -> Option<Vec<u8>> {
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), Payload { msg: text, aad: about }).ok()?;
        Some([&nonce, sealed.as_slice()].concat())
    }

    /// What was sealed for `about` with this key; nothing when it was not, or was tampered with.
    pub(crate) fn open(&self, about: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
        self.cipher().decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: about }).ok()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let TokenHash(key) = self.hash(SEALS);
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

/// Whether the key is the one that this database's secrets are hashed with; a new database takes it.
#[derive(Clone)]
pub struct KeyCheck {
    /// The key.
    pub hash_key: HashKey,
}

impl KeyCheck {
    /// What the check is kept under.
    pub const NAME: &'static str = "hash_key_check";

    /// What is kept there: it tells the key from any other, and nothing of it.
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

/// SHA-256 of a request: method, path and body, each told apart from the next.
pub(crate) fn fingerprint(method: &str, path: &str, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [method.as_bytes(), path.as_bytes()] {
        hash.update(part);
        hash.update([0]);
    }
    hash.update(body);
    hash.finalize().into()
}

/// Makes the moment of each transaction from the clock and the operating system's randomness.
#[must_use]
pub fn moments(clock: Clock) -> Moments {
    Arc::new(move || ExecutionContext::new(clock(), random()))
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the operating system's randomness")]
fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    if getrandom::fill(&mut bytes).is_err() {
        // Without randomness every secret could be guessed: there is nothing safe left to do.
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
    fn a_seal_is_opened_by_its_key_for_its_purpose_alone() {
        let (key, other) = (HashKey::new([1; 32]), HashKey::new([2; 32]));
        let sealed = key.seal(b"mail 1", b"a secret", &mut context()).unwrap();
        assert_eq!(key.open(b"mail 1", &sealed).unwrap(), b"a secret");
        assert_eq!(other.open(b"mail 1", &sealed), None);
        assert_eq!(key.open(b"mail 2", &sealed), None);
        assert!(!sealed.windows(8).any(|part| part == b"a secret"));
    }

    #[test]
    fn a_seal_that_was_touched_is_not_opened() {
        let key = HashKey::new([1; 32]);
        let sealed = key.seal(b"", b"a secret", &mut context()).unwrap();
        for index in 0..sealed.len() {
            let mut touched = sealed.clone();
            touched[index] ^= 1;
            assert_eq!(key.open(b"", &touched), None, "{index}");
            assert_eq!(key.open(b"", &sealed[..index]), None, "{index}");
        }
    }

    #[test]
    fn no_two_seals_are_alike() {
        let (key, mut context) = (HashKey::new([1; 32]), context());
        let seals = [(); 2].map(|()| key.seal(b"", b"a secret", &mut context).unwrap());
        assert_ne!(seals[0], seals[1]);
    }
}
