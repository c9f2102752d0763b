//! Signing in to the console without a password (docs/CONSOLE.md).
//!
//! Invariants:
//! - A code works in the browser that asked for it, for [`CODE_S`], and for [`CODE_TRIES`] tries.
//! - Only a person with a proved address has a session.
//! - A session ends [`SESSION_IDLE_S`] after its last use, and [`SESSION_S`] after its start; that of an owner of an
//!   organization [`OWNER_SESSION_S`] after its start.
//! - What could take an account away needs a proof of a factor that is at most [`STEP_UP_S`] old. A mailed code counts as
//!   a factor for a person without passkeys alone.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::{UserId, UserTokenId};
use crate::token::TokenHash;
use crate::values::EmailAddress;

/// Seconds for which a code works.
pub const CODE_S: i64 = 10 * 60;
/// Tries of a code. After them it does not work any more, even if it is right.
pub const CODE_TRIES: u32 = 5;
/// Codes that are mailed to one address in an hour. Further requests get the same answer and no mail.
pub const CODES_PER_HOUR: u32 = 3;
/// Codes for new addresses that one person causes in an hour.
pub const ADDRESS_CODES_PER_HOUR: u32 = 5;
/// Wrong codes in an hour over the whole installation, above which each code has one try. A right code works all the same,
/// so nobody is locked out.
pub const WRONG_CODES_PER_HOUR: u32 = 600;
/// Seconds without a request after which a session ends.
pub const SESSION_IDLE_S: i64 = 12 * 60 * 60;
/// Seconds after which a session ends in any case.
pub const SESSION_S: i64 = 7 * 24 * 60 * 60;
/// Seconds after which the session of an owner of an organization ends in any case.
pub const OWNER_SESSION_S: i64 = 24 * 60 * 60;
/// Seconds for which an address works that the operator gets: for the first entry, or to let a person in again.
pub const ENTRY_S: i64 = 15 * 60;

/// Seconds for which a proof of a factor admits to what needs one.
pub const STEP_UP_S: i64 = 10 * 60;

/// The way in which a person has proved to be themselves. It is known by its name in storage and in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// A code that was mailed to the person's address.
    Code,
    /// A passkey.
    Passkey,
    /// A recovery code.
    RecoveryCode,
    /// The operator vouched for the person.
    Operator,
}

impl Proof {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Code, Self::Passkey, Self::RecoveryCode, Self::Operator];

    /// The name in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Passkey => "passkey",
            Self::RecoveryCode => "recovery_code",
            Self::Operator => "operator",
        }
    }

    /// The way of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|proof| proof.as_str() == name)
    }

    /// Whether it proves more than the access to a mailbox.
    #[must_use]
    pub const fn is_strong(self) -> bool {
        !matches!(self, Self::Code)
    }
}

/// The latest proof of the person of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionProof {
    /// The way.
    pub proof: Proof,
    /// The time.
    pub at: Timestamp,
    /// Whether the person has a passkey now. A mailed code is then no factor.
    pub has_passkey: bool,
}

impl SessionProof {
    /// Whether the proof is a factor, and so recent that it admits to what needs a proof.
    #[must_use]
    pub fn is_fresh(self, now: Timestamp) -> bool {
        self.at.plus_seconds(STEP_UP_S) > now && (self.proof.is_strong() || !self.has_passkey)
    }
}

/// The cookie with the secret of a session.
pub const SESSION_COOKIE: &str = "__Host-tenantry_session";

/// The value of a cookie in the lines of `Cookie` headers. Of several with one name, the first.
#[must_use]
pub fn cookie<'a>(lines: impl IntoIterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    let pairs = lines.into_iter().flat_map(|line| line.split(';'));
    let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// The browser of a session, as its person sees it in the list of sessions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Browser {
    /// The name of the program, such as `Firefox, Linux`.
    pub name: String,
    /// The address from which it signed in.
    pub address: Option<String>,
    /// The mark by which it is known again, as its cookie has it. It is not stored with the session.
    pub mark: Option<String>,
}

/// A person's session in the console (a row of `user_tokens`): a token with every scope that a browser holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsoleSession {
    /// Id.
    pub id: UserTokenId,
    /// The person.
    pub user: UserId,
    /// Time of the sign-in.
    pub created_at: Timestamp,
    /// The end in any case.
    pub expires_at: Timestamp,
    /// Time of the last use, accurate to [`LAST_USE_RESOLUTION_S`](crate::token::LAST_USE_RESOLUTION_S).
    #[serde(skip)]
    pub last_used_at: Option<Timestamp>,
    /// The way in which the person proved to be themselves last.
    pub proof: Proof,
    /// Time of that proof.
    pub proved_at: Timestamp,
    /// The browser. Not serialized, because an audit entry keeps no personal data that a deletion would have to find.
    #[serde(skip)]
    pub browser: Browser,
}

