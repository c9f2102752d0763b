//! Keyed hashes of secrets, and randomness from the operating system.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use tenantry_core::Moment;
use tenantry_core::token::TokenHash;
use tenantry_store::{Moments, Operation, Tx};

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

/// Whether the key is the one that this database's secrets are hashed with; a new database takes it.
#[derive(Clone)]
pub struct KeyCheck {
    /// The key.
    pub hash_key: HashKey,
}

impl KeyCheck {
    /// What the check is kept under.
    pub const NAME: &'static str = "hash_key_check";
}

impl Operation for KeyCheck {
    type Output = bool;
    type Error = Error;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut Moment) -> Result<bool, Error> {
        let TokenHash(check) = self.hash_key.hash("tenantry key check");
        Ok(tx.installation_value(Self::NAME, &check).await? == check)
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
    Arc::new(move || Moment::new(clock(), random()))
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
