//! The session through which [`crate::Tx`] runs statements: a read connection, or a transaction.

use std::borrow::Cow;

use tokio_postgres::Row;

use super::readers::Readers;
use super::transaction::Transaction;
use crate::StoreError;
use crate::error::unexpected;
use crate::value::Param;

/// The target of the statements of a [`crate::Tx`].
pub(crate) enum Session<'c> {
    /// Any read connection, without a transaction.
    Reading(&'c Readers),
    /// A read-only transaction.
    Searching(&'c mut Transaction),
    /// A transaction that can change rows.
    Writing(&'c mut Transaction),
}

impl Session<'_> {
    pub(crate) async fn rows(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        let params = without_nul(params);
        match self {
            Self::Reading(pool) => pool.rows(sql, &params).await,
            Self::Searching(transaction) | Self::Writing(transaction) => transaction.rows(sql, &params).await,
        }
    }

    pub(crate) async fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<usize, StoreError> {
        let changed = self.changing(params)?.change(sql, params).await?;
        usize::try_from(changed).map_err(unexpected)
    }

    pub(crate) async fn execute_unawaited(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<(), StoreError> {
        self.changing(params)?.send(sql, params).await
    }

    pub(crate) fn ask_ahead(&mut self, sql: &str, params: &[Param<'_>]) {
        if let Self::Writing(transaction) = self
            && !params.iter().any(has_nul)
        {
            transaction.ask_ahead(sql, params);
        }
    }

    fn writing(&mut self) -> Result<&mut Transaction, StoreError> {
        match self {
            Self::Writing(transaction) => Ok(transaction),
            Self::Reading(_) | Self::Searching(_) => {
                Err(StoreError::Unavailable("there is no transaction".into()))
            }
        }
    }

    /// The transaction for a change. Fails if there is none, or if a parameter contains U+0000.
    fn changing(&mut self, params: &[Param<'_>]) -> Result<&mut Transaction, StoreError> {
        let transaction = self.writing()?;
        if params.iter().any(has_nul) {
            transaction.fail();
            return Err(unexpected("a text with U+0000 is to be stored"));
        }
        Ok(transaction)
    }

    /// A clause that locks rows, in a transaction that can.
    const fn locking(&self, clause: &'static str) -> &'static str {
        if matches!(self, Self::Writing(_)) { clause } else { "" }
    }

    pub(crate) const fn for_update_skip_locked(&self) -> &'static str {
        self.locking(" FOR NO KEY UPDATE SKIP LOCKED")
    }

    pub(crate) const fn for_update(&self) -> &'static str {
        self.locking(" FOR NO KEY UPDATE")
    }

    pub(crate) const fn for_exclusive_update(&self) -> &'static str {
        self.locking(" FOR UPDATE")
    }

    pub(crate) const fn for_key_share(&self) -> &'static str {
        self.locking(" FOR KEY SHARE")
    }

    pub(crate) const fn bucket(&self) -> i64 {
        if let Self::Writing(transaction) = self { transaction.bucket() } else { 0 }
    }

    pub(crate) fn begin_savepoint(&mut self) -> Result<(), StoreError> {
        self.writing()?.begin_part();
        Ok(())
    }

    pub(crate) async fn end_savepoint(&mut self, keep: bool) -> Result<(), StoreError> {
        let transaction = self.writing()?;
        if keep && transaction.has_failed() {
            return Err(unexpected("a part in which a query failed is to be kept"));
        }
        if !keep {
            transaction.roll_back_part().await?;
        }
        transaction.then("RELEASE use_case_part");
        Ok(())
    }
}

fn has_nul(param: &Param<'_>) -> bool {
    param.text().is_some_and(|text| text.contains('\0'))
}

/// Replaces U+0000 in the parameters of a query. PostgreSQL does not accept this character, so no stored text contains
/// it. The replacement U+10FFFF occurs in no stored text either, so the query finds nothing, as it must.
fn without_nul<'a, 'p>(params: &'a [Param<'p>]) -> Cow<'a, [Param<'p>]> {
    if !params.iter().any(has_nul) {
        return Cow::Borrowed(params);
    }
    let replaced = params.iter().map(|param| match param.text() {
        Some(text) if has_nul(param) => Param::OwnedText(text.replace('\0', "\u{10FFFF}")),
        _ => param.clone(),
    });
    Cow::Owned(replaced.collect())
}
