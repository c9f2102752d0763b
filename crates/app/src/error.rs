//! Why a use case failed. A dialect turns each into its own status and words.

use tenantry_core::customer::CustomerError;
use tenantry_core::ids::OrganizationId;
use tenantry_core::member::MemberError;
use tenantry_core::organization::{OrganizationViolation, SubAccountError};
use tenantry_core::portal::PortalError;
use tenantry_core::team::{TeamError, TeamPermission};
use tenantry_core::token::TokenError;
use tenantry_core::webhook::WebhookError;
use tenantry_store::StoreError;

/// Why a use case failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// About a member of a customer.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// About a customer.
    #[error(transparent)]
    Customer(#[from] CustomerError),
    /// About a team.
    #[error(transparent)]
    Team(#[from] TeamError),
    /// About webhooks.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    /// About a token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// About a sub-account.
    #[error(transparent)]
    SubAccount(#[from] SubAccountError),
    /// About the customer portal.
    #[error(transparent)]
    Portal(#[from] PortalError),
    /// No such organization for the caller.
    #[error("organization not found")]
    OrganizationNotFound,
    /// No such sub-account of the caller's organization.
    #[error("sub account not found")]
    SubAccountNotFound,
    /// An organization breaks these rules.
    #[error("{} rules are broken", .0.len())]
    OrganizationInvalid(Vec<OrganizationViolation>),
    /// No such token.
    #[error("token not found")]
    TokenNotFound,
    /// The person's role in the organization does not allow it.
    #[error("the caller's role does not allow this")]
    NotPermitted(TeamPermission),
    /// Customers of several of the caller's organizations share the external id.
    #[error("several customers share this external id")]
    AmbiguousCustomer,
    /// An organization's token names an organization where it must not.
    #[error("the organization is the token's own")]
    OrganizationGiven(OrganizationId),
    /// The organization named is none of the caller's.
    #[error("no such organization")]
    OrganizationUnknown(OrganizationId),
    /// The caller has several organizations and names none.
    #[error("the organization must be named")]
    OrganizationNeeded,
    /// Another request with the same idempotency key is still running.
    #[error("a request with this idempotency key is in progress")]
    InProgress {
        /// Seconds until it is worth trying again.
        retry_after_s: u64,
    },
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used with another request")]
    KeyReused,
    /// The request with this idempotency key was answered with a secret that is no longer kept.
    #[error("the answer to this idempotency key held a secret and is no longer kept")]
    AnswerForgotten,
    /// What was answered once may not be shown again: the caller no longer reaches what it is about.
    #[error(transparent)]
    Lost(Box<Error>),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Error {
    /// Whether the fault is the server's: nothing is kept of such an answer.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        matches!(self, Self::Store(_))
    }

    /// Whether it is the outcome of a request, kept for its idempotency key. It is not when the caller may
    /// not ask at all, or when it is about the key itself.
    #[must_use]
    pub const fn is_outcome(&self) -> bool {
        !matches!(
            self,
            Self::NotPermitted(_)
                | Self::Portal(
                    PortalError::SessionOver
                        | PortalError::BillingNotAllowed
                        | PortalError::MemberManagementNotAllowed
                )
                | Self::InProgress { .. }
                | Self::KeyReused
                | Self::AnswerForgotten
                | Self::Lost(_)
                | Self::Store(_)
        )
    }

    /// Whether it can mean that the caller does not reach what they ask about.
    #[must_use]
    pub const fn is_out_of_reach(&self) -> bool {
        match self {
            Self::OrganizationNotFound
            | Self::SubAccountNotFound
            | Self::TokenNotFound
            | Self::NotPermitted(_)
            | Self::Token(_)
            | Self::OrganizationGiven(_)
            | Self::OrganizationUnknown(_)
            | Self::OrganizationNeeded
            | Self::Lost(_) => true,
            Self::Member(error) => matches!(error, MemberError::CustomerNotFound | MemberError::NotFound),
            Self::Customer(error) => matches!(error, CustomerError::NotFound),
            Self::Team(error) => matches!(error, TeamError::OrganizationNotFound | TeamError::NotFound),
            Self::Webhook(error) => matches!(error, WebhookError::NotFound | WebhookError::EventNotFound),
            Self::Portal(error) => matches!(
                error,
                PortalError::SessionOver
                    | PortalError::BillingNotAllowed
                    | PortalError::MemberManagementNotAllowed
                    | PortalError::CustomerUnknown(_)
            ),
            Self::OrganizationInvalid(_)
            | Self::SubAccount(_)
            | Self::AmbiguousCustomer
            | Self::InProgress { .. }
            | Self::KeyReused
            | Self::AnswerForgotten
            | Self::Store(_) => false,
        }
    }
}
