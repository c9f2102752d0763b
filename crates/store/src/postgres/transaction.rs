//! A transaction on one connection.
//!
//! Statements wait for the next flight, to save round trips:
//!
//! | statement | sent |
//! |---|---|
//! | `BEGIN`, `SAVEPOINT`, `RELEASE` | with the next flight |
//! | a change whose number of rows is not needed | with the next flight, or once [`limits::WAITING`] wait |
//! | a query, a change whose number of rows is needed, `ROLLBACK TO` | at once: a flight |
//! | `COMMIT` | at once: a flight with the last changes |
//!
//! So a use case that reads its facts in one query and then changes rows takes two round trips. The first statement of
//! a transaction is never in the flight of the `COMMIT`, so that a dead connection is found before anything could be
//! committed.
//!
//! If a change fails whose result was not awaited, the use case has already gone on ([`Fault::Late`]). It then runs
//! again in strict mode, which awaits each result, so that it gets the error of that change.

use std::sync::Arc;

use tokio_postgres::Row;

use super::connection::{Connection, Reply, Step};
use super::faults::Fault;
use super::limits;
use crate::StoreError;
use crate::error::unexpected;
use crate::value::Param;

/// The kind of a transaction, which sets its isolation level.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mode {
    /// A use case.
    Write {
        /// The bucket of the counters that it adds to.
        bucket: i64,
        /// Whether each result is awaited.
        is_strict: bool,
    },
    /// A list query: read-only.
    ListQuery,
    /// A snapshot of the whole database: read-only, `REPEATABLE READ`.
    Snapshot,
}

/// A transaction from its first statement to its end. Dropping it before its end closes the connection.
pub(crate) struct Transaction {
    connection: Arc<Connection>,
    mode: Mode,
    /// Statements for the next flight.
    waiting: Vec<Step<'static>>,
    /// Announced queries, for the flight of the next query: see [`crate::Tx::ask_ahead`].
    ahead: Vec<Step<'static>>,
    /// The results of announced queries, until the use case runs them.
    early: Vec<(Step<'static>, Vec<Row>)>,
    /// Whether anything was sent that is neither committed nor rolled back.
    is_open: bool,
    /// Whether a statement failed. PostgreSQL then refuses every statement until the savepoint or the transaction is
    /// rolled back.
    has_failed: bool,
    fault: Option<(Fault, StoreError)>,
}

/// The failure of a commit.
pub(super) enum NotCommitted {
    /// The transaction was rolled back.
    Undone(StoreError, Option<Fault>),
    /// The transaction may have been committed.
    Unknown(StoreError),
}

impl Transaction {
    pub(super) fn new(connection: Arc<Connection>, mode: Mode) -> Self {
        let mut begin = String::from(match mode {
            Mode::Write { .. } => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Mode::ListQuery => "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
            // It reads whole tables: see `connection::PLANNING`.
            Mode::Snapshot => {
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL enable_seqscan = on"
            }
        });
        if connection.is_pooled() {
            begin = format!("{begin}; {}", connection.timeouts().settings("SET LOCAL"));
        }
        let mut waiting = Vec::new();
        if connection.is_spread() && matches!(mode, Mode::Write { .. }) {
            // Citus forwards the whole message that contains the setting, so it must be alone in its message.
            waiting.push(plain(format!("{begin}; SET LOCAL citus.propagate_set_commands = 'local'")));
            waiting.push(plain(format!("SET LOCAL lock_timeout = {}", connection.timeouts().lock_ms)));
        } else {
            waiting.push(plain(begin));
        }
        let (is_open, has_failed, fault) = (false, false, None);
        let (ahead, early) = (Vec::new(), Vec::new());
        Self { connection, mode, waiting, ahead, early, is_open, has_failed, fault }
    }

    /// The bucket of the counters to add to. Only a transaction that writes adds to one.
    pub(super) const fn bucket(&self) -> i64 {
        if let Mode::Write { bucket, .. } = self.mode { bucket } else { 0 }
    }

    /// The conflict or the fault of the connection that has ended the transaction.
    pub(super) fn take_fault(&mut self) -> Option<(Fault, StoreError)> {
        self.fault.take()
    }

    /// Whether a statement failed, so that the use case must be rolled back.
    pub(super) const fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Makes the transaction one that must be rolled back.
    pub(super) fn fail(&mut self) {
        self.has_failed = true;
    }

    /// Puts a statement without result behind those that wait.
    pub(super) fn then(&mut self, sql: &'static str) {
        match self.waiting.last_mut() {
            // With Citus, a message can contain a setting that must be alone.
            Some(Step::Plain(last)) if !self.connection.is_spread() => {
                let last = last.to_mut();
                last.push_str("; ");
                last.push_str(sql);
            }
            _ => self.waiting.push(Step::Plain(sql.into())),
        }
    }

    /// Sends the waiting statements and then `last`. Returns the replies of `last`.
    async fn fly(&mut self, last: Vec<Step<'_>>) -> Result<Vec<Reply>, StoreError> {
        if self.fault.is_some() {
            return Err(StoreError::Unavailable("the transaction is over".into()));
        }
        self.is_open = true;
        let mut steps: Vec<Step<'_>> = std::mem::take(&mut self.waiting);
        let before = steps.len();
        steps.extend(last);
        match self.connection.flight(&steps).await {
            Ok(mut replies) => Ok(replies.split_off(before.min(replies.len()))),
            Err((index, (error, fault))) => {
                self.has_failed = true;
                let is_late = index < before && matches!(steps.get(index), Some(Step::Change(..)));
                let fault = fault.or(is_late.then_some(Fault::Late));
                self.fault = fault.map(|fault| (fault, error.clone()));
                Err(error)
            }
        }
    }