/// A new session.
#[must_use]
pub fn start_session(
    id: UserTokenId,
    user: UserId,
    is_owner: bool,
    (browser, proof): (Browser, Proof),
    now: Timestamp,
) -> ConsoleSession {
    let lifetime = if is_owner { OWNER_SESSION_S } else { SESSION_S };
    let expires_at = now.plus_seconds(lifetime);
    let (created_at, proved_at) = (now, now);
    ConsoleSession { id, user, created_at, expires_at, last_used_at: None, proof, proved_at, browser }
}

/// A code that was mailed to prove an address (table `sign_ins`): to sign in, to prove oneself again, or to change the
/// address. It is found by the secret of its browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// The person with the address that was entered; none when nobody has it.
    pub user: Option<UserId>,
    /// The key of the person's address at that time, which is the only one that the code proves.
    pub email_key: Option<String>,
    /// The address that becomes the person's, when the code proves a new one. Such a code signs nobody in.
    pub new_email: Option<EmailAddress>,
    /// Time of the request.
    pub created_at: Timestamp,
    /// The end of the code.
    pub expires_at: Timestamp,
    /// The keyed hash of the code and the secret of the browser.
    pub code_hash: TokenHash,
    /// Wrong codes that were entered.
    pub failed_tries: u32,
}

/// The result of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeTry {
    /// The code is right: this person has proved the address.
    Right(UserId),
    /// The code is wrong. Another try is left.
    Wrong,
    /// The code does not work any more, or there is none.
    Over,
}

/// Judges a try. `is_right` says that the entered code has the stored hash.
#[must_use]
pub fn try_code(sign_in: &SignIn, is_right: bool, now: Timestamp) -> CodeTry {
    let tries = sign_in.failed_tries.saturating_add(1);
    if sign_in.expires_at <= now || sign_in.failed_tries >= CODE_TRIES {
        return CodeTry::Over;
    }
    match sign_in.user {
        Some(user) if is_right => CodeTry::Right(user),
        _ if tries >= CODE_TRIES => CodeTry::Over,
        _ => CodeTry::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const USER: UserId = UserId::new(Uuid::from_u128(1));

    fn sign_in(user: Option<UserId>, failed_tries: u32) -> SignIn {
        let created_at = Timestamp::from_micros(0);
        let expires_at = created_at.plus_seconds(CODE_S);
        let code_hash = TokenHash([0; 32]);
        SignIn { user, email_key: None, new_email: None, created_at, expires_at, code_hash, failed_tries }
    }

    #[test]
    fn a_code_works_until_its_last_try_and_its_end() {
        let now = Timestamp::from_micros(0);
        for tries in 0..CODE_TRIES {
            assert_eq!(try_code(&sign_in(Some(USER), tries), true, now), CodeTry::Right(USER));
        }
        assert_eq!(try_code(&sign_in(Some(USER), CODE_TRIES), true, now), CodeTry::Over);
        let late = now.plus_seconds(CODE_S);
        assert_eq!(try_code(&sign_in(Some(USER), 0), true, late), CodeTry::Over);
    }

    #[test]
    fn an_unknown_address_looks_like_a_wrong_code() {
        let now = Timestamp::from_micros(0);
        for user in [None, Some(USER)] {
            let tries: Vec<_> = (0..CODE_TRIES).map(|n| try_code(&sign_in(user, n), false, now)).collect();
            let wrong = CodeTry::Wrong;
            assert_eq!(tries, [wrong, wrong, wrong, wrong, CodeTry::Over]);
        }
        assert_eq!(try_code(&sign_in(None, 0), true, now), CodeTry::Wrong);
    }

    #[test]
    fn a_proof_is_fresh_for_ten_minutes_and_a_code_without_passkeys_alone() {
        let at = Timestamp::from_micros(0);
        let (last, over) = (at.plus_seconds(STEP_UP_S - 1), at.plus_seconds(STEP_UP_S));
        for proof in Proof::ALL {
            assert_eq!(Proof::from_name(proof.as_str()), Some(proof));
            for has_passkey in [false, true] {
                let session = SessionProof { proof, at, has_passkey };
                assert_eq!(session.is_fresh(last), !(has_passkey && proof == Proof::Code), "{session:?}");
                assert!(!session.is_fresh(over), "{session:?}");
            }
        }
    }

    #[test]
    fn an_owner_signs_in_more_often() {
        let now = Timestamp::from_micros(0);
        let lifetime = |is_owner| {
            let id = UserTokenId::new(Uuid::nil());
            now.seconds_until(
                start_session(id, USER, is_owner, (Browser::default(), Proof::Code), now).expires_at,
            )
        };
        assert_eq!((lifetime(true), lifetime(false)), (24 * 60 * 60, 7 * 24 * 60 * 60));
    }
}
