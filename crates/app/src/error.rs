//! Errors of use cases. Each dialect translates them into its own status codes and messages.

use tenantry_core::customer::CustomerError;
use tenantry_core::ids::OrganizationId;
use tenantry_core::invitation::InvitationError;
use tenantry_core::member::MemberError;
use tenantry_core::organization::{DeletionError, OrganizationViolation, SubAccountError};
use tenantry_core::portal::PortalError;
use tenantry_core::team::{TeamError, TeamPermission};
use tenantry_core::token::TokenError;
use tenantry_core::user::UserError;
use tenantry_core::webhook::WebhookError;
use tenantry_store::StoreError;

/// The limit of rows that a use case would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitReached {
    /// People in the team of an organization.
    #[error("an organization has at most {0} people in its team")]
    TeamMembers(u64),
    /// Organizations whose team a person is in. The text tells nothing about them, because they may be other tenants'.
    #[error("this person cannot be added to another team")]
    Organizations,
    /// Organizations of one owner whose team another person is in.
    #[error("the organizations of one owner have the same person in at most {0} teams")]
    OrganizationsOfOwner(u64),
    /// Access tokens of an organization.
    #[error("an organization has at most {0} access tokens: delete one that is not used or has expired")]
    AccessTokens(u64),
    /// Passkeys of a person.
    #[error("a person has at most {0} passkeys: remove one that is not used")]
    Passkeys(usize),
    /// Sessions of a customer.
    #[error("a customer has at most {0} sessions at a time: use one that exists, or wait until one ends")]
    Sessions(u64),
}

