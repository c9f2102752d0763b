//! A transaction on one connection, and the session through which [`crate::Tx`] runs statements.
//!
//! Statements are pipelined to save round trips:
//!
//! | statement | sent | result awaited |
//! |---|---|---|
//! | `BEGIN`, `SAVEPOINT`, `RELEASE`, `ROLLBACK TO` | with the next statement | with that statement |
//! | a change whose number of rows is not needed | at once | with the next statement, or after [`limits::SENT`] |
//! | a query, or a change whose number of rows is needed | at once | at once |
//! | `COMMIT` | at once, behind the last changes | together with theirs |
//!
//! So a use case that reads its facts in one query and then changes rows takes two round trips. The first statement of
//! a transaction is always awaited, so that a dead connection is found before anything could be committed.
//!
//! If a change fails whose result was not awaited, the use case has already gone on ([`Fault::Late`]). It then runs
//! again in strict mode, which awaits each result, so that it gets the error of that change.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_postgres::Row;

use super::connection::{Connection, Failed, Messages, Sent};
use super::limits::{self, Timeouts};
use super::readers::Readers;
use super::values::Fault;
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

/// A transaction from its first statement to its end. The connection of one that is dropped before is closed.
pub(crate) struct Transaction {
    connection: Arc<Connection>,
    mode: Mode,
    /// With Citus: `BEGIN`, and a setting for the workers, as two messages. Citus forwards the whole message that
    /// contains the setting, so it must be alone in its message.
    opening: Option<[String; 2]>,
    /// Statements to send before the next one.
    before: String,
    /// Whether any message was sent.
    begun: bool,
    /// Whether the transaction was committed or rolled back.
    ended: bool,
    /// Whether a statement failed. PostgreSQL then refuses every statement until the savepoint or the transaction is
    /// rolled back.
    failed: bool,
    fault: Option<(Fault, StoreError)>,
    /// The pending results of changes, in the order in which they were sent.
    sent: Vec<Sent<()>>,
    /// Queries to send behind the next one: see [`crate::Tx::ask_ahead`].
    ahead: Vec<(String, Vec<Param<'static>>)>,
    /// The pending results of queries that were sent before they were asked for.
    early: Vec<(String, Vec<Param<'static>>, Sent<Vec<Row>>)>,
    /// A counter that is odd while a statement is in progress.
    progress: Arc<AtomicU64>,
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
        let mut before = String::from(match mode {
            Mode::Write { .. } => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Mode::ListQuery => "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
            // It reads whole tables: see `connection::PLANNING`.
            Mode::Snapshot => {
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL enable_seqscan = on"
            }
        });
        let Timeouts { statement_ms, lock_ms, idle_ms } = connection.timeouts();
        if connection.is_pooled() {
            before.push_str(&format!(
                "; SET LOCAL statement_timeout = {statement_ms}; SET LOCAL lock_timeout = {lock_ms};
                 SET LOCAL idle_in_transaction_session_timeout = {idle_ms}"
            ));
        }
        let opening = (connection.is_spread() && matches!(mode, Mode::Write { .. })).then(|| {
            let begin = std::mem::take(&mut before);
            [
                format!("{begin}; SET LOCAL citus.propagate_set_commands = 'local'"),
                format!("SET LOCAL lock_timeout = {lock_ms}"),
            ]
        });
        let (begun, ended, failed) = (false, false, false);
        let (fault, sent, ahead, early) = (None, Vec::new(), Vec::new(), Vec::new());
        let progress = Arc::default();
        Self { connection, mode, opening, before, begun, ended, failed, fault, sent, ahead, early, progress }
    }

    pub(super) fn progress(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.progress)
    }

    /// The conflict or the fault of the connection that has ended the transaction.
    pub(super) fn take_fault(&mut self) -> Option<(Fault, StoreError)> {
        self.fault.take()
    }

    /// Whether a statement failed, so that the use case must be rolled back.
    pub(super) const fn has_failed(&self) -> bool {
        self.failed
    }

    fn then(&mut self, sql: &str) {
        self.before.push_str("; ");
        self.before.push_str(sql);
    }

