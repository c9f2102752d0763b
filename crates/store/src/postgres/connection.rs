//! One connection to the database, with the statements that are prepared on it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, SimpleQueryMessage, Statement};

use super::limits::{ANSWER, CONNECT, IDLE_MS, LOCK_MS, STATEMENT_MS, STATEMENTS};
use super::target::{Target, described};
use super::tls::Tls;
use super::values::{Fault, failure, is_outdated, type_of};
use crate::StoreError;
use crate::sql::Param;

/// Why a request to the database failed, and what that leaves of the connection.
pub(super) type Failed = (StoreError, Option<Fault>);

/// A connection. Several may ask at once: the questions follow each other without waiting for answers.
pub(super) struct Connection {
    client: Client,
    /// Nothing where a pooler may hand the next transaction to another connection.
    statements: Option<Mutex<HashMap<String, Statement>>>,
    /// Whether the database has the extension Citus.
    spread: bool,
    lost: AtomicBool,
    answer: Duration,
    runtime: Handle,
}

/// The outcome of `work`, unless it takes longer than `limit`. The clock is that of `runtime`: whoever waits
/// need not have one.
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

impl Connection {
    /// Connects. The work is done in `runtime`, whoever asks.
    pub(super) async fn open(runtime: &Handle, target: &Target) -> Result<Self, StoreError> {
        let (target, inner) = (target.clone(), runtime.clone());
        let opened = runtime.spawn(async move {
            tokio::time::timeout(CONNECT * 2, Self::open_here(inner, &target)).await.unwrap_or_else(|_| {
                Err(StoreError::Unavailable(format!("{target}: connecting took too long")))
            })
        });
        opened.await.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
    }

    async fn open_here(runtime: Handle, target: &Target) -> Result<Self, StoreError> {
        let failed = |error: tokio_postgres::Error| {
            StoreError::Unavailable(format!("{target}: {}", described(&error)))
        };
        let (client, connection) = target.config.connect(Tls(target.tls.clone())).await.map_err(failed)?;
        // Ends by itself when the client is dropped.
        runtime.spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(error = described(&error), "a connection to the database ended");
            }
        });
        let (statements, settings) = if target.pooled {
            (None, String::new())
        } else {
            // Over one connection to each worker a transaction sees what it changed there, and one moment. A
            // PostgreSQL without Citus takes the setting and knows nothing of it.
            let settings = format!(
                "SET statement_timeout = {STATEMENT_MS}; SET lock_timeout = {LOCK_MS};
                 SET idle_in_transaction_session_timeout = {IDLE_MS};
                 SET citus.max_adaptive_executor_pool_size = 1;"
            );
            (Some(Mutex::default()), settings)
        };
        let look = format!("{settings} SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'citus'");
        let found = client.simple_query(&look).await.map_err(failed)?;
        let spread = found.iter().any(|message| matches!(message, SimpleQueryMessage::Row(_)));
        Ok(Self { client, statements, spread, lost: AtomicBool::new(false), answer: ANSWER, runtime })
    }

    /// Has the database take as long as that to answer.
    pub(super) fn answers_within(self, answer: Duration) -> Self {
        Self { answer, ..self }
    }

    /// Whether it can still be asked.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire) || self.client.is_closed()
    }

    /// Whether what is set on it stays.
    pub(super) const fn is_pooled(&self) -> bool {
        self.statements.is_none()
    }

    /// Whether the rows that it changes may lie on other nodes, which do not have its settings.
    pub(super) const fn is_spread(&self) -> bool {
        self.spread
    }

    pub(super) fn give_up(&self) {
        self.lost.store(true, Ordering::Release);
    }

    async fn answer<T>(
        &self,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failed> {
        let failed = match within(&self.runtime, self.answer, asked).await {
            Some(Ok(answer)) => return Ok(answer),
            Some(Err(error)) => failure(&error),
            None => {
                (StoreError::Unavailable("the database did not answer in time".into()), Some(Fault::Lost))
            }
        };
        if failed.1 == Some(Fault::Lost) {
            self.give_up();
        }
        Err(failed)
    }

    /// Runs statements without parameters and answers.
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

    /// Forgets a statement that a migration put out of use: it is prepared anew when it is next needed.
    fn look_at<T>(
        &self,
        sql: &str,
        answer: Result<T, tokio_postgres::Error>,
    ) -> Result<T, tokio_postgres::Error> {
        if let (Err(error), Some(statements)) = (&answer, &self.statements)
            && is_outdated(error)
        {
            statements.lock().unwrap_or_else(PoisonError::into_inner).remove(sql);
        }
        answer
    }

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
        let mut known = statements.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= STATEMENTS {
            known.clear();
        }
        known.insert(sql.to_owned(), statement.clone());
        Ok(Some(statement))
    }
}

/// `$1` for `?1`.
fn numbered(sql: &str) -> String {
    sql.replace('?', "$")
}

fn values<'a>(params: &'a [Param<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    params.iter().map(|param| param as &(dyn ToSql + Sync)).collect()
}

fn typed<'a>(params: &'a [Param<'_>]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    params.iter().map(|param| (param as &(dyn ToSql + Sync), type_of(param))).collect()
}
