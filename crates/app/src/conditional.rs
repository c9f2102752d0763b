//! Conditional changes: a change that happens only while its row is in the state that the caller has read, so that no
//! concurrent change is lost.
//!
//! The condition is checked in the transaction of the change, on the locked row. So exactly one of several callers that
//! have read the same state succeeds.

use std::future::Future;
use std::sync::Arc;

use tenantry_core::ExecutionContext;
use tenantry_store::{Party, Tx, UseCase};

use crate::{App, Error, Requester};

/// A use case that changes or deletes one row.
pub trait RowUseCase: UseCase<Error = Error> {
    /// The row.
    type Row: Send + 'static;

    /// The row before the change. It is locked until the transaction ends. A requester without access to it gets the
    /// error that the use case itself would return.
    fn current(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Row, Error>> + Send;
}

/// Whether a row is in the state that the caller has read.
type Holds<R> = dyn Fn(&R) -> Result<bool, Error> + Send + Sync;

/// A condition on a row. `None` without a condition.
pub type Condition<R> = Option<Arc<Holds<R>>>;

/// A use case that fails with [`Error::ConditionFailed`] unless the condition holds for its row.
struct Conditional<U: RowUseCase> {
    use_case: U,
    condition: Arc<Holds<U::Row>>,
}

impl<U: RowUseCase> UseCase for Conditional<U> {
    type Output = U::Output;
    type Error = Error;
    const IS_LONG: bool = U::IS_LONG;

    fn party(&self) -> Party {
        self.use_case.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<U::Output, Error> {
        let holds = {
            let row = self.use_case.current(tx).await?;
            (self.condition)(&row)?
        };
        if !holds {
            return Err(Error::ConditionFailed);
        }
        self.use_case.run(tx, context).await
    }
}

impl App {
    /// Runs a use case for its requester while the condition holds for its row.
    ///
    /// # Errors
    /// [`Error::ConditionFailed`], and the errors of [`App::write_as`].
    pub async fn write_if<U: RowUseCase>(
        &self,
        by: &Requester,
        use_case: U,
        condition: Condition<U::Row>,
    ) -> Result<U::Output, Error> {
        match condition {
            None => self.write_as(by, use_case).await,
            Some(condition) => self.write_as(by, Conditional { use_case, condition }).await,
        }
    }
}
