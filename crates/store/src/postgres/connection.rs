//! One connection to the database, with its prepared statements and its response watchdog.

use std::future::{poll_fn, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use lru::LruCache;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, SimpleQueryMessage, Statement};

use super::cancel::Cancel;
use super::limits::{
    ANSWER, CANCEL_AGAIN, HOST, IDLE_MS, LOCK_MS, STATEMENT_MS, STATEMENTS, WORKER_CONNECT_MS,
};
use super::reach::Carrier;
use super::silence::Silence;
use super::target::{Target, described};
use super::values::{Fault, failure, is_outdated, type_of};
use crate::StoreError;
use crate::value::Param;

/// The error of a statement, and its effect on the transaction and the connection.
pub(super) type Failed = (StoreError, Option<Fault>);
/// The pending result of a statement that was sent.
pub(super) type Sent = Pin<Box<dyn Future<Output = Result<(), Failed>> + Send>>;
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
    /// Whether [`Self::give_up`] was called.
    lost: AtomicBool,
    /// Signals [`carry`] that the connection is abandoned.
    give_up: Mutex<Option<oneshot::Sender<()>>>,
    /// The bucket of the counters that its transactions add to.
    bucket: i64,
    answer: Duration,
    runtime: Handle,
    opened: Instant,
    /// The response watchdog of this connection.
    silence: Mutex<Silence>,
    /// [`Target::silence`].
    last_silence: Arc<Mutex<Option<Instant>>>,
}

/// The output of `work`, or `None` after `limit`. The timer runs on `runtime`, because the caller's runtime may have
/// none. Each poll polls `work` first, so that the first poll sends the statement.
pub(super) async fn within<T>(runtime: &Handle, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
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

/// Drives a connection until its client is dropped and no result is pending, or the connection is abandoned.
///
/// PostgreSQL does not notice a lost client while it runs a statement. So this cancels the running statement of a
/// connection that is abandoned. It keeps the connection open until the database has answered, for [`HOST`] at most: a
/// pooler does not cancel the statement of a client that disconnected.
async fn carry(carrier: Carrier, given_up: oneshot::Receiver<()>, cancel: Cancel) {
    let mut carrier = Box::pin(carrier);
    tokio::select! {
        ended = &mut carrier => {
            if let Err(error) = ended {
                tracing::warn!(error = described(&error), "a connection to the database ended");
            }
            return;
        }
        Ok(()) = given_up => {}
    }
    let (carries, mut ended) = oneshot::channel::<()>();
    let carried = async move {
        let _ = tokio::time::timeout(HOST, carrier).await;
        drop(carries);
    };
    // A cancel request that has begun is completed, as poolers require. Each request cancels one statement, so it is
    // repeated for the statements behind it.
    let stopped = async {
        loop {
            let _ = tokio::time::timeout(HOST, cancel.ask()).await;
            if tokio::time::timeout(CANCEL_AGAIN, &mut ended).await.is_ok() {
                return;
            }
        }
    };
    tokio::join!(carried, stopped);
}

/// A caller that waits for a result. Creating and dropping it updates the response watchdog.
struct Asker<'c> {
    connection: &'c Connection,
    is_answered: bool,
}

impl<'c> Asker<'c> {
    fn new(connection: &'c Connection) -> Self {
        connection.silence().ask(Instant::now());
        Self { connection, is_answered: false }
    }
}

impl Drop for Asker<'_> {
    fn drop(&mut self) {
        let (mut silence, now) = (self.connection.silence(), Instant::now());
        if self.is_answered { silence.hear(now) } else { silence.leave(now) }
    }
}

