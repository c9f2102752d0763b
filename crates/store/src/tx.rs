//! A connection inside a transaction, or reading outside of one: what every query goes through.
//!
//! The methods are `async` for the engine that answers over a network. SQLite's answers are there when the
//! call returns, so a future made of them alone never waits.

use rusqlite::Connection;

use crate::postgres::{self, Session};
use crate::sql::{Param, Row, unexpected};
use crate::sqlite;
use crate::{StoreError, Vault};

/// What others must hear of once a transaction is committed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Touched {
    /// A right may be gone from a credential.
    pub(crate) credentials: bool,
    /// A mail waits to be sent.
    pub(crate) mail: bool,
    /// It left something for the delivery of webhooks to do.
    pub(crate) webhooks: bool,
}

/// Where the queries go.
enum Engine<'c> {
    Sqlite(&'c mut Connection),
    Postgres(Session<'c>),
}

/// The database as one operation sees it.
pub struct Tx<'c> {
    engine: Engine<'c>,
    vault: Option<&'c dyn Vault>,
    touched: Touched,
}

impl<'c> Tx<'c> {
    pub(crate) fn sqlite(connection: &'c mut Connection, vault: Option<&'c dyn Vault>) -> Self {
        Self { engine: Engine::Sqlite(connection), vault, touched: Touched::default() }
    }

    pub(crate) fn postgres(session: Session<'c>, vault: Option<&'c dyn Vault>) -> Self {
        Self { engine: Engine::Postgres(session), vault, touched: Touched::default() }
    }

    /// What seals and opens.
    pub(crate) fn vault(&self) -> Result<&'c dyn Vault, StoreError> {
        self.vault.ok_or_else(|| unexpected("the store has no vault"))
    }

    /// Notes that this transaction may take a right away from a credential.
    pub(crate) fn touch_credentials(&mut self) {
        self.touched.credentials = true;
    }

    /// Notes that this transaction leaves webhooks to deliver.
    pub(crate) fn touch_webhooks(&mut self) {
        self.touched.webhooks = true;
    }

    /// Notes that this transaction leaves a mail to be sent.
    pub(crate) fn touch_mail(&mut self) {
        self.touched.mail = true;
    }

    pub(crate) const fn touched(&self) -> Touched {
        self.touched
    }

    /// All rows of an answer, each through `map`.
    pub(crate) async fn all<T>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        mut map: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        match &mut self.engine {
            Engine::Sqlite(connection) => sqlite::rows(connection, sql, params, |row| {
                found.push(map(&row)?);
                Ok(true)
            })?,
            Engine::Postgres(session) => {
                for row in session.rows(sql, params).await? {
                    found.push(map(&Row::Postgres(&row))?);
                }
            }
        }
        Ok(found)
    }

    /// The first row of an answer, if there is one.
    pub(crate) async fn first<T>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        map: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match &mut self.engine {
            Engine::Sqlite(connection) => {
                let (mut found, mut map) = (None, Some(map));
                sqlite::rows(connection, sql, params, |row| {
                    found = map.take().map(|map| map(&row)).transpose()?;
                    Ok(false)
                })?;
                Ok(found)
            }
            Engine::Postgres(session) => {
                let rows = session.rows(sql, params).await?;
                rows.first().map(|row| map(&Row::Postgres(row))).transpose()
            }
        }
    }

    /// What an engine finds wrong with its own file; one that looks after its files itself is not asked.
    pub(crate) async fn file_faults(&mut self) -> Result<Vec<String>, StoreError> {
        if matches!(self.engine, Engine::Postgres(_)) {
            return Ok(Vec::new());
        }
        let mut found = self.all("PRAGMA integrity_check", &[], |row| row.get::<String>(0)).await?;
        found.retain(|says| says != "ok");
        Ok(found)
    }

    /// Changes rows; answers how many. Outside of a transaction nothing is changed.
    pub(crate) async fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<usize, StoreError> {
        match &mut self.engine {
            Engine::Sqlite(connection) => sqlite::execute(connection, sql, params),
            Engine::Postgres(session) => session.execute(sql, params).await,
        }
    }

    /// Changes rows without a word about how many. An engine that answers over a network does not wait for the
    /// answer: where the change is refused, the operation runs again and is told here.
    pub(crate) async fn submit(&mut self, sql: &str, params: &[Param<'_>]) -> Result<(), StoreError> {
        match &mut self.engine {
            Engine::Sqlite(connection) => sqlite::execute(connection, sql, params).map(|_| ()),
            Engine::Postgres(session) => session.submit(sql, params).await,
        }
    }

    /// Has PostgreSQL look how a table's rows are spread, which it does by itself a minute after they came. SQLite
    /// plans without knowing that.
    pub(crate) async fn look_over(&mut self, table: &str) -> Result<(), StoreError> {
        match &mut self.engine {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(session) => session.submit(&format!("ANALYZE {table}"), &[]).await,
        }
    }

    /// What makes a `SELECT` hold the rows it found until the transaction ends.
    pub(crate) const fn for_update(&self) -> &'static str {
        match &self.engine {
            Engine::Sqlite(_) => sqlite::FOR_UPDATE,
            Engine::Postgres(session) => session.for_update(),
        }
    }

    /// The same for rows that nobody else holds; the others are not found.
    pub(crate) const fn for_update_of_free(&self) -> &'static str {
        match &self.engine {
            Engine::Sqlite(_) => sqlite::FOR_UPDATE,
            Engine::Postgres(session) => session.for_update_of_free(),
        }
    }

    /// What makes the hexadecimal digits of an id, in capitals and without hyphens.
    pub(crate) fn id_digits(&self, column: &str) -> String {
        match &self.engine {
            Engine::Sqlite(_) => sqlite::id_digits(column),
            Engine::Postgres(_) => postgres::id_digits(column),
        }
    }

    /// Begins a part of the transaction that can be undone alone. Parts do not nest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_savepoint(&mut self) -> Result<(), StoreError> {
        match &mut self.engine {
            Engine::Sqlite(connection) => sqlite::execute(connection, "SAVEPOINT part", &[]).map(|_| ()),
            Engine::Postgres(session) => session.begin_savepoint(),
        }
    }

    /// Ends the part: keeps its changes, or undoes them. A part in which a query failed can only be undone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_savepoint(&mut self, keep: bool) -> Result<(), StoreError> {
        match &mut self.engine {
            Engine::Sqlite(connection) => {
                if !keep {
                    sqlite::execute(connection, "ROLLBACK TO part", &[])?;
                }
                sqlite::execute(connection, "RELEASE part", &[]).map(|_| ())
            }
            Engine::Postgres(session) => session.end_savepoint(keep),
        }
    }
}
