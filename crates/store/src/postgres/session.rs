//! A transaction on one connection, and the session through which [`crate::Tx`] runs statements.
//!
//! Statements are pipelined to save round trips:
//!
//! | statement | sent | result awaited |
//! |---|---|---|
//! | `BEGIN`, `SAVEPOINT`, `RELEASE`, `ROLLBACK TO` | with the next statement | with that statement |
//! | a change whose number of rows is not needed | at once | with the next statement, or after [`limits::SENT`] |
//! | a query, or a change whose number of rows is needed | at once | at once |
//! | `COMMIT` | at once | at once |
//!
//! If a change fails whose result was not awaited, the use case has already gone on ([`Fault::Late`]). The isolated
//! retry then runs it in strict mode, which awaits each result, so that the use case gets the error of that change.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_postgres::Row;

use super::connection::{Connection, Failed, Messages, Sent};
use super::limits;
use super::readers::Readers;
use super::values::Fault;
use crate::StoreError;
use crate::error::unexpected;
use crate::value::Param;

/// The kind of a transaction, which sets its isolation level and its timeouts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mode {
    /// One use case.
    Alone,
    /// A batch of use cases. The lock timeout is short, because a lock wait delays the whole batch.
    Shared,
    /// A list query: read-only.
    ListQuery,
    /// A snapshot of the whole database: read-only, `REPEATABLE READ`, without a time limit.
    Snapshot,
}