impl Connection {
    /// Connects, from inside `runtime`.
    pub(super) async fn open(runtime: &Handle, target: &Target) -> Result<Self, StoreError> {
        let (client, carrier, cancel) = target.connect().await?;
        let (give_up, given_up) = oneshot::channel();
        runtime.spawn(carry(carrier, given_up, cancel));
        let mut opened = Self {
            client,
            statements: (!target.pooled).then(|| Mutex::new(LruCache::new(STATEMENTS))),
            is_spread: false,
            lost: AtomicBool::new(false),
            give_up: Mutex::new(Some(give_up)),
            bucket: target.next_bucket(),
            answer: ANSWER,
            runtime: runtime.clone(),
            opened: Instant::now(),
            silence: Mutex::default(),
            last_silence: Arc::clone(&target.silence),
        };
        // With a single connection to each Citus worker, a transaction sees its own changes and one snapshot there.
        // PostgreSQL without Citus accepts the setting and ignores it.
        let settings = format!(
            "SET statement_timeout = {STATEMENT_MS}; SET lock_timeout = {LOCK_MS};
             SET idle_in_transaction_session_timeout = {IDLE_MS};
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

    /// The same connection with another time limit for results.
    pub(super) fn answers_within(self, answer: Duration) -> Self {
        Self { answer, ..self }
    }

    /// Whether the connection must not be used again.
    ///
    /// That is so after it was closed or abandoned, and after the response watchdog has expired, even if the callers
    /// have stopped waiting. It is also so if the watchdog of another connection expired after this one was opened:
    /// both can lead to the same unresponsive host.
    pub(super) fn is_lost(&self) -> bool {
        if self.lost.load(Ordering::Acquire) || self.client.is_closed() {
            return true;
        }
        if self.silence().length(Instant::now()) > self.answer {
            self.give_up();
            return true;
        }
        let last = *self.last_silence.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|silence| silence > self.opened)
    }

    pub(super) const fn bucket(&self) -> i64 {
        self.bucket
    }

    fn silence(&self) -> MutexGuard<'_, Silence> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a transaction pooler is in between, so that session settings and prepared statements do not last.
    pub(super) const fn is_pooled(&self) -> bool {
        self.statements.is_none()
    }

    /// Whether the database has the extension Citus. Rows can then be on other nodes, without this session's settings.
    pub(super) const fn is_spread(&self) -> bool {
        self.is_spread
    }

    /// Closes the connection and cancels its running statement. Callers that wait for a result get an error once the
    /// database has stopped, or after [`HOST`] if it does not respond.
    pub(super) fn give_up(&self) {
        self.lost.store(true, Ordering::Release);
        if let Some(give_up) = self.give_up.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Fails if the connection has already ended.
            let _ = give_up.send(());
        }
    }

    async fn answer<T>(
        &self,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failed> {
        self.answer_within(self.answer, asked).await
    }

    async fn answer_within<T>(
        &self,
        limit: Duration,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failed> {
        let mut asker = Asker::new(self);
        let answer = within(&self.runtime, limit, asked).await;
        asker.is_answered = answer.is_some();
        let failed = match answer {
            // The statement can have been canceled. A COMMIT that is canceled while it waits for a synchronous standby
            // reports success, although the standby does not have it.
            Some(_) if self.lost.load(Ordering::Acquire) => {
                (StoreError::Unavailable("the connection was given up".into()), Some(Fault::Lost))
            }
            Some(Ok(answer)) => return Ok(answer),
            Some(Err(error)) => failure(&error),
            None => {
                // If earlier statements got results meanwhile, the host is slow, not unresponsive.
                if self.silence().length(Instant::now()) >= limit {
                    *self.last_silence.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                }
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

    /// Like [`Self::run`], with another time limit.
    pub(super) async fn run_within(&self, limit: Duration, sql: &str) -> Result<(), Failed> {
        self.answer_within(limit, self.client.batch_execute(sql)).await
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

    /// Sends the messages `before` and then a prepared statement, and returns the pending result. Dropping the result
    /// does not stop the statement.
    ///
    /// # Errors
    /// When sending fails.
    pub(super) async fn send(
        self: &Arc<Self>,
        before: Messages,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Sent, Failed> {
        let (connection, sql) = (Arc::clone(self), sql.to_owned());
        let params: Vec<Param<'static>> = params.iter().map(Param::to_owned).collect();
        let mut sent: Sent = Box::pin(async move {
            let changed = connection.change(&sql, &params);
            let (first, second) = tokio::join!(biased; connection.run_each(&before), changed);
            first.and(second.map(|_| ()))
        });
        // The first poll sends the messages: see `within`.
        match poll_fn(|cx| Poll::Ready(sent.as_mut().poll(cx))).await {
            Poll::Pending => Ok(sent),
            Poll::Ready(outcome) => outcome.map(|()| Box::pin(ready(Ok(()))) as Sent),
        }
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