    /// Sends the waiting statements and awaits all results.
    pub(super) async fn settle(&mut self) -> Result<(), StoreError> {
        if self.waiting.iter().any(|step| matches!(step, Step::Change(..))) {
            self.fly(Vec::new()).await?;
        }
        Ok(())
    }

    /// Rolls back to the savepoint, at once: the database prepares no statement in a transaction in which one failed.
    /// Fails if a change has failed whose result was not awaited, because the savepoint would hide this failure.
    pub(super) async fn roll_back_part(&mut self) -> Result<(), StoreError> {
        self.then("ROLLBACK TO use_case_part");
        self.has_failed = false;
        self.fly(Vec::new()).await.map(|_| ())
    }

    /// Makes a change without awaiting its result.
    pub(super) async fn send(&mut self, sql: &str, params: &[Param<'_>]) -> Result<(), StoreError> {
        if !self.is_open || matches!(self.mode, Mode::Write { is_strict: true, .. }) {
            return self.change(sql, params).await.map(|_| ());
        }
        self.waiting.push(Step::Change(sql.into(), params.to_vec()).into_owned());
        if self.waiting.len() < limits::WAITING { Ok(()) } else { self.settle().await }
    }

    /// Announces a query.
    pub(super) fn ask_ahead(&mut self, sql: &str, params: &[Param<'_>]) {
        self.ahead.push(Step::Query(sql.into(), params.to_vec()).into_owned());
    }

    /// Begins a savepoint. Facts that were announced before it are read again.
    pub(super) fn begin_part(&mut self) {
        self.ahead.clear();
        self.early.clear();
        self.then("SAVEPOINT use_case_part");
    }

    pub(super) async fn rows(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        let query = Step::Query(sql.into(), params.to_vec());
        if let Some(known) = self.early.iter().position(|(early, _)| *early == query) {
            return Ok(self.early.remove(known).1);
        }
        let mut ahead = std::mem::take(&mut self.ahead);
        if let Some(announced) = ahead.iter().position(|ahead| *ahead == query) {
            ahead.remove(announced);
        }
        let steps = std::iter::once(query).chain(ahead.iter().cloned()).collect();
        let mut replies = self.fly(steps).await?.into_iter().map(|reply| reply.rows);
        let rows = replies.next().unwrap_or_default();
        self.early.extend(ahead.into_iter().zip(replies));
        Ok(rows)
    }

    pub(super) async fn change(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        let replies = self.fly(vec![Step::Change(sql.into(), params.to_vec())]).await?;
        Ok(replies.first().map_or(0, |reply| reply.changed))
    }

    /// Commits. The statement `notice`, which notifies the other nodes, is sent right behind the `COMMIT`.
    pub(super) async fn commit(mut self, notice: Option<&str>) -> Result<(), NotCommitted> {
        if !self.is_open {
            return Ok(());
        }
        if self.has_failed {
            self.roll_back().await;
            let undone = unexpected("a transaction in which a query failed was to be committed");
            return Err(NotCommitted::Undone(undone, None));
        }
        // In a transaction in which a change failed, COMMIT would roll back and report success. There, the empty
        // SELECT before it fails, and COMMIT is not reached.
        self.then("SELECT; COMMIT");
        let mut steps: Vec<Step<'_>> = std::mem::take(&mut self.waiting);
        let commit = steps.len() - 1;
        steps.extend(notice.map(|notice| Step::Plain(notice.into())));
        let (index, (error, fault)) = match self.connection.flight(&steps).await {
            Ok(_) => {
                self.is_open = false;
                return Ok(());
            }
            Err(failed) => failed,
        };
        if index > commit {
            self.is_open = false;
            tracing::debug!(%error, "other nodes were not notified of a change; they notice it within a second");
            return Ok(());
        }
        // The COMMIT was sent, so its outcome is unknown if the connection is lost now. Any other error means that the
        // database refused a change before it or the COMMIT itself. That includes a lost worker of Citus, which notices
        // this before it commits. Another engine may report a lost server later.
        let is_unknown = match fault {
            Some(Fault::Lost) => true,
            Some(Fault::Worker) => index == commit && !self.connection.is_spread(),
            _ => index == commit && matches!(error, StoreError::Unexpected(_)),
        };
        self.roll_back().await;
        if is_unknown {
            return Err(NotCommitted::Unknown(StoreError::InDoubt(error.to_string())));
        }
        Err(NotCommitted::Undone(error, fault.or((index < commit).then_some(Fault::Late))))
    }

    pub(super) async fn roll_back(mut self) {
        let was_open = std::mem::take(&mut self.is_open);
        if was_open && (self.connection.is_lost() || self.connection.run("ROLLBACK").await.is_err()) {
            self.connection.give_up();
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.is_open {
            self.connection.give_up();
        }
    }
}

const fn plain(sql: String) -> Step<'static> {
    Step::Plain(std::borrow::Cow::Owned(sql))
}

#[cfg(test)]
#[path = "transaction_tests.rs"]
mod tests;
