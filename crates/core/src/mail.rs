//! Mails that Tenantry sends, as facts without wording.
//!
//! A use case adds a [`QueuedMail`] to the outbox in its own transaction. The worker `worker::mail` fills in
//! a template and sends the mail. A secret, such as the proof of an address, is stored encrypted beside the
//! content, never inside it.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::{MailId, OrganizationId, UserId};
use crate::team::TeamRole;
use crate::user::{Language, NoticeTopic};
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
    /// To the administrators of an organization: events for a webhook endpoint fail, and the endpoint will be disabled.
    WebhookEndpointFailing {
        /// The organization, by name.
        organization: String,
        /// Display name of the endpoint, or its host.
        endpoint: String,
        /// Number of events in a row that failed.
        failures: u32,
        /// Number of failed events in a row after which it is disabled.
        most: u32,
    },
    /// To the administrators of an organization: a webhook endpoint was disabled.
    WebhookEndpointDisabled {
        /// The organization, by name.
        organization: String,
        /// Display name of the endpoint, or its host.
        endpoint: String,
        /// Number of events in a row that failed.
        failures: u32,
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
    /// To a person who is invited to a team. Carries a secret.
    TeamInvitation {
        /// The organization, by name.
        organization: String,
        /// The role that the person gets.
        role: TeamRole,
        /// Name or address of the user who invites the person; none when a token of the organization does.
        inviter: Option<String>,
        /// The end of the time in which the invitation can be accepted.
        until: Timestamp,
    },
    /// To a member of a team: the owner offers the ownership of the organization.
    OwnershipOffered {
        /// The organization, by name.
        organization: String,
        /// Name or address of the owner.
        owner: Option<String>,
        /// Days until the offer ends.
        days: u32,
    },
    /// To the former owner and the new one: the ownership of the organization has moved.
    OwnershipMoved {
        /// The organization, by name.
        organization: String,
        /// Name or address of the new owner.
        owner: Option<String>,
        /// Whether the recipient is the new owner.
        is_owner: bool,
    },
    /// To a person who signs in to the console. Carries the code as its secret.
    SignInCode {
        /// Minutes until the code expires.
        minutes: u32,
    },
    /// To a person who signs in to an organization's portal. Carries the code as its secret.
    PortalSignInCode {
        /// The organization, by name.
        organization: String,
        /// Slug of the organization, for the address of its portal.
        slug: Slug,
        /// Minutes until the code expires.
        minutes: u32,
        /// Whether nobody gets the code: nobody has the address, or too many codes were asked for. The mail is not sent; it
        /// makes the request write as much as any other.
        is_blank: bool,
    },
    /// To the new address of a person. Carries the code that proves it as its secret.
    NewAddressCode {
        /// Minutes until the code expires.
        minutes: u32,
    },
    /// To a person's former address: the person has another one.
    AddressChanged {
        /// The address that replaced it. The mail shows only a part of it.
        new_address: EmailAddress,
    },
    /// To a person: a browser that was not seen before has signed in.
    NewSignIn {
        /// The browser and its system, as the list of sessions shows them.
        browser: String,
        /// The browser's address, if it is known.
        address: Option<String>,
        /// The time of the sign-in.
        at: Timestamp,
    },
    /// To the administrators of an organization: access tokens expire soon.
    TokensExpiring {
        /// The organization, by name.
        organization: String,
        /// Some of the tokens, those that expire first.
        tokens: Vec<ExpiringToken>,
        /// The number of further tokens.
        more: u32,
    },
    /// To a person: the person's own tokens expire soon.
    OwnTokensExpiring {
        /// Some of the tokens, those that expire first. A person's tokens have no labels.
        tokens: Vec<ExpiringToken>,
        /// The number of further tokens.
        more: u32,
    },
}

/// A token that expires soon, as a mail names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiringToken {
    /// The label, or the id of a token without one.
    pub label: String,
    /// The time at which the token expires.
    pub expires_at: Timestamp,
}

/// The queue of an account in which a mail waits (column `queue`). The mails of one queue are sent in the order in
/// which they were written, and do not wait for those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MailQueue {
    /// First attempts of invitations to teams.
    Invitations,
    /// First attempts of mails that protect an account: notices of a change.
    Notices,
    /// First attempts of proofs of an address, which customers of a portal ask for.
    Proofs,
    /// First attempts of codes for signing in. They were taken out of their budget when they were asked for.
    SignIns,
    /// Further attempts. They were taken out of their budgets before.
    Retries,
}

impl MailQueue {
    /// Every queue.
    pub const ALL: [Self; 5] = [Self::Invitations, Self::Notices, Self::Proofs, Self::SignIns, Self::Retries];

    /// The name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invitations => "invitations",
            Self::Notices => "notices",
            Self::Proofs => "proofs",
            Self::SignIns => "sign_ins",
            Self::Retries => "retries",
        }
    }

    /// The queue of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.as_str() == name)
    }
}

impl MailContent {
    /// The queue of the first attempt.
    #[must_use]
    pub const fn queue(&self) -> MailQueue {
        match self {
            Self::TeamMemberAdded { .. } | Self::TeamInvitation { .. } | Self::OwnershipOffered { .. } => {
                MailQueue::Invitations
            }
            Self::EmailChangeRequest { .. } => MailQueue::Proofs,
            Self::EmailChanged { .. }
            | Self::AddressChanged { .. }
            | Self::ApiKeyAllowList { .. }
            | Self::WebhookEndpointFailing { .. }
            | Self::WebhookEndpointDisabled { .. }
            | Self::OwnershipMoved { .. }
            | Self::NewSignIn { .. }
            | Self::TokensExpiring { .. }
            | Self::OwnTokensExpiring { .. } => MailQueue::Notices,
            Self::SignInCode { .. } | Self::NewAddressCode { .. } | Self::PortalSignInCode { .. } => {
                MailQueue::SignIns
            }
        }
    }

