//! Passkeys: keys of a person's devices that sign in and prove the person (W3C Web Authentication).
//!
//! A ceremony is one use of a passkey, or the making of one. It has two requests: the server makes a challenge, and the
//! browser answers it.

use serde::Serialize;

use crate::Timestamp;
use crate::ids::{PasskeyId, UserId};
use crate::values::PersonName;

/// Passkeys of one person, at most.
pub const PASSKEYS_PER_PERSON: usize = 20;
/// Seconds for which a browser may answer a challenge.
pub const CEREMONY_S: i64 = 5 * 60;
/// Recovery codes that are made at once.
pub const RECOVERY_CODES: usize = 10;

/// A passkey of a person (table `passkeys`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Passkey {
    /// Id.
    pub id: PasskeyId,
    /// The person.
    pub user: UserId,
    /// Time at which it was added.
    pub created_at: Timestamp,
    /// Time of the latest new name.
    pub modified_at: Option<Timestamp>,
    /// Time of the latest use.
    #[serde(skip)]
    pub last_used_at: Option<Timestamp>,
    /// The person's name for it. Not serialized, because an audit entry keeps no personal data that a deletion would
    /// have to find.
    #[serde(skip)]
    pub name: PersonName,
    /// The id that the authenticator gave it, unique among all passkeys.
    #[serde(skip)]
    pub credential_id: Vec<u8>,
    /// The public key and the counter, as JSON.
    #[serde(skip)]
    pub credential: String,
}

/// The purpose of a ceremony.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CeremonyPurpose {
    /// A person adds a passkey.
    Enrolment,
    /// Somebody signs in.
    SignIn,
    /// A person proves to be themselves again.
    StepUp,
}

impl CeremonyPurpose {
    /// Every purpose.
    pub const ALL: [Self; 3] = [Self::Enrolment, Self::SignIn, Self::StepUp];

    /// The name in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enrolment => "enrolment",
            Self::SignIn => "sign_in",
            Self::StepUp => "step_up",
        }
    }

    /// The purpose of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == name)
    }
}

/// A ceremony that waits for the browser's answer (table `passkey_ceremonies`). It is found by the secret of the browser,
/// and is over after one answer, whatever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceremony {
    /// The purpose.
    pub purpose: CeremonyPurpose,
    /// The person; none when somebody signs in.
    pub user: Option<UserId>,
    /// The end.
    pub expires_at: Timestamp,
    /// The challenge and what else the check of the answer needs, as JSON.
    pub state: String,
}

impl Ceremony {
    /// Whether the ceremony waits at `now` for an answer of this person, for this purpose.
    #[must_use]
    pub fn awaits(&self, purpose: CeremonyPurpose, user: Option<UserId>, now: Timestamp) -> bool {
        self.purpose == purpose && self.user == user && self.expires_at > now
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_ceremony_is_of_its_purpose_its_person_and_its_time() {
        let user = Some(UserId::new(Uuid::from_u128(1)));
        let begin = Timestamp::from_micros(0);
        for purpose in CeremonyPurpose::ALL {
            assert_eq!(CeremonyPurpose::from_name(purpose.as_str()), Some(purpose));
            let expires_at = begin.plus_seconds(CEREMONY_S);
            let ceremony = Ceremony { purpose, user, expires_at, state: String::new() };
            assert!(ceremony.awaits(purpose, user, begin));
            assert!(!ceremony.awaits(purpose, user, expires_at));
            assert!(!ceremony.awaits(purpose, None, begin));
            for other in CeremonyPurpose::ALL.into_iter().filter(|other| *other != purpose) {
                assert!(!ceremony.awaits(other, user, begin));
            }
        }
    }
}
