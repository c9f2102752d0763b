//! The text of a secret: a prefix for its kind, 37 or 58 random base-62 characters, and a checksum of 6 characters.
//!
//! The prefix lets scanners find leaked secrets. The checksum lets the server refuse a mistyped secret without a
//! query.

use std::fmt;

use crate::ExecutionContext;
use crate::ids::TokenId;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Random characters of every kind but an API key.
const RANDOM_CHARACTERS: usize = 37;
/// Random characters of an API key, which has 64 characters with its checksum (docs/contracts/ahasend.md, 1.6).
const RANDOM_CHARACTERS_OF_KEY: usize = 58;
const CHECKSUM_CHARACTERS: usize = 6;
/// The digits of a recovery code: no two look alike.
const BASE_32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of a recovery code without its hyphens.
const RECOVERY_CODE_CHARACTERS: usize = 16;

/// The kind of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretKind {
    /// An access token of an organization.
    OrganizationToken,
    /// An access token of an organization, created as an API key.
    ApiKey,
    /// A personal access token of a user.
    UserToken,
    /// A customer's session in the portal.
    CustomerSession,
    /// A member's session in the portal.
    MemberSession,
    /// The proof that a customer reads mail at a new address. It authenticates no request.
    EmailChange,
    /// A person's session in the console. It authenticates requests for pages alone, none of the API.
    ConsoleSession,
    /// The browser in which somebody signs in. It authenticates no request.
    SignIn,
    /// The right to take over the first organization. It authenticates no request.
    FirstEntry,
    /// An invitation to a team. It authenticates no request.
    Invitation,
    /// The browser that uses a passkey. It authenticates no request.
    PasskeyCeremony,
}

