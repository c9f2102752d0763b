//! Mails that Tenantry sends, as facts without wording.
//!
//! A use case adds a [`QueuedMail`] to the outbox in its own transaction. The worker `worker::mail` fills in
//! a template and sends the mail. A secret, such as the proof of an address, is stored encrypted beside the
//! content, never inside it.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::{MailId, OrganizationId};
use crate::team::TeamRole;
use crate::values::{EmailAddress, Slug};

/// The kind of a mail, with the facts that its template needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MailContent {
    /// To a customer's new address: asks the recipient to confirm it. Carries a secret.
    EmailChangeRequest {
        /// Name of the organization whose customer asked for the change.
        organization: String,
        /// Slug of the organization, for the address of its portal.
        slug: Slug,
        /// Minutes until the secret expires.
        minutes: u32,
    },
    /// To a customer's former address: another address has replaced it.
    EmailChanged {
        /// The organization, by name.
        organization: String,
        /// The address that replaced it. The mail shows only a part of it.
        new_address: EmailAddress,
    },
    /// To the administrators of an organization: the IP allow list of one of its API keys has changed.
    ApiKeyAllowList {
        /// The organization, by name.
        organization: String,
        /// Label of the API key.
        label: String,
    },
    /// To a person who was added to a team.
    TeamMemberAdded {
        /// The organization, by name.
        organization: String,
        /// The person's role in the team.
        role: TeamRole,
        /// Name or address of the user who added the person; none when a token of the organization did.
        inviter: Option<String>,
    },
}

/// A mail in the outbox (table `mails`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMail {
    /// Id. Every attempt sends the mail under this id.
    pub id: MailId,
    /// The tenant that the mail is about.
    pub organization: OrganizationId,
    /// When the mail was queued.
    pub created_at: Timestamp,
    /// The time after which the mail is useless and is not sent any more; none means never.
    pub expires_at: Option<Timestamp>,
    /// The recipient.
    pub to: EmailAddress,
    /// Kind and facts.
    pub content: MailContent,
    /// The encrypted secret that the mail carries, if any.
    pub sealed: Option<Vec<u8>>,
    /// Time of the next attempt. While a worker sends the mail, the end of that worker's lease.
    pub due_at: Timestamp,
    /// Number of attempts so far, including a running one.
    pub attempts: u32,
}

/// Number of attempts after which a mail is given up.
pub const ATTEMPTS: u32 = 10;
/// Seconds between the first and the second attempt. Each further wait is twice as long.
const FIRST_WAIT_S: i64 = 30;
/// Longest wait between two attempts, in seconds.
const LONGEST_WAIT_S: i64 = 60 * 60;

/// Time of the next attempt to send a mail after a failure. `jitter`, a random byte, adds up to a quarter of the
/// wait, so that mails that failed together are not retried together.
///
/// Returns `None` when the mail is given up: after [`ATTEMPTS`] attempts, or when the next one would come after
/// `expires_at`.
#[must_use]
pub fn next_attempt(mail: &QueuedMail, now: Timestamp, jitter: u8) -> Option<Timestamp> {
    if mail.attempts >= ATTEMPTS {
        return None;
    }
    let doublings = mail.attempts.saturating_sub(1).min(16);
    let wait = FIRST_WAIT_S.saturating_mul(1 << doublings).min(LONGEST_WAIT_S);
    let due = now.plus_seconds(wait + wait * i64::from(jitter) / 1024);
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
    fn the_wait_doubles_up_to_one_hour_for_ten_attempts() {
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
    fn no_attempt_is_made_after_the_expiry() {
        let now = Timestamp::from_micros(0);
        let end = |seconds| Some(now.plus_seconds(seconds));
        assert_eq!(next_attempt(&mail(1, end(30)), now, 0), None);
        assert!(next_attempt(&mail(1, end(31)), now, 0).is_some());
    }

    proptest! {
        #[test]
        fn jitter_adds_less_than_a_quarter_of_the_wait(attempts in 1..ATTEMPTS, jitter in any::<u8>()) {
            let now = Timestamp::from_micros(0);
            let plain = now.seconds_until(next_attempt(&mail(attempts, None), now, 0).unwrap());
            let moved = now.seconds_until(next_attempt(&mail(attempts, None), now, jitter).unwrap());
            prop_assert!(plain <= moved && moved < plain + plain / 4 + 1);
        }
    }
}
