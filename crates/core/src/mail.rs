//! Mail that the product writes: to whom, about what. The words are those of the templates that the
//! worker fills in; a secret travels beside the letter, sealed.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::{MailId, OrganizationId};
use crate::team::TeamRole;
use crate::values::{EmailAddress, Slug};

/// What a mail is about, and the facts that its words need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MailContent {
    /// To a new address: show that you read mail here. Carries a secret.
    EmailChangeRequest {
        /// The organization whose customer asked, by name.
        organization: String,
        /// The same, as its portal is named.
        slug: Slug,
        /// Minutes until the secret is worthless.
        minutes: u32,
    },
    /// To a former address: another one is in use now.
    EmailChanged {
        /// The organization, by name.
        organization: String,
        /// The address in use; the letter shows a hint of it.
        new_address: EmailAddress,
    },
    /// To who looks after an organization: the addresses have changed from which a key of it may be used.
    ApiKeyAllowList {
        /// The organization, by name.
        organization: String,
        /// What the key is for.
        label: String,
    },
    /// To somebody who was added to a team.
    TeamMemberAdded {
        /// The organization, by name.
        organization: String,
        /// Their role.
        role: TeamRole,
        /// Who added them, where a person did.
        inviter: Option<String>,
    },
}

/// A mail that waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMail {
    /// Id; the identity of the mail in every attempt.
    pub id: MailId,
    /// The tenant it is about.
    pub organization: OrganizationId,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it is no longer worth sending.
    pub expires_at: Option<Timestamp>,
    /// To whom.
    pub to: EmailAddress,
    /// About what.
    pub content: MailContent,
    /// The secret that the letter carries, sealed.
    pub sealed: Option<Vec<u8>>,
    /// When it is tried next; of one that somebody holds, until when.
    pub due_at: Timestamp,
    /// Attempts so far, the running one included.
    pub attempts: u32,
}

/// Attempts after which a mail is given up.
pub const ATTEMPTS: u32 = 10;
/// Seconds until the second attempt; each further one waits twice as long.
const FIRST_WAIT_S: i64 = 30;
/// Seconds between attempts at the most.
const LONGEST_WAIT_S: i64 = 60 * 60;

/// When a mail that could not be sent is tried again, with up to a quarter of the wait added by `chance`;
/// nothing when that is pointless.
#[must_use]
pub fn next_attempt(mail: &QueuedMail, now: Timestamp, chance: u8) -> Option<Timestamp> {
    if mail.attempts >= ATTEMPTS {
        return None;
    }
    let doublings = mail.attempts.saturating_sub(1).min(16);
    let wait = FIRST_WAIT_S.saturating_mul(1 << doublings).min(LONGEST_WAIT_S);
    let due = now.plus_seconds(wait + wait * i64::from(chance) / 1024);
    Some(due).filter(|due| mail.expires_at.is_none_or(|expires_at| *due < expires_at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn mail(attempts: u32, expires_at: Option<Timestamp>) -> QueuedMail {
        QueuedMail {
            id: MailId::new(Uuid::nil()),
            organization: OrganizationId::new(Uuid::nil()),
            created_at: Timestamp::from_micros(0),
            expires_at,
            to: EmailAddress::parse("ada@x.dev").unwrap(),
            content: MailContent::EmailChanged {
                organization: "Acme".into(),
                new_address: EmailAddress::parse("ada@y.dev").unwrap(),
            },
            sealed: None,
            due_at: Timestamp::from_micros(0),
            attempts,
        }
    }

    #[test]
    fn waits_double_up_to_an_hour() {
        let now = Timestamp::from_micros(0);
        let waits: Vec<_> = (1..=ATTEMPTS)
            .map(|n| next_attempt(&mail(n, None), now, 0).map(|due| now.seconds_until(due)))
            .collect();
        assert_eq!(
            waits,
            [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
                .map(Some)
                .into_iter()
                .chain([None])
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn nothing_is_sent_past_its_end() {
        let now = Timestamp::from_micros(0);
        let end = |seconds| Some(now.plus_seconds(seconds));
        assert_eq!(next_attempt(&mail(1, end(30)), now, 0), None);
        assert!(next_attempt(&mail(1, end(31)), now, 0).is_some());
    }

    proptest! {
        #[test]
        fn chance_adds_less_than_a_quarter(attempts in 1..ATTEMPTS, chance in any::<u8>()) {
            let now = Timestamp::from_micros(0);
            let plain = now.seconds_until(next_attempt(&mail(attempts, None), now, 0).unwrap());
            let moved = now.seconds_until(next_attempt(&mail(attempts, None), now, chance).unwrap());
            prop_assert!(plain <= moved && moved < plain + plain / 4 + 1);
        }
    }
}
