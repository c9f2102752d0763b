//! The traits that the application implements: a use case runs in a transaction, a list query reads rows.

use std::future::Future;
use std::sync::Arc;

use tenantry_core::ExecutionContext;
use tenantry_core::ids::OrganizationId;
use uuid::Uuid;

use crate::{StoreError, Tx};

/// A use case: everything that happens in one transaction.
///
/// An engine may run a use case again after a conflict, so `run` changes nothing but the database. It awaits
/// only methods of [`Tx`]. SQLite polls the future once, on the writer thread. A future that is not ready
/// then fails the use case, and panics in a debug build.
pub trait UseCase: Send + Sync + 'static {
    /// The result.
    type Output: Send + 'static;
    /// The reason for a failure, which rolls the changes back.
    type Error: From<StoreError> + Send + 'static;
    /// Whether the use case may change many rows, or lock some rows for long. SQLite lets the others run between two
    /// of them, PostgreSQL runs them on connections of their own. The result is the same.
    const IS_LONG: bool = false;

    /// Reads and changes the database through `tx`. `context` is the only source of time and randomness.
    fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;

    /// The party that the use case runs for.
    fn party(&self) -> Party {
        Party::default()
    }
}

/// The party that a use case runs for, as far as it is known before the use case runs. It decides when the use case
/// runs, and never what it may do. The default is the server itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Party {
    /// The organization whose rows the use case changes.
    pub organization: Option<OrganizationId>,
    /// The id that the use of the SQLite writer, or of places on PostgreSQL, counts for: see [`ListQuery::limited_as`].
    pub limited_as: Option<Uuid>,
}

impl Party {
    /// Everybody who sends a request without a credential, so that their requests have one line and do not take the
    /// turns of the server itself.
    pub const STRANGERS: Self = Self { organization: None, limited_as: Some(Uuid::max()) };

    /// An organization, for a use case that no caller asked for.
    #[must_use]
    pub const fn organization(organization: OrganizationId) -> Self {
        Self { organization: Some(organization), limited_as: Some(organization.uuid()) }
    }
}

/// A query of a list that may read many rows. It runs apart from requests that read few.
pub trait ListQuery: Send + Sync + 'static {
    /// The result.
    type Output: Send + 'static;

    /// Reads the database through `tx`.
    fn run(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Output, StoreError>> + Send;

    /// The party that the query is counted for: one party has a limited number of list queries at a time.
    fn limited_as(&self) -> Option<Uuid> {
        None
    }
}

/// Makes the [`ExecutionContext`] of each transaction: the clock and the operating system's randomness.
pub type Moments = Arc<dyn Fn() -> ExecutionContext + Send + Sync>;
