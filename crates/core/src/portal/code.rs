//! Signing in to the portal by a mailed code (docs/contracts/polar/portal.md, 8.3).
//!
//! A code has so few characters that a guess must be of little use. Clients are counted by host, site and provider
//! ([`NetworkWidth`](super::NetworkWidth)):
//!
//! | request | the code works | bound on guesses |
//! |---|---|---|
//! | of a page | with the secret of the browser that asked for it, the flow | [`CODE_TRIES`] for each flow |
//! | of the API | alone, so that a guess hits any code that lives | [`WRONG_CODES_OF_HOST_PER_HOUR`], and the three wider bounds below |
//!
//! Beyond [`WRONG_CODES_OF_HOST_PER_HOUR`] the codes of a host are refused unread. Beyond a wider bound
//! ([`WRONG_CODES_OF_SITE_PER_HOUR`], [`WRONG_CODES_OF_PROVIDER_PER_HOUR`], [`WRONG_CODES_PER_HOUR`]) a code of the API
//! works for the host that asked for it alone, so a guess hits only codes that its own host asked for. Nobody is locked
//! out: the codes of pages are bound to their flow anyway, and a program that asks for a code and enters it is one host.
//!
//! A stranger who asks for codes in the name of a person uses up [`CODES_OF_SITE_PER_HOUR`] of the stranger's own site,
//! not those of the person's. Codes from all sites together have the bound [`CODES_PER_HOUR`], which does not count for
//! a site at which the person is known ([`KNOWN_SITE_S`]). Pages and API have these two bounds apart.

use crate::ids::{CustomerId, OrganizationId};
use crate::token::TokenHash;
use crate::{ExecutionContext, Timestamp};

/// Seconds for which a code works.
pub const CODE_S: i64 = 30 * 60;
/// Characters of a code, each one of A to Z and 0 to 9.
pub const CODE_CHARACTERS: usize = 6;
/// Tries of the code of a flow. After them it does not work any more, even if it is right.
pub const CODE_TRIES: u32 = 5;
/// Codes of one organization that the clients of one site have mailed to one address in an hour. Further requests get
/// the same answer and no mail.
pub const CODES_OF_SITE_PER_HOUR: u32 = 4;
/// Codes of one organization that clients of all sites have mailed to one address in an hour. Further requests get the
/// same answer and no mail, except from a site that the person is known at.
pub const CODES_PER_HOUR: u32 = 12;
/// Seconds after a sign-in for which the person is known at the site of the client.
pub const KNOWN_SITE_S: i64 = 30 * 24 * 60 * 60;
/// Codes of one organization that are mailed in an hour. Further requests get the same answer and no mail.
pub const CODES_OF_ORGANIZATION_PER_HOUR: u32 = 2_000;
/// Codes that the clients of one host ask for in an hour. Further requests are refused.
pub const CODE_REQUESTS_OF_HOST_PER_HOUR: u32 = 60;
/// Wrong codes without a flow that the clients of one host may send in an hour. Further codes are refused unread.
pub const WRONG_CODES_OF_HOST_PER_HOUR: u32 = 12;
/// Wrong codes without a flow of one site in an hour. Beyond them, codes work for the host that asked.
pub const WRONG_CODES_OF_SITE_PER_HOUR: u32 = 24;
/// Wrong codes without a flow of one provider in an hour. Beyond them, codes work for the host that asked.
pub const WRONG_CODES_OF_PROVIDER_PER_HOUR: u32 = 60;
/// Wrong codes without a flow in an hour over the whole installation. Beyond them, codes work for the host that asked.
pub const WRONG_CODES_PER_HOUR: u32 = 240;
/// Customers of one organization that a person can choose from, at most.
pub const CHOICES: usize = 100;

const LETTERS: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// A code that was mailed to sign in to the portal (table `portal_sign_ins`). It is found by the hash of its flow, or of
/// the code itself if it has no flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalSignIn {
    /// The tenant.
    pub organization: OrganizationId,
    /// The customer that the request of a code without a flow named. `None` for a flow, whose person chooses later.
    pub customer: Option<CustomerId>,
    /// The key of the address that the code proves. `None` when no mail was sent: no code is right then.
    pub email_key: Option<String>,
    /// Time of the request.
    pub created_at: Timestamp,
    /// The end of the code, and of the flow.
    pub expires_at: Timestamp,
    /// The keyed hash of the code in its flow. For a code without a flow, that of the code and of the host that asked.
    pub code_hash: TokenHash,
    /// Wrong codes that were entered in the flow.
    pub failed_tries: u32,
    /// The time at which the right code was entered. The person has not chosen a customer since.
    pub proved_at: Option<Timestamp>,
}

