//! One connection to the database, with its prepared statements.

use std::future::{poll_fn, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use lru::LruCache;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, SimpleQueryMessage, Statement};

use super::limits::{ANSWER, HOST, STATEMENTS, Timeouts, WHOLE_TABLE_ANSWER, WORKER_CONNECT_MS};
use super::target::{Target, described};
use super::tls::Tls;
use super::values::{Fault, failure, is_outdated, type_of};
use crate::StoreError;
use crate::value::Param;

/// The error of a statement, and its effect on the transaction and the connection.
pub(super) type Failed = (StoreError, Option<Fault>);
/// The pending result of a statement that was sent.
pub(super) type Sent<T> = Pin<Box<dyn Future<Output = Result<T, Failed>> + Send>>;
/// Messages to send before a statement, in this order. Empty ones are skipped.
pub(super) type Messages = [String; 3];

/// Planner settings that suit a table of any size. A statement can be planned while its table is empty, and the plan
/// is kept when the table grows. Every query of a request has an index, so sequential scans are disabled. Sorts are
/// disabled, so that a page comes in the order of its index: without statistics, reading and sorting all rows of the
/// tenant seems cheaper. This adds a high cost to the remaining scans and sorts, which would trigger the just-in-time
/// compiler, so that is disabled too.
pub(crate) const PLANNING: &str = "SET enable_seqscan = off; SET enable_sort = off; SET jit = off;";

/// A connection. Several callers can use it at once: statements are pipelined.
pub(super) struct Connection {
    client: Client,
    /// The cache of prepared statements. `None` behind a pooler, which can assign another server connection to the
    /// next transaction.
    statements: Option<Mutex<LruCache<String, Statement>>>,
    /// Whether the database has the extension Citus.
    is_spread: bool,
    timeouts: Timeouts,
    answer: Duration,
    runtime: Handle,
    /// Whether [`Self::give_up`] was called.
    lost: AtomicBool,
    /// The task that drives the connection.
    driver: AbortHandle,
    tls: Tls,
    /// The time of the first statement after the last result.
    asked: Mutex<Option<Instant>>,
    /// [`Target::silent`], and its value when this connection was opened.
    silent: (Arc<AtomicU64>, u64),
}

/// The output of `work`, or `None` after `limit`. The timer runs on `runtime`, because the caller's runtime may have
/// none. Each poll polls `work` first, so that the first poll sends the statement.
async fn within<T>(runtime: &Handle, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let late = {
        let _inside = runtime.enter();
        tokio::time::sleep(limit)
    };
    tokio::select! {
        biased;
        done = work => Some(done),
        () = late => None,
    }
}

impl Connection {
    /// Connects, from inside `runtime`.
    pub(super) async fn open(
        runtime: &Handle,
        target: &Target,
        timeouts: Timeouts,
    ) -> Result<Self, StoreError> {
        let silent = (Arc::clone(&target.silent), target.silent.load(Ordering::Acquire));
        let (client, carrier) = target.connect().await?;
        let driver = runtime.spawn(async move {
            if let Err(error) = carrier.await {
                tracing::warn!(error = described(&error), "a connection to the database ended");
            }
        });
        let mut opened = Self {
            client,
            statements: (!target.pooled).then(|| Mutex::new(LruCache::new(STATEMENTS))),
            is_spread: false,
            timeouts,
            answer: ANSWER,
            runtime: runtime.clone(),
            lost: AtomicBool::new(false),
            driver: driver.abort_handle(),
            tls: Tls::new(&target.tls),
            asked: Mutex::default(),
            silent,
        };
        let Timeouts { statement_ms, lock_ms, idle_ms } = timeouts;
        // With a single connection to each Citus worker, a transaction sees its own changes and one snapshot there.
        // PostgreSQL without Citus accepts the setting and ignores it.
        let settings = format!(
            "SET statement_timeout = {statement_ms}; SET lock_timeout = {lock_ms};
             SET idle_in_transaction_session_timeout = {idle_ms};
             {PLANNING}
             SET citus.max_adaptive_executor_pool_size = 1;
             SET citus.node_connection_timeout = {WORKER_CONNECT_MS};"
        );
        let look = "SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'citus'";
        let look = if target.pooled { look.to_owned() } else { format!("{settings} {look}") };
        let found = opened.answer(opened.client.simple_query(&look)).await.map_err(|(error, _)| error)?;
        opened.is_spread = found.iter().any(|message| matches!(message, SimpleQueryMessage::Row(_)));
        Ok(opened)
    }

