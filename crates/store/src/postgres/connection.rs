//! One connection to the database, with the statements that are prepared on it.

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
use super::limits::{ANSWER, CANCEL_AGAIN, HOST, IDLE_MS, LOCK_MS, STATEMENT_MS, STATEMENTS};
use super::reach::Carrier;
use super::silence::Silence;
use super::target::{Target, described};
use super::values::{Fault, failure, is_outdated, type_of};
use crate::StoreError;
use crate::value::Param;

/// Why a request to the database failed, and what that leaves of the connection.
pub(super) type Failed = (StoreError, Option<Fault>);
/// The answer to a statement that is on its way.
pub(super) type Sent = Pin<Box<dyn Future<Output = Result<(), Failed>> + Send>>;
/// What goes before a statement, in this order; nothing where it is empty.
pub(super) type Messages = [String; 3];

/// Settings that make a plan right for a table of any size. A statement is planned once, perhaps while its table is
/// empty, and its plan must hold when the table has grown. So a sequential scan is the last resort: every query of a
/// request has an index. Without its cost nothing reaches the threshold of the just-in-time compiler but such a scan.
pub(crate) const PLANNING: &str = "SET enable_seqscan = off; SET jit = off;";

/// A connection. Several may ask at once: the questions follow each other without waiting for answers.
pub(super) struct Connection {
    client: Client,
    /// Nothing where a pooler may hand the next transaction to another connection.
    statements: Option<Mutex<LruCache<String, Statement>>>,
    /// Whether the database has the extension Citus.
    is_spread: bool,
    /// Whether it was given up.
    lost: AtomicBool,
    /// Tells whoever carries its questions so.
    give_up: Mutex<Option<oneshot::Sender<()>>>,
    answer: Duration,
    runtime: Handle,
    opened: Instant,
    /// Here alone.
    silence: Mutex<Silence>,
    /// [`Target::silence`].
    last_silence: Arc<Mutex<Option<Instant>>>,
}

/// The outcome of `work`, unless it takes longer than `limit`. The clock is that of `runtime`: whoever waits
/// need not have one. The work stands first: what is asked goes out when it is first polled.
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

/// Carries questions and answers until the client is dropped and has no answer to come, or the connection is
/// given up. The database would not notice by itself that nobody listens any more: it is told to stop what is
/// under way. It stays connected until it has answered, for a while, as a pooler stops nothing for who is gone.
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
    // Whoever began to tell a pooler to stop has to hear it out. The next question is stopped by itself.
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

/// Who waits for an answer, or does so no more.
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
            answer: ANSWER,
            runtime: runtime.clone(),
            opened: Instant::now(),
            silence: Mutex::default(),
            last_silence: Arc::clone(&target.silence),
        };
        // Over one connection to each worker a transaction sees what it changed there, and one moment. A
        // PostgreSQL without Citus takes the setting and knows nothing of it.
        let settings = format!(
            "SET statement_timeout = {STATEMENT_MS}; SET lock_timeout = {LOCK_MS};
             SET idle_in_transaction_session_timeout = {IDLE_MS};
             {PLANNING}
             SET citus.max_adaptive_executor_pool_size = 1;"
        );
        let look = "SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'citus'";
        let look = if target.pooled { look.to_owned() } else { format!("{settings} {look}") };
        let found = opened.answer(opened.client.simple_query(&look)).await.map_err(|(error, _)| error)?;
        opened.is_spread = found.iter().any(|message| matches!(message, SimpleQueryMessage::Row(_)));
        Ok(opened)
    }

    /// Has the database take as long as that to answer.
    pub(super) fn answers_within(self, answer: Duration) -> Self {
        Self { answer, ..self }
    }

    /// Whether it can still be asked. One that has not answered for long cannot, though whoever asked may be
    /// gone by now; nor can one that is older than another's silence: both may lead to a host that hangs.
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

    fn silence(&self) -> MutexGuard<'_, Silence> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what is set on it stays.
    pub(super) const fn is_pooled(&self) -> bool {
        self.statements.is_none()
    }

    /// Whether the rows that it changes may lie on other nodes, which do not have its settings.
    pub(super) const fn is_spread(&self) -> bool {
        self.is_spread
    }

    /// Ends it, whatever is under way. Who waits for an answer is told once the database has stopped, and soon
    /// where it says nothing.
    pub(super) fn give_up(&self) {
        self.lost.store(true, Ordering::Release);
        if let Some(give_up) = self.give_up.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Nobody hears it where the connection has ended by itself.
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
            // Of a question that was stopped, perhaps: a commit is then told to be done that nobody else has.
            Some(_) if self.lost.load(Ordering::Acquire) => {
                (StoreError::Unavailable("the connection was given up".into()), Some(Fault::Lost))
            }
            Some(Ok(answer)) => return Ok(answer),
            Some(Err(error)) => failure(&error),
            None => {
                // Who was answered meanwhile stood before this one: the host is slow, not silent.
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

    /// Runs messages of statements without parameters, sending all before any is answered.
    pub(super) async fn run_each(&self, messages: &Messages) -> Result<(), Failed> {
        let [first, second, third] = messages;
        let run = async |message: &str| if message.is_empty() { Ok(()) } else { self.run(message).await };
        let (first, second, third) = tokio::join!(biased; run(first), run(second), run(third));
        first.and(second).and(third)
    }

    /// Runs statements without parameters and answers.
    pub(super) async fn run(&self, sql: &str) -> Result<(), Failed> {
        self.answer(self.client.batch_execute(sql)).await
    }

    /// The same for statements that may take as long as that.
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

    /// Whether a statement can be sent without a question before it.
    pub(super) fn is_prepared(&self, sql: &str) -> bool {
        let known = |statements: &Mutex<LruCache<String, _>>| {
            statements.lock().unwrap_or_else(PoisonError::into_inner).contains(sql)
        };
        self.statements.as_ref().is_none_or(known)
    }

    /// Sends a statement that is prepared, after others without parameters. What is answered need not be
    /// looked at.
    ///
    /// # Errors
    /// When it cannot be sent.
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
        // It goes out when it is first asked how it went: see `within`.
        match poll_fn(|cx| Poll::Ready(sent.as_mut().poll(cx))).await {
            Poll::Pending => Ok(sent),
            Poll::Ready(outcome) => outcome.map(|()| Box::pin(ready(Ok(()))) as Sent),
        }
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
            statements.lock().unwrap_or_else(PoisonError::into_inner).pop(sql);
        }
        answer
    }

    /// A statement as the connection has it, at the price of a question the first time; nothing where nothing
    /// is prepared.
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
        // Lists have many shapes: those that are shown rarely push out one another.
        statements.lock().unwrap_or_else(PoisonError::into_inner).put(sql.to_owned(), statement.clone());
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