    /// Every [`Self::kind`].
    pub const KINDS: [&'static str; 16] = [
        "email_change_request",
        "email_changed",
        "api_key_allow_list",
        "webhook_endpoint_failing",
        "webhook_endpoint_disabled",
        "team_member_added",
        "team_invitation",
        "ownership_offered",
        "ownership_moved",
        "sign_in_code",
        "portal_sign_in_code",
        "new_address_code",
        "address_changed",
        "new_sign_in",
        "tokens_expiring",
        "own_tokens_expiring",
    ];

    /// Whether the recipient is told of a change that has happened. Such a mail is never dropped for mails of others.
    #[must_use]
    pub const fn reports_change(&self) -> bool {
        matches!(
            self,
            Self::EmailChanged { .. }
                | Self::AddressChanged { .. }
                | Self::ApiKeyAllowList { .. }
                | Self::WebhookEndpointFailing { .. }
                | Self::WebhookEndpointDisabled { .. }
                | Self::OwnershipMoved { .. }
                | Self::NewSignIn { .. }
                | Self::TokensExpiring { .. }
                | Self::OwnTokensExpiring { .. }
        )
    }

    /// The topic by which the recipient can switch the mail off. `None` for mails that are always sent.
    #[must_use]
    pub const fn topic(&self) -> Option<NoticeTopic> {
        match self {
            Self::TokensExpiring { .. } | Self::OwnTokensExpiring { .. } => Some(NoticeTopic::TokenExpiry),
            Self::WebhookEndpointFailing { .. } | Self::WebhookEndpointDisabled { .. } => {
                Some(NoticeTopic::Webhooks)
            }
            Self::EmailChangeRequest { .. }
            | Self::EmailChanged { .. }
            | Self::ApiKeyAllowList { .. }
            | Self::TeamMemberAdded { .. }
            | Self::TeamInvitation { .. }
            | Self::OwnershipOffered { .. }
            | Self::OwnershipMoved { .. }
            | Self::SignInCode { .. }
            | Self::PortalSignInCode { .. }
            | Self::NewAddressCode { .. }
            | Self::AddressChanged { .. }
            | Self::NewSignIn { .. } => None,
        }
    }

    /// Whether the mail goes to nobody, and is dropped.
    #[must_use]
    pub const fn is_blank(&self) -> bool {
        matches!(self, Self::PortalSignInCode { is_blank: true, .. })
    }

    /// Whether the recipient is a customer of the organization, or one of its members. The mail then has the sender's name
    /// that the organization chose.
    #[must_use]
    pub const fn is_to_customer(&self) -> bool {
        matches!(
            self,
            Self::EmailChangeRequest { .. } | Self::EmailChanged { .. } | Self::PortalSignInCode { .. }
        )
    }

    /// The name of the kind, one of [`Self::KINDS`]. Mails of different kinds use different budgets.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::EmailChangeRequest { .. } => "email_change_request",
            Self::EmailChanged { .. } => "email_changed",
            Self::ApiKeyAllowList { .. } => "api_key_allow_list",
            Self::WebhookEndpointFailing { .. } => "webhook_endpoint_failing",
            Self::WebhookEndpointDisabled { .. } => "webhook_endpoint_disabled",
            Self::TeamMemberAdded { .. } => "team_member_added",
            Self::TeamInvitation { .. } => "team_invitation",
            Self::OwnershipOffered { .. } => "ownership_offered",
            Self::SignInCode { .. } => "sign_in_code",
            Self::PortalSignInCode { .. } => "portal_sign_in_code",
            Self::NewAddressCode { .. } => "new_address_code",
            Self::AddressChanged { .. } => "address_changed",
            Self::OwnershipMoved { .. } => "ownership_moved",
            Self::NewSignIn { .. } => "new_sign_in",
            Self::TokensExpiring { .. } => "tokens_expiring",
            Self::OwnTokensExpiring { .. } => "own_tokens_expiring",
        }
    }
}

/// A mail in the outbox (table `mails`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMail {
    /// Id. Every attempt sends the mail under this id.
    pub id: MailId,
    /// The account whose limits the mail counts for: the organization that the mail is about, or its parent.
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
    /// The queue in which it waits.
    pub queue: MailQueue,
    /// Whether the mail was taken out of its budgets. A retry is not counted again.
    pub is_counted: bool,
    /// The organization that the mail is about. The mail is deleted with the organization.
    pub about: OrganizationId,
    /// The person that the mail goes to. `None` for a customer. The mail is deleted with the person.
    pub user: Option<UserId>,
    /// The language of the mail. Absent when neither the recipient nor the organization's owner has one: the
    /// installation's then.
    pub language: Option<Language>,
}

/// The numbers of mails that are sent. An operator may change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailLimits {
    /// Invitations of one owner an hour, from all organizations, and as many notices. Further mails wait.
    pub of_account: NonZeroU32,
    /// Invitations to one recipient a day, from all owners, and as many proofs of an address. Further mails are
    /// dropped.
    pub to_recipient: NonZeroU32,
    /// Mails of one kind from one owner to one recipient a day. Further mails are dropped.
    pub of_account_to_recipient: NonZeroU32,
}

impl Default for MailLimits {
    fn default() -> Self {
        let at_least_one = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            of_account: at_least_one(200),
            to_recipient: at_least_one(50),
            of_account_to_recipient: at_least_one(10),
        }
    }
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
            queue: MailQueue::Notices,
            is_counted: false,
            about: OrganizationId::new(Uuid::nil()),
            user: None,
            language: None,
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