    fn note<T>(&mut self, outcome: Result<T, Failed>) -> Result<T, StoreError> {
        outcome.map_err(|(error, fault)| {
            self.failed = true;
            self.fault = fault.map(|fault| (fault, error.clone())).or(self.fault.take());
            error
        })
    }

    async fn ask<T>(&mut self, question: impl Future<Output = Result<T, Failed>>) -> Result<T, StoreError> {
        self.go_on()?;
        let (before, sent) = (self.take_before(), std::mem::take(&mut self.sent));
        // All are sent before a result is awaited. After a failure, PostgreSQL refuses the statements behind it.
        let connection = Arc::clone(&self.connection);
        self.progress.fetch_add(1, Ordering::AcqRel);
        let (heard, first, second) =
            tokio::join!(biased; heard(sent), connection.run_each(&before), question);
        self.progress.fetch_add(1, Ordering::AcqRel);
        self.note(heard.and(first).and(second))
    }

    /// Fails if a fault has ended the transaction.
    fn go_on(&self) -> Result<(), StoreError> {
        match self.fault {
            None => Ok(()),
            Some(_) => Err(StoreError::Unavailable("the transaction is over".into())),
        }
    }

    /// Takes the messages that must be sent before the next statement.
    fn take_before(&mut self) -> Messages {
        self.begun = true;
        let [begin, set] = self.opening.take().unwrap_or_default();
        let before = std::mem::take(&mut self.before);
        [begin, set, before.trim_start_matches("; ").to_owned()]
    }

