//! Verifies a caller's credential again inside the transaction of its use case.
//!
//! A use case decides by the scopes and roles that were read when its request came. It may then wait for the writer, or
//! for a row that another transaction has locked, and the credential may be revoked meanwhile.
//!
//! | moment | the credential is read again when | it lost a right |
//! |---|---|---|
//! | the use case begins | credentials changed, or the last look-up is older than [`limits::CREDENTIAL_CACHE_TTL_MS`] | refused |
//! | it has run, with all its locks | the same; never on SQLite, where nothing else commits meanwhile | rolled back and refused |
//! | it has locked what it changes, and may take a right of its own caller ([`before_change`]) | always; never on SQLite | refused |
//! | it has run, and changed credentials without that step | credentials changed | rolled back, to be repeated: the change may be its own |
//!
//! Otherwise this costs no query. [`Generation`] counts a change before its transaction is committed, so a use case
//! behind a revocation, in the same batch or at a lock, sees the count, and its read sees the revocation.
//!
//! [`limits::CREDENTIAL_CACHE_TTL_MS`]: crate::limits::CREDENTIAL_CACHE_TTL_MS

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tenantry_core::ExecutionContext;
use tenantry_store::{Generation, Party, StoreError, Tx, UseCase};

use crate::credentials::Verification;
use crate::{Caller, Error, Requester};

/// A use case of an authenticated caller.
pub(crate) struct Verified<U> {
    pub(crate) use_case: Arc<U>,
    pub(crate) caller: Arc<Caller>,
    pub(crate) generation: Arc<Generation>,
    /// Whether the last run was rolled back to be repeated.
    pub(crate) repeats: Arc<AtomicBool>,
}

impl<U> Clone for Verified<U> {
    fn clone(&self) -> Self {
        Self {
            use_case: Arc::clone(&self.use_case),
            caller: Arc::clone(&self.caller),
            generation: Arc::clone(&self.generation),
            repeats: Arc::clone(&self.repeats),
        }
    }
}

impl<U: UseCase<Error = Error>> UseCase for Verified<U> {
    type Output = U::Output;
    type Error = Error;
    const IS_LONG: bool = U::IS_LONG;

    fn party(&self) -> Party {
        self.use_case.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<U::Output, Error> {
        self.repeats.store(false, Ordering::Relaxed);
        if !self.caller.is_valid_at(context.now()) {
            return Err(Error::CallerUnknown);
        }
        let seen = self.verify(tx, context, self.caller.verification()).await?;
        let output = self.use_case.run(tx, context).await?;
        if tx.is_exclusive() {
            return Ok(output);
        }
        if !tx.changes_credentials() {
            self.verify(tx, context, seen).await?;
        } else if !tx.is_caller_verified()
            && !self.generation.is_still(seen.generation)
            && let Err(error) = self.read_again(tx, context, seen).await
        {
            // The use case may have revoked its own credential. The next run reads it before that.
            return Err(if error.is_server_error() {
                error
            } else {
                self.repeats.store(true, Ordering::Relaxed);
                StoreError::Unavailable("the caller's credential changed meanwhile".into()).into()
            });
        }
        Ok(output)
    }
}

impl<U> Verified<U> {
    /// Reads the credential again where what was `seen` of it is outdated. Returns the last look-up.
    async fn verify(
        &self,
        tx: &mut Tx<'_>,
        context: &ExecutionContext,
        seen: Verification,
    ) -> Result<Verification, Error> {
        if self.generation.is_still(seen.generation) && seen.is_recent() {
            return Ok(seen);
        }
        self.read_again(tx, context, seen).await
    }

    async fn read_again(
        &self,
        tx: &mut Tx<'_>,
        context: &ExecutionContext,
        seen: Verification,
    ) -> Result<Verification, Error> {
        let verification = Verification::start(seen.hash, &self.generation);
        check(tx, context, &self.caller, verification).await?;
        Ok(verification)
    }
}

/// Checks that the credential of a caller has every right that it had when the request came.
async fn check(
    tx: &mut Tx<'_>,
    context: &ExecutionContext,
    caller: &Caller,
    verification: Verification,
) -> Result<(), Error> {
    let owner = tx.credential_owner(&verification.hash, context.now()).await?.ok_or(Error::CallerUnknown)?;
    let now = Caller::from_owner(owner, verification).ok_or(Error::CallerSuspended)?;
    if now.is_suspended() && !caller.is_suspended() {
        return Err(Error::CallerSuspended);
    }
    if now.covers(caller) { Ok(()) } else { Err(Error::CallerReduced) }
}

/// Verifies the requester in a use case that changes rights, perhaps its requester's own. Called after the use case has
/// locked what it changes, so that nobody else changes it any more, and before it changes anything. A later look could
/// not tell what the use case itself took, or gave back, from what others did.
pub(crate) async fn before_change(
    tx: &mut Tx<'_>,
    context: &ExecutionContext,
    by: &Requester,
) -> Result<(), Error> {
    let Some(caller) = by.authenticated().filter(|_| !tx.is_exclusive()) else { return Ok(()) };
    check(tx, context, caller, caller.verification()).await?;
    tx.mark_caller_verified();
    Ok(())
}
