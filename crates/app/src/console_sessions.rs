//! The end of a session of the console, for use cases beyond the console.

use tenantry_core::ExecutionContext;
use tenantry_core::console::ConsoleSession;
use tenantry_store::Tx;

use crate::{Error, Requester, changes};

/// Ends a session.
pub(crate) async fn end(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    session: &ConsoleSession,
) -> Result<(), Error> {
    if tx.console_session_delete(session.user, session.id).await?.is_some() {
        changes::deleted(tx, context, by, "console_session.deleted", session).await?;
    }
    Ok(())
}
