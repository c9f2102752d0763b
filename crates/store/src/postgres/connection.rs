//! One connection to the database, with its prepared statements.
//!
//! Statements are sent in flights: all statements of a flight are sent before a result is awaited. A connection without
//! a result for [`ANSWER`] is abandoned, because a stopped server neither closes connections nor obeys its own
//! timeouts.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use lru::LruCache;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, SimpleQueryMessage, Statement};

use super::faults::{Failed, Fault, failure, is_outdated};
use super::limits::{ANSWER, HOST, STATEMENTS, Timeouts, WHOLE_TABLE_ANSWER, WORKER_CONNECT_MS};
use super::reach::Connected;
use super::target::{Target, described};
use super::tls::Tls;
use super::values::{type_of, value};
use crate::StoreError;
use crate::value::{Param, Value};

/// Planner settings that suit a table of any size. A statement can be planned while its table is empty, and the plan
/// is kept when the table grows. Every query of a request has an index, so sequential scans are disabled. Sorts are
/// disabled, so that a page comes in the order of its index: without statistics, reading and sorting all rows of the
/// tenant seems cheaper. This adds a high cost to the remaining scans and sorts, which would trigger the just-in-time
/// compiler, so that is disabled too.
pub(crate) const PLANNING: &str = "SET enable_seqscan = off; SET enable_sort = off; SET jit = off;";

/// One message to the database, with SQL that has the placeholders `?1`, `?2`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step<'a> {
    /// Any number of statements without parameters and results.
    Plain(Cow<'a, str>),
    /// A statement that returns rows.
    Query(Cow<'a, str>, Vec<Param<'a>>),
    /// A statement that changes rows.
    Change(Cow<'a, str>, Vec<Param<'a>>),
}

impl Step<'_> {
    pub(super) fn into_owned(self) -> Step<'static> {
        let all = |params: Vec<Param<'_>>| params.iter().map(Param::to_owned).collect();
        match self {
            Self::Plain(sql) => Step::Plain(sql.into_owned().into()),
            Self::Query(sql, params) => Step::Query(sql.into_owned().into(), all(params)),
            Self::Change(sql, params) => Step::Change(sql.into_owned().into(), all(params)),
        }
    }
}

/// The result of a step.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub(super) rows: Vec<Row>,
    pub(super) changed: u64,
}

/// A connection. Several callers can use it at once: it carries out their statements one after another.
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
    /// [`Target::generation`], and its value when this connection was opened.
    generation: (Arc<AtomicU64>, u64),
}