/// A new code.
#[must_use]
pub fn new_code(context: &mut ExecutionContext) -> String {
    let mut drawn = u64::from_be_bytes(context.random_bytes());
    let mut code = String::with_capacity(CODE_CHARACTERS);
    // The remainders prefer no code by more than one in 10^9.
    for _ in 0..CODE_CHARACTERS {
        let letter = usize::try_from(drawn % 36).ok().and_then(|at| LETTERS.get(at));
        code.push(letter.map_or('A', |letter| char::from(*letter)));
        drawn /= 36;
    }
    code
}

/// The code in a text that a person has typed: without spaces and hyphens, in upper case. `None` for a text that is no
/// code.
#[must_use]
pub fn typed_code(text: &str) -> Option<String> {
    let letters = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-');
    let code: String = letters.take(CODE_CHARACTERS + 1).map(|letter| letter.to_ascii_uppercase()).collect();
    let is_code = code.len() == CODE_CHARACTERS && code.bytes().all(|letter| LETTERS.contains(&letter));
    is_code.then_some(code)
}

/// The result of a code that is entered in its flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeTry {
    /// The code is right: the person reads mail at the address.
    Right,
    /// The code is wrong. Another try is left.
    Wrong,
    /// The code does not work any more.
    Over,
}

/// Judges a code that is entered in its flow. `is_right` says that it has the stored hash.
#[must_use]
pub fn try_code(sign_in: &PortalSignIn, is_right: bool, now: Timestamp) -> CodeTry {
    let has_ended = sign_in.expires_at <= now || sign_in.proved_at.is_some();
    if has_ended || sign_in.failed_tries >= CODE_TRIES {
        return CodeTry::Over;
    }
    match sign_in.email_key {
        Some(_) if is_right => CodeTry::Right,
        _ if sign_in.failed_tries.saturating_add(1) >= CODE_TRIES => CodeTry::Over,
        _ => CodeTry::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn sign_in(email_key: Option<&str>, failed_tries: u32) -> PortalSignIn {
        let created_at = Timestamp::from_micros(0);
        PortalSignIn {
            organization: OrganizationId::new(Uuid::from_u128(1)),
            customer: None,
            email_key: email_key.map(str::to_owned),
            created_at,
            expires_at: created_at.plus_seconds(CODE_S),
            code_hash: TokenHash([0; 32]),
            failed_tries,
            proved_at: None,
        }
    }

    #[test]
    fn a_code_works_until_its_last_try_its_end_and_its_use() {
        let now = Timestamp::from_micros(0);
        for tries in 0..CODE_TRIES {
            assert_eq!(try_code(&sign_in(Some("a@x.dev"), tries), true, now), CodeTry::Right);
        }
        assert_eq!(try_code(&sign_in(Some("a@x.dev"), CODE_TRIES), true, now), CodeTry::Over);
        let late = now.plus_seconds(CODE_S);
        assert_eq!(try_code(&sign_in(Some("a@x.dev"), 0), true, late), CodeTry::Over);
        let used = PortalSignIn { proved_at: Some(now), ..sign_in(Some("a@x.dev"), 0) };
        assert_eq!(try_code(&used, true, now), CodeTry::Over);
    }

    #[test]
    fn an_unknown_address_looks_like_a_wrong_code() {
        let now = Timestamp::from_micros(0);
        for email_key in [None, Some("a@x.dev")] {
            let tries: Vec<_> =
                (0..CODE_TRIES).map(|n| try_code(&sign_in(email_key, n), false, now)).collect();
            let wrong = CodeTry::Wrong;
            assert_eq!(tries, [wrong, wrong, wrong, wrong, CodeTry::Over]);
        }
        assert_eq!(try_code(&sign_in(None, 0), true, now), CodeTry::Wrong);
    }

    #[test]
    fn a_code_is_typed_in_any_case_and_with_spaces() {
        for text in ["A1B2C3", " a1b 2c3 ", "a1b-2c3"] {
            assert_eq!(typed_code(text).as_deref(), Some("A1B2C3"), "{text}");
        }
        for text in ["", "A1B2C", "A1B2C3D", "A1B2C\u{e9}", "\u{ff21}1B2C3", "A1B2C!"] {
            assert_eq!(typed_code(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_new_code_is_read_as_it_is(seed in any::<[u8; 32]>()) {
            let mut context = ExecutionContext::new(Timestamp::from_micros(1), seed);
            let code = new_code(&mut context);
            prop_assert_eq!(typed_code(&code), Some(code.clone()));
        }
    }
}