    /// Sends a change without awaiting its result.
    async fn send(&mut self, sql: &str, params: &[Param<'_>]) -> Result<(), StoreError> {
        if matches!(self.mode, Mode::Write { is_strict: true, .. }) {
            return self.change(sql, params).await.map(|_| ());
        }
        self.go_on()?;
        let connection = Arc::clone(&self.connection);
        // Preparing a statement takes a round trip, so an unprepared statement is awaited. It fails in the same way as
        // one that is not: a rerun first reads the facts again, so that a race has the outcome of a sequence.
        if !self.begun || !connection.is_prepared(sql) {
            let changed = async { connection.change(sql, params).await.map_err(late) };
            return self.ask(changed).await.map(|_| ());
        }
        let sent = connection.send(self.take_before(), sql, params).await;
        self.sent.push(sent);
        if self.sent.len() < limits::SENT {
            return Ok(());
        }
        self.progress.fetch_add(1, Ordering::AcqRel);
        let sent = heard(std::mem::take(&mut self.sent)).await;
        self.progress.fetch_add(1, Ordering::AcqRel);
        self.note(sent)
    }

    /// Awaits all pending results, and notes a failure.
    pub(super) async fn hear(&mut self) {
        let heard = heard(std::mem::take(&mut self.sent)).await;
        drop(self.note(heard));
    }

    async fn rows(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        let known = self.early.iter().position(|(early, of, _)| early == sql && of == params);
        if let Some(known) = known {
            let (.., rows) = self.early.remove(known);
            return self.ask(rows).await;
        }
        let connection = Arc::clone(&self.connection);
        let ahead = std::mem::take(&mut self.ahead);
        if !std::iter::once(sql)
            .chain(ahead.iter().map(|(sql, _)| sql.as_str()))
            .all(|sql| connection.is_prepared(sql))
        {
            return self.ask(connection.rows(sql, params)).await;
        }
        let mut early = Vec::new();
        let asked = async {
            let rows = connection.rows(sql, params);
            let sent = async {
                for (sql, params) in ahead {
                    early.push((sql.clone(), params.clone(), connection.send_rows(sql, params).await));
                }
            };
            tokio::join!(biased; rows, sent).0
        };
        let rows = self.ask(asked).await;
        self.early.append(&mut early);
        rows
    }

    async fn change(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        let connection = Arc::clone(&self.connection);
        self.ask(connection.change(sql, params)).await
    }

    /// Commits. The statement `notice`, which notifies the other nodes, is sent right behind the `COMMIT`.
    pub(super) async fn commit(mut self, notice: Option<&str>) -> Result<(), NotCommitted> {
        if !self.begun {
            return Ok(());
        }
        if self.failed {
            self.roll_back().await;
            let undone = unexpected("a transaction in which a query failed was to be committed");
            return Err(NotCommitted::Undone(undone, None));
        }
        // In a transaction in which a change failed, COMMIT would roll back and report success. There, the empty
        // SELECT before it fails, and COMMIT is not reached.
        self.then("SELECT; COMMIT");
        let (messages, sent) = (self.take_before(), std::mem::take(&mut self.sent));
        let connection = Arc::clone(&self.connection);
        let told = async { if let Some(notice) = notice { connection.run(notice).await } else { Ok(()) } };
        let (heard, done, told) = tokio::join!(biased; heard(sent), connection.run_each(&messages), told);
        let is_refused_early = heard.is_err();
        let Err((error, fault)) = heard.and(done) else {
            self.ended = true;
            if let Err((error, _)) = told {
                tracing::debug!(%error, "other nodes were not told of a change; they find out within a second");
            }
            return Ok(());
        };
        // The COMMIT was sent, so a connection that is lost now leaves its outcome open. Otherwise the database has
        // refused a change before it, or the COMMIT itself: with a known error, or for a worker of Citus, which is asked
        // before anything is committed. Another engine may report a lost server later.
        let is_unknown = match fault {
            Some(Fault::Lost) => true,
            Some(Fault::Worker) => !is_refused_early && !self.connection.is_spread(),
            _ => !is_refused_early && matches!(error, StoreError::Unexpected(_)),
        };
        self.roll_back().await;
        if is_unknown {
            return Err(NotCommitted::Unknown(StoreError::InDoubt(error.to_string())));
        }
        Err(NotCommitted::Undone(error, fault))
    }

    pub(super) async fn roll_back(mut self) {
        self.ended = true;
        if self.begun && (self.connection.is_lost() || self.connection.run("ROLLBACK").await.is_err()) {
            self.connection.give_up();
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.begun && !self.ended {
            self.connection.give_up();
        }
    }
}

/// Awaits pending results in order. The first failure counts: it makes the later statements fail too.
async fn heard(sent: Vec<Sent<()>>) -> Result<(), Failed> {
    for answer in sent {
        answer.await.map_err(late)?;
    }
    Ok(())
}

/// Marks a failure that was detected after the use case had gone on.
fn late((error, fault): Failed) -> Failed {
    (error, fault.or(Some(Fault::Late)))
}

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
            transaction.ahead.push((sql.to_owned(), params.iter().map(Param::to_owned).collect()));
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
            transaction.failed = true;
            return Err(unexpected("a text with U+0000 is to be stored"));
        }
        Ok(transaction)
    }

    pub(crate) const fn for_update_skip_locked(&self) -> &'static str {
        match self {
            Self::Writing(_) => " FOR NO KEY UPDATE SKIP LOCKED",
            Self::Reading(_) | Self::Searching(_) => "",
        }
    }

    pub(crate) const fn for_update(&self) -> &'static str {
        match self {
            Self::Writing(_) => " FOR NO KEY UPDATE",
            Self::Reading(_) | Self::Searching(_) => "",
        }
    }

    pub(crate) const fn for_exclusive_update(&self) -> &'static str {
        match self {
            Self::Writing(_) => " FOR UPDATE",
            Self::Reading(_) | Self::Searching(_) => "",
        }
    }

    pub(crate) const fn for_key_share(&self) -> &'static str {
        match self {
            Self::Writing(_) => " FOR KEY SHARE",
            Self::Reading(_) | Self::Searching(_) => "",
        }
    }

    /// The bucket of the counters to add to. Only a transaction that writes adds to one.
    pub(crate) const fn bucket(&self) -> i64 {
        match self {
            Self::Writing(Transaction { mode: Mode::Write { bucket, .. }, .. }) => *bucket,
            _ => 0,
        }
    }

    pub(crate) fn begin_savepoint(&mut self) -> Result<(), StoreError> {
        self.writing()?.then("SAVEPOINT use_case_part");
        Ok(())
    }

    pub(crate) fn end_savepoint(&mut self, keep: bool) -> Result<(), StoreError> {
        let transaction = self.writing()?;
        if keep && transaction.failed {
            return Err(unexpected("a part in which a query failed is to be kept"));
        }
        if !keep {
            transaction.then("ROLLBACK TO use_case_part");
            transaction.failed = false;
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

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