/// A transaction from its first statement to its end.
pub(crate) struct Transaction {
    connection: Arc<Connection>,
    /// With Citus: `BEGIN`, and a setting for the workers, as two messages. Citus forwards the whole message that
    /// contains the setting, so it must be alone in its message.
    opening: Option<[String; 2]>,
    /// Statements to send before the next one.
    before: String,
    /// Whether any message was sent.
    begun: bool,
    /// Whether a statement failed. PostgreSQL then refuses every statement until the savepoint or the transaction is
    /// rolled back.
    failed: bool,
    fault: Option<Fault>,
    /// The pending results of changes, in the order in which they were sent.
    sent: Vec<Sent>,
    /// Whether each result is awaited (strict mode).
    is_strict: bool,
    /// A counter that is odd while a statement is in progress.
    progress: Arc<AtomicU64>,
    /// [`Connection::bucket`].
    bucket: i64,
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
        let isolation = if matches!(mode, Mode::Snapshot) { "REPEATABLE READ" } else { "READ COMMITTED" };
        let mut before = format!("BEGIN ISOLATION LEVEL {isolation}");
        // 0 is no limit.
        let (statement_ms, lock_ms, idle_ms) = match mode {
            Mode::Alone => (limits::STATEMENT_MS, limits::LOCK_MS, limits::IDLE_MS),
            Mode::Shared => (limits::STATEMENT_MS, limits::LOCK_SHARED_MS, limits::IDLE_MS),
            Mode::ListQuery => (limits::SEARCH_MS, limits::LOCK_MS, limits::IDLE_MS),
            Mode::Snapshot => (0, limits::LOCK_MS, 0),
        };
        match mode {
            Mode::ListQuery | Mode::Snapshot => before.push_str(" READ ONLY"),
            Mode::Shared if !connection.is_pooled() => {
                before.push_str(&format!("; SET LOCAL lock_timeout = {lock_ms}"));
            }
            _ => {}
        }
        if connection.is_pooled() || matches!(mode, Mode::ListQuery | Mode::Snapshot) {
            before.push_str(&format!(
                "; SET LOCAL statement_timeout = {statement_ms}; SET LOCAL lock_timeout = {lock_ms};
                 SET LOCAL idle_in_transaction_session_timeout = {idle_ms}"
            ));
        }
        if matches!(mode, Mode::Snapshot) {
            // It reads whole tables: see `connection::PLANNING`.
            before.push_str("; SET LOCAL enable_seqscan = on");
        }
        let opening = (connection.is_spread() && matches!(mode, Mode::Alone | Mode::Shared)).then(|| {
            let begin = std::mem::take(&mut before);
            [
                format!("{begin}; SET LOCAL citus.propagate_set_commands = 'local'"),
                format!("SET LOCAL lock_timeout = {lock_ms}"),
            ]
        });
        let bucket = connection.bucket();
        Self {
            connection,
            bucket,
            opening,
            before,
            begun: false,
            failed: false,
            fault: None,
            sent: Vec::new(),
            is_strict: false,
            progress: Arc::default(),
        }
    }

    /// The same transaction in strict mode, which awaits each result.
    pub(super) fn strict(self) -> Self {
        Self { is_strict: true, ..self }
    }

    pub(super) fn progress(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.progress)
    }

    /// The conflict or connection fault of the running use case.
    pub(super) const fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Whether a statement failed, so that the use case must be rolled back.
    pub(super) const fn has_failed(&self) -> bool {
        self.failed
    }

    fn then(&mut self, sql: &str) {
        self.before.push_str("; ");
        self.before.push_str(sql);
    }

    /// Begins the savepoint of a use case.
    pub(super) fn begin_operation(&mut self) {
        self.then("SAVEPOINT operation");
    }

    /// Ends the savepoint of a use case: keeps its changes or rolls them back.
    pub(super) fn end_operation(&mut self, keep: bool) {
        if !keep {
            self.then("ROLLBACK TO operation");
            self.sent.clear();
            self.failed = false;
            if self.fault != Some(Fault::Lost) {
                self.fault = None;
            }
        }
        self.then("RELEASE operation");
    }

    /// Reduces the lock timeout to [`limits::LOCK_AFTER_MS`] for the rest of a batch, after the first lock conflict.
    pub(super) async fn wait_no_more(&mut self) {
        let [.., undo] = self.take_before();
        // The setting is alone in its message, as in `opening`.
        let set = format!("SET LOCAL lock_timeout = {}", limits::LOCK_AFTER_MS);
        if self.connection.run_each(&[undo, set, String::new()]).await.is_err() {
            // The state of the transaction is unknown, so nothing in it can be committed.
            self.fault = Some(Fault::Lost);
            self.connection.give_up();
        }
    }

    fn note<T>(&mut self, outcome: Result<T, Failed>) -> Result<T, StoreError> {
        outcome.map_err(|(error, fault)| {
            self.failed = true;
            self.fault = fault.or(self.fault);
            error
        })
    }

    async fn ask<T>(&mut self, question: impl Future<Output = Result<T, Failed>>) -> Result<T, StoreError> {
        self.go_on()?;
        let (before, sent) = (self.take_before(), std::mem::take(&mut self.sent));
        self.progress.fetch_add(1, Ordering::AcqRel);
        // All are sent before a result is awaited. After a failure, PostgreSQL refuses the statements behind it.
        let connection = Arc::clone(&self.connection);
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

    /// Awaits all pending results.
    pub(super) async fn hear(&mut self) -> Result<(), StoreError> {
        let heard = heard(std::mem::take(&mut self.sent)).await;
        self.note(heard)
    }

    /// Sends a change without awaiting its result.
    async fn send(&mut self, sql: &str, params: &[Param<'_>]) -> Result<(), StoreError> {
        // Preparing a statement takes a round trip, so an unprepared statement is awaited.
        if self.is_strict || !self.connection.is_prepared(sql) {
            return self.change(sql, params).await.map(|_| ());
        }
        self.go_on()?;
        self.progress.fetch_add(1, Ordering::AcqRel);
        let connection = Arc::clone(&self.connection);
        let sent = match connection.send(self.take_before(), sql, params).await {
            Ok(sent) => {
                self.sent.push(sent);
                if self.sent.len() < limits::SENT {
                    Ok(())
                } else {
                    heard(std::mem::take(&mut self.sent)).await
                }
            }
            Err(failed) => Err(late(failed)),
        };
        self.progress.fetch_add(1, Ordering::AcqRel);
        self.note(sent)
    }

    async fn rows(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        let connection = Arc::clone(&self.connection);
        self.ask(connection.rows(sql, params)).await
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
        if self.fault == Some(Fault::Lost) || self.failed {
            self.connection.give_up();
            let lost = StoreError::Unavailable("the connection to the database was lost".into());
            return Err(NotCommitted::Undone(lost, Some(Fault::Lost)));
        }
        self.then("COMMIT");
        let commit = self.take_before();
        let outcome = match notice {
            None => self.connection.run_each(&commit).await,
            Some(notice) => {
                let (done, told) =
                    tokio::join!(biased; self.connection.run_each(&commit), self.connection.run(notice));
                if let Err((error, _)) = told {
                    tracing::debug!(%error, "other nodes were not told of a change; they find out within a second");
                }
                done
            }
        };
        match outcome {
            Ok(()) => Ok(()),
            Err((error, Some(Fault::Lost))) => Err(in_doubt(&error)),
            // Citus reports a lost worker before it commits anywhere. Another engine may report it later.
            Err((error, Some(Fault::Worker))) if !self.connection.is_spread() => Err(in_doubt(&error)),
            Err((error, fault)) => {
                self.roll_back().await;
                // Only a known error proves that the database refused the commit.
                let is_refused = !matches!(error, StoreError::Unexpected(_));
                Err(if is_refused { NotCommitted::Undone(error, fault) } else { in_doubt(&error) })
            }
        }
    }

    pub(super) async fn roll_back(self) {
        if self.begun && self.connection.run("ROLLBACK").await.is_err() {
            self.connection.give_up();
        }
    }
}

/// Awaits pending results in order. The first failure counts: it makes the later statements fail too.
async fn heard(sent: Vec<Sent>) -> Result<(), Failed> {
    for answer in sent {
        answer.await.map_err(late)?;
    }
    Ok(())
}

/// Marks a failure that was detected after the use case had gone on.
fn late((error, fault): Failed) -> Failed {
    (error, fault.or(Some(Fault::Late)))
}

fn in_doubt(error: &StoreError) -> NotCommitted {
    NotCommitted::Unknown(StoreError::InDoubt(error.to_string()))
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
            Self::Writing(transaction) => transaction.bucket,
            Self::Reading(_) | Self::Searching(_) => 0,
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

const fn text_of<'a>(param: &'a Param<'_>) -> Option<&'a str> {
    match param {
        Param::Text(text) => Some(text),
        Param::OwnedText(text) => Some(text.as_str()),
        _ => None,
    }
}

fn has_nul(param: &Param<'_>) -> bool {
    text_of(param).is_some_and(|text| text.contains('\0'))
}

/// Replaces U+0000 in the parameters of a query. PostgreSQL does not accept this character, so no stored text contains
/// it. The replacement U+10FFFF occurs in no stored text either, so the query finds nothing, as it must.
fn without_nul<'a, 'p>(params: &'a [Param<'p>]) -> Cow<'a, [Param<'p>]> {
    if !params.iter().any(has_nul) {
        return Cow::Borrowed(params);
    }
    let replaced = params.iter().map(|param| match text_of(param) {
        Some(text) if has_nul(param) => Param::OwnedText(text.replace('\0', "\u{10FFFF}")),
        _ => param.clone(),
    });
    Cow::Owned(replaced.collect())
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