/// The error of a use case.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A limit of rows.
    #[error(transparent)]
    LimitReached(#[from] LimitReached),
    /// A rule about members of customers.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// A rule about customers.
    #[error(transparent)]
    Customer(#[from] CustomerError),
    /// A rule about teams.
    #[error(transparent)]
    Team(#[from] TeamError),
    /// A rule about invitations.
    #[error(transparent)]
    Invitation(#[from] InvitationError),
    /// A rule about users.
    #[error(transparent)]
    User(#[from] UserError),
    /// A rule about webhooks.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    /// A rule about tokens.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A rule about sub-accounts.
    #[error(transparent)]
    SubAccount(#[from] SubAccountError),
    /// A rule about the deletion of organizations.
    #[error(transparent)]
    Deletion(#[from] DeletionError),
    /// A rule about the customer portal.
    #[error(transparent)]
    Portal(#[from] PortalError),
    /// No organization of this id, or none that the caller may access.
    #[error("organization not found")]
    OrganizationNotFound,
    /// The caller's organization has no sub-account of this id.
    #[error("sub account not found")]
    SubAccountNotFound,
    /// The organization would violate these rules.
    #[error("the organization violates {} rules", .0.len())]
    OrganizationInvalid(Vec<OrganizationViolation>),
    /// No token of this id.
    #[error("token not found")]
    TokenNotFound,
    /// The person's role in the organization lacks this right.
    #[error("the caller's role does not allow this")]
    NotPermitted(TeamPermission),
    /// The external id belongs to customers of several organizations of the caller.
    #[error("the external id matches customers of several organizations")]
    AmbiguousCustomer,
    /// The request names an organization, which an organization's token must not do.
    #[error("an organization token must not name an organization")]
    OrganizationNotAccepted(OrganizationId),
    /// The caller is not in the team of the organization that the request names.
    #[error("organization not found")]
    UnknownOrganization(OrganizationId),
    /// A person's request must name an organization.
    #[error("an organization id is required")]
    OrganizationRequired,
    /// The caller's credential was revoked, or has expired, while the request waited.
    #[error("the token is unknown, revoked or expired")]
    CallerUnknown,
    /// The caller's organization, or its parent, was suspended while the request waited.
    #[error("the organization is suspended")]
    CallerSuspended,
    /// The caller lost a right while the request waited.
    #[error("the caller's rights changed while the request waited: send it again")]
    CallerReduced,
    /// The person of the session must prove to be themselves first (docs/CONSOLE.md).
    #[error("prove first that it is you: this needs a proof of the last ten minutes")]
    ProofRequired,
    /// The requester has no passkey of this id, or none at all.
    #[error("passkey not found")]
    PasskeyNotFound,
    /// The row is not in the state that the request asks for.
    #[error("the object has changed since it was read: read it again")]
    ConditionFailed,
    /// Another request with this idempotency key is still running.
    #[error("a request with this idempotency key is in progress")]
    IdempotencyInProgress {
        /// Seconds after which the caller should retry.
        retry_after_s: u64,
    },
    /// The idempotency key belongs to a request with another path or body.
    #[error("the idempotency key was used for a different request")]
    IdempotencyKeyReused,
    /// The stored response held a secret and is deleted after [`limits::SECRET_RESPONSE_RETENTION_S`].
    ///
    /// [`limits::SECRET_RESPONSE_RETENTION_S`]: crate::limits::SECRET_RESPONSE_RETENTION_S
    #[error("the stored response held a secret and was deleted")]
    StoredResponseExpired,
    /// Another credential sent the request with this key. Its response holds a secret, which is replayed to that
    /// credential alone.
    #[error(
        "the idempotency key was used with another token, which alone gets the secret again: send a new key"
    )]
    SecretOfOtherCredential,
    /// The caller owns a suspended organization.
    #[error(
        "an organization of yours is suspended: you cannot create another one until the operator reopens it"
    )]
    OwnerSuspended,
    /// No import has this id, or it does not receive its file any more.
    #[error("import not found")]
    ImportNotFound,
    /// No entry of an audit log that the caller may read has this id.
    #[error("audit entry not found")]
    AuditEntryNotFound,
    /// The owner has [`limits::IMPORTS_PER_OWNER`] imports that run, or as many whose files arrive.
    ///
    /// [`limits::IMPORTS_PER_OWNER`]: crate::limits::IMPORTS_PER_OWNER
    #[error("too many imports are not finished: wait until one is, or stop one")]
    TooManyImports,
    /// The imports of the owner store [`limits::IMPORT_BYTES_PER_OWNER`].
    ///
    /// [`limits::IMPORT_BYTES_PER_OWNER`]: crate::limits::IMPORT_BYTES_PER_OWNER
    #[error("the imports store too much: wait until one is finished, or stop one")]
    TooManyImportBytes,
    /// The change would exceed [`limits::WEBHOOK_BYTES_PER_HOUR`].
    ///
    /// [`limits::WEBHOOK_BYTES_PER_HOUR`]: crate::limits::WEBHOOK_BYTES_PER_HOUR
    #[error(
        "the webhook events of large changes need too much space: wait, or use fewer endpoints or less metadata"
    )]
    WebhookBytes {
        /// Seconds after which there is room for this change.
        retry_after_s: u64,
    },
    /// The response, kept for the idempotency key, would exceed [`limits::STORED_BYTES_PER_HOUR`].
    ///
    /// [`limits::STORED_BYTES_PER_HOUR`]: crate::limits::STORED_BYTES_PER_HOUR
    #[error("the responses kept for idempotency keys need too much space: wait, or send fewer items at once")]
    StoredBytes {
        /// Seconds after which there is room for more.
        retry_after_s: u64,
    },
    /// Too many codes were asked for, or were wrong.
    #[error("too many codes: wait before you try again")]
    TooManyAttempts {
        /// Seconds after which there is room for another.
        retry_after_s: u64,
    },
    /// The stored response is not replayed: the caller could not run the request now, for this reason.
    #[error(transparent)]
    ReplayNotPermitted(Box<Error>),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Error {
    /// Whether the server failed. Such a response is not stored for the idempotency key.
    #[must_use]
    pub const fn is_server_error(&self) -> bool {
        matches!(self, Self::Store(_))
    }

    /// Whether the response is stored for the idempotency key. It is not when the caller lacks the right, or when
    /// the error is about the key itself.
    #[must_use]
    pub const fn is_storable(&self) -> bool {
        !matches!(
            self,
            Self::NotPermitted(_)
                | Self::CallerUnknown
                | Self::CallerSuspended
                | Self::CallerReduced
                | Self::ProofRequired
                | Self::Portal(
                    PortalError::SessionOver
                        | PortalError::BillingNotAllowed
                        | PortalError::MemberManagementNotAllowed
                        | PortalError::SectionDisabled(_)
                )
                | Self::Invitation(
                    InvitationError::AddressUnproved
                        | InvitationError::OtherAddress(_)
                        | InvitationError::Suspended
                )
                | Self::IdempotencyInProgress { .. }
                | Self::IdempotencyKeyReused
                | Self::StoredResponseExpired
                | Self::SecretOfOtherCredential
                | Self::OwnerSuspended
                | Self::ImportNotFound
                | Self::AuditEntryNotFound
                | Self::TooManyImports
                | Self::TooManyImportBytes
                | Self::WebhookBytes { .. }
                | Self::StoredBytes { .. }
                | Self::TooManyAttempts { .. }
                | Self::ReplayNotPermitted(_)
                | Self::Store(_)
        )
    }

    /// Whether the caller may do what it asks for, but not now. It says nothing about a stored response.
    #[must_use]
    pub const fn is_temporary_limit(&self) -> bool {
        matches!(
            self,
            Self::TooManyImports
                | Self::TooManyImportBytes
                | Self::WebhookBytes { .. }
                | Self::StoredBytes { .. }
                | Self::TooManyAttempts { .. }
        )
    }

    /// Whether the error can mean that the caller has no access to the subject of the request.
    #[must_use]
    pub const fn denies_access(&self) -> bool {
        match self {
            Self::OrganizationNotFound
            | Self::SubAccountNotFound
            | Self::TokenNotFound
            | Self::PasskeyNotFound
            | Self::ImportNotFound
            | Self::AuditEntryNotFound
            | Self::NotPermitted(_)
            | Self::CallerUnknown
            | Self::CallerSuspended
            | Self::CallerReduced
            | Self::ProofRequired
            | Self::OwnerSuspended
            | Self::Token(_)
            | Self::OrganizationNotAccepted(_)
            | Self::UnknownOrganization(_)
            | Self::OrganizationRequired
            | Self::ReplayNotPermitted(_) => true,
            Self::Member(error) => matches!(error, MemberError::CustomerNotFound | MemberError::NotFound),
            Self::Customer(error) => matches!(error, CustomerError::NotFound),
            Self::Team(error) => matches!(error, TeamError::OrganizationNotFound | TeamError::NotFound),
            Self::Invitation(error) => matches!(
                error,
                InvitationError::NotFound
                    | InvitationError::AddressUnproved
                    | InvitationError::OtherAddress(_)
            ),
            Self::Webhook(error) => matches!(error, WebhookError::NotFound | WebhookError::EventNotFound),
            Self::Portal(error) => matches!(
                error,
                PortalError::SessionOver
                    | PortalError::BillingNotAllowed
                    | PortalError::MemberManagementNotAllowed
                    | PortalError::SectionDisabled(_)
                    | PortalError::SessionUnknown
                    | PortalError::CustomerUnknown(_)
            ),
            Self::LimitReached(_)
            | Self::OrganizationInvalid(_)
            | Self::SubAccount(_)
            | Self::Deletion(_)
            | Self::User(_)
            | Self::AmbiguousCustomer
            | Self::ConditionFailed
            | Self::IdempotencyInProgress { .. }
            | Self::IdempotencyKeyReused
            | Self::StoredResponseExpired
            | Self::SecretOfOtherCredential
            | Self::TooManyImports
            | Self::TooManyImportBytes
            | Self::WebhookBytes { .. }
            | Self::StoredBytes { .. }
            | Self::TooManyAttempts { .. }
            | Self::Store(_) => false,
        }
    }
}