    /// The same connection for statements that work on whole tables.
    pub(super) fn for_whole_tables(self) -> Self {
        Self { answer: WHOLE_TABLE_ANSWER, ..self }
    }

    /// Whether the connection must not be used again.
    ///
    /// That is so after it was closed or abandoned, and when no result has arrived for too long, even if the callers
    /// have stopped waiting. It is also so if another connection was abandoned for this reason after this one was
    /// opened: both can lead to the same unresponsive host.
    pub(super) fn is_lost(&self) -> bool {
        let asked = *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.is_some_and(|asked| asked.elapsed() > self.answer) {
            self.give_up();
        }
        let (silent, when_opened) = &self.silent;
        self.lost.load(Ordering::Acquire)
            || self.client.is_closed()
            || silent.load(Ordering::Acquire) != *when_opened
    }

    /// Whether a transaction pooler is in between, so that session settings and prepared statements do not last.
    pub(super) const fn is_pooled(&self) -> bool {
        self.statements.is_none()
    }

    /// Whether the database has the extension Citus. Rows can then be on other nodes, without this session's settings.
    pub(super) const fn is_spread(&self) -> bool {
        self.is_spread
    }

    pub(super) const fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// Cancels the running statement, whose locks block others, and closes the connection. PostgreSQL does not notice a
    /// lost client while it runs a statement. Results that still arrive are not used: a COMMIT that is cancelled while
    /// it waits for a synchronous standby reports success, although the standby does not have it.
    pub(super) fn give_up(&self) {
        if self.lost.swap(true, Ordering::AcqRel) {
            return;
        }
        let (cancel, tls, driver) = (self.client.cancel_token(), self.tls.clone(), self.driver.clone());
        self.runtime.spawn(async move {
            let cancelled = tokio::time::timeout(HOST, cancel.cancel_query(tls)).await;
            tracing::debug!(
                is_sent = matches!(cancelled, Ok(Ok(()))),
                "the statement of a connection was cancelled"
            );
            driver.abort();
        });
    }

    async fn answer<T>(
        &self,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failed> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
        let answer = within(&self.runtime, self.answer, asked).await;
        if self.lost.load(Ordering::Acquire) {
            return Err((StoreError::Unavailable("the connection was given up".into()), Some(Fault::Lost)));
        }
        let failed = match answer {
            Some(answer) => {
                *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = None;
                match answer {
                    Ok(answer) => return Ok(answer),
                    Err(error) => failure(&error),
                }
            }
            None => {
                self.silent.0.fetch_add(1, Ordering::AcqRel);
                (StoreError::Unavailable("the database did not answer in time".into()), Some(Fault::Lost))
            }
        };
        if failed.1 == Some(Fault::Lost) {
            self.give_up();
        }
        Err(failed)
    }

    /// Runs messages of statements without parameters. It sends all of them before it awaits a result.
    pub(super) async fn run_each(&self, messages: &Messages) -> Result<(), Failed> {
        let [first, second, third] = messages;
        let run = async |message: &str| if message.is_empty() { Ok(()) } else { self.run(message).await };
        let (first, second, third) = tokio::join!(biased; run(first), run(second), run(third));
        first.and(second).and(third)
    }

    /// Runs statements without parameters and results.
    pub(super) async fn run(&self, sql: &str) -> Result<(), Failed> {
        self.answer(self.client.batch_execute(sql)).await
    }