impl Connection {
    /// Connects, from inside `runtime`.
    pub(super) async fn open(
        runtime: &Handle,
        target: &Target,
        timeouts: Timeouts,
    ) -> Result<Self, StoreError> {
        let Connected { client, carrier, generation } = target.connect().await?;
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
            generation: (Arc::clone(&target.generation), generation),
        };
        // With a single connection to each Citus worker, a transaction sees its own changes and one snapshot there.
        // PostgreSQL without Citus accepts the setting and ignores it.
        let settings = format!(
            "{}; {PLANNING}
             SET citus.max_adaptive_executor_pool_size = 1;
             SET citus.node_connection_timeout = {WORKER_CONNECT_MS};",
            timeouts.settings("SET")
        );
        let look = "SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'citus'";
        let look = if target.pooled { look.to_owned() } else { format!("{settings} {look}") };
        let found =
            opened.in_time(opened.client.simple_query(&look)).await?.map_err(|error| failure(&error).0)?;
        opened.is_spread = found.iter().any(|message| matches!(message, SimpleQueryMessage::Row(_)));
        Ok(opened)
    }

    /// The same connection for statements that work on whole tables.
    pub(super) fn for_whole_tables(self) -> Self {
        Self { answer: WHOLE_TABLE_ANSWER, ..self }
    }

    /// Whether the connection must not be used again.
    ///
    /// It must not be used after it was closed or abandoned, or when no result has arrived for too long, even if the
    /// callers have stopped waiting. The same holds if another connection was abandoned for this reason after this one
    /// was opened, because both can lead to the same unresponsive host, or if a later one led to another host.
    pub(super) fn is_lost(&self) -> bool {
        let asked = *self.asked();
        if asked.is_some_and(|asked| asked.elapsed() > self.answer) {
            self.give_up();
        }
        let (generation, when_opened) = &self.generation;
        self.lost.load(Ordering::Acquire)
            || self.client.is_closed()
            || generation.load(Ordering::Acquire) != *when_opened
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

    fn asked(&self) -> MutexGuard<'_, Option<Instant>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The output of `work`, which waits for results. Abandons the connection if none arrives in time.
    async fn in_time<T>(&self, work: impl Future<Output = T>) -> Result<T, StoreError> {
        self.asked().get_or_insert_with(Instant::now);
        // The caller's runtime may have no timer.
        let late = {
            let _inside = self.runtime.enter();
            tokio::time::sleep(self.answer)
        };
        let done = tokio::select! {
            biased;
            done = work => Some(done),
            () = late => None,
        };
        if self.lost.load(Ordering::Acquire) {
            return Err(StoreError::Unavailable("the connection was given up".into()));
        }
        if done.is_some() {
            *self.asked() = None;
        } else {
            self.generation.0.fetch_add(1, Ordering::AcqRel);
            self.give_up();
        }
        done.ok_or_else(|| StoreError::Unavailable("the database did not answer in time".into()))
    }

    /// Sends all steps and returns their replies, or the first step that failed. In a transaction, PostgreSQL refuses
    /// all steps after a failed one.
    pub(super) async fn flight(&self, steps: &[Step<'_>]) -> Result<Vec<Reply>, (usize, Failed)> {
        let flown = self.in_time(async {
            let mut prepared = Vec::with_capacity(steps.len());
            for (index, step) in steps.iter().enumerate() {
                prepared.push(self.prepared(step).await.map_err(|error| (index, error))?);
            }
            // Up to 30 futures are polled in their order, and the first poll sends a statement.
            let replies =
                join_all(steps.iter().zip(prepared).map(|(step, known)| self.send(step, known))).await;
            let numbered = replies.into_iter().enumerate();
            numbered
                .map(|(index, reply)| reply.map_err(|error| (index, error)))
                .collect::<Result<Vec<_>, _>>()
        });
        let (index, error) = match flown.await {
            Ok(Ok(replies)) => return Ok(replies),
            Ok(Err(failed)) => failed,
            Err(silent) => return Err((0, (silent, Some(Fault::Lost)))),
        };
        // The next use of a statement that a migration has invalidated prepares it again.
        if let (Some(Step::Query(sql, _) | Step::Change(sql, _)), Some(statements)) =
            (steps.get(index), &self.statements)
            && is_outdated(&error)
        {
            statements.lock().unwrap_or_else(PoisonError::into_inner).pop(sql.as_ref());
        }
        let failed = failure(&error);
        if failed.1 == Some(Fault::Lost) {
            self.give_up();
        }
        Err((index, failed))
    }

    async fn one(&self, step: Step<'_>) -> Result<Reply, Failed> {
        let mut replies = self.flight(&[step]).await.map_err(|(_, failed)| failed)?;
        Ok(replies.pop().unwrap_or_default())
    }

    /// Runs statements without parameters and results.
    pub(super) async fn run(&self, sql: &str) -> Result<(), Failed> {
        self.one(Step::Plain(sql.into())).await.map(|_| ())
    }

    pub(super) async fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Failed> {
        Ok(self.one(Step::Query(sql.into(), params.to_vec())).await?.rows)
    }

    /// The number in the first column of the first row.
    pub(super) async fn number(&self, sql: &str, params: &[Param<'_>]) -> Result<Option<i64>, Failed> {
        let rows = self.rows(sql, params).await?;
        let first = rows.first().map(|row| value(row, 0)).transpose()?;
        Ok(if let Some(Value::Int(number)) = first { Some(number) } else { None })
    }

    /// The text in the first column of the first row.
    pub(super) async fn text(&self, sql: &str) -> Result<Option<String>, Failed> {
        let rows = self.rows(sql, &[]).await?;
        let first = rows.first().map(|row| value(row, 0)).transpose()?;
        Ok(if let Some(Value::Text(text)) = first { Some(text.to_owned()) } else { None })
    }

    async fn send(&self, step: &Step<'_>, known: Option<Statement>) -> Result<Reply, tokio_postgres::Error> {
        let (rows, changed) = match (step, known) {
            (Step::Plain(sql), _) => (Vec::new(), self.client.batch_execute(sql).await.map(|()| 0)?),
            (Step::Query(_, params), Some(known)) => (self.client.query(&known, &values(params)).await?, 0),
            (Step::Query(sql, params), None) => {
                (self.client.query_typed(&numbered(sql), &typed(params)).await?, 0)
            }
            (Step::Change(_, params), Some(known)) => {
                (Vec::new(), self.client.execute(&known, &values(params)).await?)
            }
            (Step::Change(sql, params), None) => {
                (Vec::new(), self.client.execute_typed(&numbered(sql), &typed(params)).await?)
            }
        };
        Ok(Reply { rows, changed })
    }

    /// The prepared statement, from the cache or with one round trip. `None` behind a pooler.
    async fn prepared(&self, step: &Step<'_>) -> Result<Option<Statement>, tokio_postgres::Error> {
        let (Step::Query(sql, params) | Step::Change(sql, params)) = step else { return Ok(None) };
        let Some(statements) = &self.statements else { return Ok(None) };
        let statements = || statements.lock().unwrap_or_else(PoisonError::into_inner);
        let known = statements().get(sql.as_ref()).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let types: Vec<Type> = params.iter().map(type_of).collect();
        let statement = self.client.prepare_typed(&numbered(sql), &types).await?;
        // List queries have many texts. The cache evicts those that are used rarely.
        statements().put(sql.to_string(), statement.clone());
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
