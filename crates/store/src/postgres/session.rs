//! A transaction on one connection, and what [`crate::Tx`] asks through.
//!
//! What begins and ends a transaction or a part of it is not sent by itself but before the next question, so
//! that it costs no round trip. Nor does a change whose number of rows nobody asks for: it is sent, and its
//! answer is looked at with that of the next question. When such a change fails, the operation is run again
//! with each answer waited for, so that it meets the failure where it happened.

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

/// How long a transaction may wait for others and for itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mode {
    /// Of one operation.
    Alone,
    /// Of several operations, none of which may keep the others waiting.
    Shared,
    /// Of a search, which changes nothing.
    ListQuery,
    /// Of who reads all data as they are at one moment, for as long as it takes.
    Snapshot,
}

/// A transaction from its first statement to its end.
pub(crate) struct Transaction {
    connection: Arc<Connection>,
    /// Where rows lie on other nodes: what begins it, and a setting that those nodes are told of, a message each.
    /// Citus hands on the message in which a setting stands, as a whole.
    opening: Option<[String; 2]>,
    /// Statements that go before the next one.
    before: String,
    /// Whether anything was sent.
    begun: bool,
    /// Whether a statement failed: nothing works until the part, or the transaction, is undone.
    failed: bool,
    fault: Option<Fault>,
    /// Changes that were sent, in their order, and not looked at yet.
    sent: Vec<Sent>,
    /// Whether every answer is waited for.
    is_strict: bool,
    /// Odd while a question is being answered.
    progress: Arc<AtomicU64>,
}

/// How a commit failed.
pub(super) enum NotCommitted {
    /// Nothing was changed.
    Undone(StoreError, Option<Fault>),
    /// Nobody can tell.
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
        Self {
            connection,
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

    /// The same, waiting for every answer.
    pub(super) fn strict(self) -> Self {
        Self { is_strict: true, ..self }
    }

    pub(super) fn progress(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.progress)
    }

    /// What others or the network did to the operation that runs.
    pub(super) const fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Whether a statement failed, so that nothing of the operation can be kept.
    pub(super) const fn has_failed(&self) -> bool {
        self.failed
    }

    fn then(&mut self, sql: &str) {
        self.before.push_str("; ");
        self.before.push_str(sql);
    }

    /// Begins an operation that can be undone alone.
    pub(super) fn begin_operation(&mut self) {
        self.then("SAVEPOINT operation");
    }

    /// Ends it: keeps its changes, or undoes them.
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

    /// Has the operations that follow wait for nobody's rows, after one that waited in vain.
    pub(super) async fn wait_no_more(&mut self) {
        let [.., undo] = self.take_before();
        // A message of its own, as in `opening`.
        let set = format!("SET LOCAL lock_timeout = {}", limits::LOCK_AFTER_MS);
        if self.connection.run_each(&[undo, set, String::new()]).await.is_err() {
            // What the others did cannot be kept, nor told apart.
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
        // All are sent before any is answered; the later ones fail where an earlier one did.
        let connection = Arc::clone(&self.connection);
        let (heard, first, second) =
            tokio::join!(biased; heard(sent), connection.run_each(&before), question);
        self.progress.fetch_add(1, Ordering::AcqRel);
        self.note(heard.and(first).and(second))
    }

    /// Fails once something happened that the transaction does not survive.
    fn go_on(&self) -> Result<(), StoreError> {
        match self.fault {
            None => Ok(()),
            Some(_) => Err(StoreError::Unavailable("the transaction is over".into())),
        }
    }

    /// What is to be sent now, before anything else.
    fn take_before(&mut self) -> Messages {
        self.begun = true;
        let [begin, set] = self.opening.take().unwrap_or_default();
        let before = std::mem::take(&mut self.before);
        [begin, set, before.trim_start_matches("; ").to_owned()]
    }

    /// Waits for the answers to what was sent.
    pub(super) async fn hear(&mut self) -> Result<(), StoreError> {
        let heard = heard(std::mem::take(&mut self.sent)).await;
        self.note(heard)
    }

    /// Changes rows without waiting for the answer.
    async fn send(&mut self, sql: &str, params: &[Param<'_>]) -> Result<(), StoreError> {
        // What must be prepared first is waited for: it would be refused before what stands in `before` is sent.
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

    /// Commits; `notice` is sent along, for whoever listens on another node.
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
            Err((error, fault)) => {
                self.roll_back().await;
                // What cannot be read as a refusal is none.
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

/// How it went with what was sent; what follows a failure has failed too.
async fn heard(sent: Vec<Sent>) -> Result<(), Failed> {
    for answer in sent {
        answer.await.map_err(late)?;
    }
    Ok(())
}

/// A failure that comes too late for who caused it.
fn late((error, fault): Failed) -> Failed {
    (error, fault.or(Some(Fault::Late)))
}

fn in_doubt(error: &StoreError) -> NotCommitted {
    NotCommitted::Unknown(StoreError::InDoubt(error.to_string()))
}

/// Where a query of [`crate::Tx`] goes.
pub(crate) enum Session<'c> {
    /// To any connection for reading.
    Reading(&'c Readers),
    /// To a transaction that changes nothing.
    Searching(&'c mut Transaction),
    /// To a transaction.
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

    /// The transaction in which rows are changed, where these can be stored.
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

/// PostgreSQL has no U+0000, and no stored text has it: what is looked for with it is looked for with a
/// character that nobody may use either, and so not found.
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