    pub(super) async fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Failed> {
        self.answer(async {
            let Some(statement) = self.prepared(sql, params).await? else {
                return self.client.query_typed(&numbered(sql), &typed(params)).await;
            };
            let answer = self.client.query(&statement, &values(params)).await;
            self.look_at(sql, answer)
        })
        .await
    }

    pub(super) async fn change(&self, sql: &str, params: &[Param<'_>]) -> Result<u64, Failed> {
        self.answer(async {
            let Some(statement) = self.prepared(sql, params).await? else {
                return self.client.execute_typed(&numbered(sql), &typed(params)).await;
            };
            let answer = self.client.execute(&statement, &values(params)).await;
            self.look_at(sql, answer)
        })
        .await
    }

    /// Whether a statement can be sent without a round trip to prepare it.
    pub(super) fn is_prepared(&self, sql: &str) -> bool {
        let known = |statements: &Mutex<LruCache<String, _>>| {
            statements.lock().unwrap_or_else(PoisonError::into_inner).contains(sql)
        };
        self.statements.as_ref().is_none_or(known)
    }

    /// Sends the messages `before` and then a prepared change, and returns the pending result. Dropping the result does
    /// not stop the statement.
    pub(super) async fn send(
        self: &Arc<Self>,
        before: Messages,
        sql: &str,
        params: &[Param<'_>],
    ) -> Sent<()> {
        let (connection, sql) = (Arc::clone(self), sql.to_owned());
        let params: Vec<Param<'static>> = params.iter().map(Param::to_owned).collect();
        sent(async move {
            let changed = connection.change(&sql, &params);
            let (first, second) = tokio::join!(biased; connection.run_each(&before), changed);
            first.and(second.map(|_| ()))
        })
        .await
    }

    /// Sends a prepared query, and returns the pending result.
    pub(super) async fn send_rows(
        self: &Arc<Self>,
        sql: String,
        params: Vec<Param<'static>>,
    ) -> Sent<Vec<Row>> {
        let connection = Arc::clone(self);
        sent(async move { connection.rows(&sql, &params).await }).await
    }

    /// Removes a statement from the cache if a migration has invalidated it. Its next use prepares it again.
    fn look_at<T>(
        &self,
        sql: &str,
        answer: Result<T, tokio_postgres::Error>,
    ) -> Result<T, tokio_postgres::Error> {
        if let (Err(error), Some(statements)) = (&answer, &self.statements)
            && is_outdated(error)
        {
            statements.lock().unwrap_or_else(PoisonError::into_inner).pop(sql);
        }
        answer
    }

    /// The prepared statement, from the cache or with one round trip. `None` behind a pooler.
    async fn prepared(
        &self,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Option<Statement>, tokio_postgres::Error> {
        let Some(statements) = &self.statements else { return Ok(None) };
        let known = statements.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let types: Vec<Type> = params.iter().map(type_of).collect();
        let statement = self.client.prepare_typed(&numbered(sql), &types).await?;
        // List queries have many texts. The cache evicts those that are used rarely.
        statements.lock().unwrap_or_else(PoisonError::into_inner).put(sql.to_owned(), statement.clone());
        Ok(Some(statement))
    }
}

/// Polls a statement once, which sends it (see [`within`]), and returns its pending result.
async fn sent<T: Send + 'static>(
    statement: impl Future<Output = Result<T, Failed>> + Send + 'static,
) -> Sent<T> {
    let mut statement: Sent<T> = Box::pin(statement);
    match poll_fn(|cx| Poll::Ready(statement.as_mut().poll(cx))).await {
        Poll::Pending => statement,
        Poll::Ready(outcome) => Box::pin(ready(outcome)),
    }
}

/// Replaces the placeholders `?1` by PostgreSQL's `$1`.
fn numbered(sql: &str) -> String {
    sql.replace('?', "$")
}

fn values<'a>(params: &'a [Param<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    params.iter().map(|param| param as &(dyn ToSql + Sync)).collect()
}

fn typed<'a>(params: &'a [Param<'_>]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    params.iter().map(|param| (param as &(dyn ToSql + Sync), type_of(param))).collect()
}
