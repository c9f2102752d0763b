//! The secret that signs the requests to an endpoint (docs/contracts/polar/webhooks.md).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use serde::Serialize;

use crate::{ExecutionContext, Timestamp};

/// Prefix of a generated secret, before its base64 text.
const PREFIX: &str = "whsec_";

/// The signing secret of an endpoint, in the text form that its owner sees. It cannot be serialized, and `Debug` does
/// not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(String);

/// A chosen secret with fewer than [`SigningSecret::MIN_CHARS`] characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a webhook secret needs at least {} characters", SigningSecret::MIN_CHARS)]
pub struct SecretTooShort;

impl SigningSecret {
    /// Minimum characters of a secret that a client chooses.
    pub const MIN_CHARS: usize = 32;

    /// A new secret.
    pub fn generate(context: &mut ExecutionContext) -> Self {
        Self::from_random(context.random_bytes())
    }

    /// A secret of 32 random bytes: `whsec_` and their base64 text, as Standard Webhooks defines it.
    #[must_use]
    pub fn from_random(random: [u8; 32]) -> Self {
        Self(format!("{PREFIX}{}", STANDARD.encode(random)))
    }

    /// A secret that a client chose: any text of sufficient length, unchanged.
    ///
    /// # Errors
    /// When the text is too short.
    pub fn parse(text: &str) -> Result<Self, SecretTooShort> {
        if text.chars().nth(Self::MIN_CHARS - 1).is_none() {
            return Err(SecretTooShort);
        }
        Ok(Self(text.to_owned()))
    }

    /// A secret from the database, not validated again.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text of the secret.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SigningSecret")
    }
}

/// The signing secret of an endpoint before its last rotation. Requests carry its signatures as well until it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PreviousSigningSecret {
    /// The secret. None when the stored secret cannot be decrypted.
    #[serde(skip)]
    pub secret: Option<SigningSecret>,
    /// The time at which it ends.
    pub expires_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_secret_has_a_minimum_length_and_is_not_printed() {
        assert_eq!(SigningSecret::parse(&"é".repeat(31)), Err(SecretTooShort));
        let secret = SigningSecret::parse(&"é".repeat(32)).unwrap();
        assert_eq!(format!("{secret:?}"), "SigningSecret");
    }
}