impl SecretKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::OrganizationToken,
        Self::ApiKey,
        Self::UserToken,
        Self::CustomerSession,
        Self::MemberSession,
        Self::EmailChange,
        Self::ConsoleSession,
        Self::SignIn,
        Self::FirstEntry,
        Self::Invitation,
        Self::PasskeyCeremony,
    ];

    /// The prefix of every secret of this kind.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::OrganizationToken => "tenantry_oat_",
            Self::ApiKey => "aha-sk-",
            Self::UserToken => "tenantry_pat_",
            Self::CustomerSession => "tenantry_cst_",
            Self::MemberSession => "tenantry_mst_",
            Self::EmailChange => "tenantry_cev_",
            Self::ConsoleSession => "tenantry_web_",
            Self::SignIn => "tenantry_sin_",
            Self::FirstEntry => "tenantry_own_",
            Self::Invitation => "tenantry_inv_",
            Self::PasskeyCeremony => "tenantry_pkc_",
        }
    }

    /// The kind's name in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrganizationToken => "access_token",
            Self::ApiKey => "api_key",
            Self::UserToken => "user_token",
            Self::CustomerSession => "customer_session",
            Self::MemberSession => "member_session",
            Self::EmailChange => "email_change",
            Self::ConsoleSession => "console_session",
            Self::SignIn => "sign_in",
            Self::FirstEntry => "first_entry",
            Self::Invitation => "invitation",
            Self::PasskeyCeremony => "passkey_ceremony",
        }
    }

    const fn random_characters(self) -> usize {
        match self {
            Self::ApiKey => RANDOM_CHARACTERS_OF_KEY,
            Self::OrganizationToken
            | Self::UserToken
            | Self::CustomerSession
            | Self::MemberSession
            | Self::EmailChange
            | Self::ConsoleSession
            | Self::SignIn
            | Self::FirstEntry
            | Self::Invitation
            | Self::PasskeyCeremony => RANDOM_CHARACTERS,
        }
    }

    /// Whether a secret of this kind authenticates requests of the API. A proof does not, nor the session of a browser.
    #[must_use]
    pub const fn is_credential(self) -> bool {
        match self {
            Self::OrganizationToken
            | Self::ApiKey
            | Self::UserToken
            | Self::CustomerSession
            | Self::MemberSession => true,
            Self::EmailChange
            | Self::ConsoleSession
            | Self::SignIn
            | Self::FirstEntry
            | Self::Invitation
            | Self::PasskeyCeremony => false,
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A secret in clear text. It is shown once. It cannot be serialized, and `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new secret of `kind`.
    pub fn generate(kind: SecretKind, context: &mut ExecutionContext) -> Self {
        let random = match kind {
            SecretKind::ApiKey => context.random_text::<RANDOM_CHARACTERS_OF_KEY>(ALPHABET),
            _ => context.random_text::<RANDOM_CHARACTERS>(ALPHABET),
        };
        let checksum = checksum(&random);
        Self(format!("{}{random}{checksum}", kind.prefix()))
    }

    /// A new code that a person copies from a mail: 8 digits.
    pub fn sign_in_code(context: &mut ExecutionContext) -> Self {
        let drawn = u64::from_be_bytes(context.random_bytes());
        // The remainder prefers no code by more than one in 10^11.
        Self(format!("{:08}", drawn % 100_000_000))
    }

    /// A code of the portal, which a person copies from a mail.
    #[must_use]
    pub fn portal_code(code: &str) -> Self {
        Self(code.to_owned())
    }

    /// A new code that lets a person in once without a passkey: 80 random bits in base 32, in four groups.
    pub fn recovery_code(context: &mut ExecutionContext) -> Self {
        let drawn: [u8; 10] = context.random_bytes();
        let bits = drawn.into_iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(byte));
        let mut code = String::with_capacity(19);
        for index in 0..RECOVERY_CODE_CHARACTERS {
            if index > 0 && index.is_multiple_of(4) {
                code.push('-');
            }
            let digit = usize::try_from(bits >> (5 * index) & 31).ok();
            code.push(digit.and_then(|digit| BASE_32.get(digit)).map_or('0', |letter| char::from(*letter)));
        }
        Self(code)
    }

    /// The characters of a recovery code that count, whatever the case, with or without its hyphens. Letters that look
    /// like a digit stand for it. `None` for any text that is no such code; the code need not exist.
    #[must_use]
    pub fn recovery_code_key(text: &str) -> Option<String> {
        let letters = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-');
        let letters =
            letters.take(RECOVERY_CODE_CHARACTERS + 1).map(|letter| match letter.to_ascii_lowercase() {
                'o' => '0',
                'i' | 'l' => '1',
                letter => letter,
            });
        let key: String = letters.collect();
        let is_code =
            key.len() == RECOVERY_CODE_CHARACTERS && key.bytes().all(|letter| BASE_32.contains(&letter));
        is_code.then_some(key)
    }

    /// The kind of a secret whose prefix, length and checksum are correct; none for any other text. The secret need
    /// not exist.
    #[must_use]
    pub fn recognize(text: &str) -> Option<SecretKind> {
        SecretKind::ALL.into_iter().find(|kind| {
            let body = text.strip_prefix(kind.prefix());
            let random = kind.random_characters();
            body.filter(|body| body.len() == random + CHECKSUM_CHARACTERS)
                .and_then(|body| body.split_at_checked(random))
                .is_some_and(|(random, sum)| checksum(random) == sum)
        })
    }

    /// The text, for its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The keyed hash of a secret. It is stored in place of the secret, and credentials are looked up by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// Whether both are the same, in a time that does not depend on where they differ.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).fold(0, |differing, (one, two)| differing | (one ^ two)) == 0
    }
}

/// The CRC-32 of the random characters in base 62, most significant digit first.
fn checksum(random: &str) -> String {
    base_62::<CHECKSUM_CHARACTERS>(crc32fast::hash(random.as_bytes()).into())
}

/// The last `DIGITS` base-62 digits of a number, most significant digit first.
fn base_62<const DIGITS: usize>(number: u128) -> String {
    let mut rest = number;
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        let letter = usize::try_from(rest % 62).ok().and_then(|index| ALPHABET.get(index));
        *digit = letter.copied().unwrap_or(b'0');
        rest /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

/// The public key that AhaSend shows for an API key: the id of the token in base 62. It authenticates nothing.
#[must_use]
pub fn public_key(id: TokenId) -> String {
    format!("aha-pk-{}", base_62::<22>(id.uuid().as_u128()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    #[test]
    fn the_checksum_equals_the_published_example() {
        // docs/contracts/polar/examples.md, appendix B, uses the same alphabet: digits, upper case, lower case.
        assert_eq!(checksum("tcM6qx7coyBdPjKlh64ag2lgKYQ1XljrbX0uI"), "3BOcYt");
    }

    #[test]
    fn a_mistyped_secret_is_not_recognized() {
        let mut context = ExecutionContext::new(Timestamp::from_micros(1), [7; 32]);
        let secret = Secret::generate(SecretKind::OrganizationToken, &mut context);
        assert_eq!(Secret::recognize(secret.expose()), Some(SecretKind::OrganizationToken));
        let mut mistyped = secret.expose().to_owned();
        let last = mistyped.pop().unwrap();
        mistyped.push(if last == 'a' { 'b' } else { 'a' });
        assert_eq!(Secret::recognize(&mistyped), None);
        assert_eq!(Secret::recognize("polar_oat_x"), None);
    }

    #[test]
    fn a_recovery_code_is_read_as_people_write_it() {
        let mut context = ExecutionContext::new(Timestamp::from_micros(1), [7; 32]);
        let code = Secret::recovery_code(&mut context);
        let key = Secret::recovery_code_key(code.expose()).unwrap();
        assert_eq!(key, code.expose().replace('-', ""));
        assert_ne!(code, Secret::recovery_code(&mut context));
        for written in
            [code.expose().to_uppercase(), format!(" {} ", key.replace('0', "O").replace('1', "l"))]
        {
            assert_eq!(Secret::recovery_code_key(&written).as_ref(), Some(&key), "{written}");
        }
        for other in
            ["", "0000-0000-0000-000", "0000-0000-0000-00000", "0000-0000-0000-000u", "ä000-0000-0000-000"]
        {
            assert_eq!(Secret::recovery_code_key(other), None, "{other}");
        }
    }

    #[test]
    fn every_token_has_its_own_public_key() {
        let key = |id: u128| public_key(TokenId::new(uuid::Uuid::from_u128(id)));
        assert_eq!(key(0), "aha-pk-0000000000000000000000");
        assert_eq!(key(61 + 62), "aha-pk-000000000000000000001z");
        assert_eq!(key(u128::MAX), "aha-pk-7n42DGM5Tflk9n8mt7Fhc7");
        assert_eq!(Secret::recognize(&key(u128::MAX)), None);
    }

    #[test]
    fn every_kind_has_its_own_prefix() {
        let mut context = ExecutionContext::new(Timestamp::from_micros(1), [7; 32]);
        for kind in SecretKind::ALL {
            assert_eq!(Secret::recognize(Secret::generate(kind, &mut context).expose()), Some(kind));
            assert_eq!(SecretKind::from_name(kind.as_str()), Some(kind));
        }
    }
}
