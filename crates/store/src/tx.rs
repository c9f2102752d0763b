//! A connection inside a transaction, or reading outside of one: what every query goes through.
//!
//! The methods are `async` for the engine that answers over a network. SQLite's answers are there when the
//! call returns, so a future made of them alone never waits.

use rusqlite::Connection;

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

/// The database as one operation sees it.
pub struct Tx<'c> {
    connection: &'c mut Connection,
    vault: Option<&'c dyn Vault>,
    touched: Touched,
}

impl<'c> Tx<'c> {
    pub(crate) fn sqlite(connection: &'c mut Connection, vault: Option<&'c dyn Vault>) -> Self {
        Self { connection, vault, touched: Touched::default() }
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
        let connection = &*self.connection;
        let mut statement =
            connection.prepare_cached(sql).map_err(|error| sqlite::failure(connection, error))?;
        let mut rows = statement
            .query(rusqlite::params_from_iter(params))
            .map_err(|error| sqlite::failure(connection, error))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(|error| sqlite::failure(connection, error))? {
            found.push(map(&Row(row))?);
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
        let connection = &*self.connection;
        let mut statement =
            connection.prepare_cached(sql).map_err(|error| sqlite::failure(connection, error))?;
        let mut rows = statement
            .query(rusqlite::params_from_iter(params))
            .map_err(|error| sqlite::failure(connection, error))?;
        let row = rows.next().map_err(|error| sqlite::failure(connection, error))?;
        row.map(|row| map(&Row(row))).transpose()
    }

    /// Changes rows; answers how many. Outside of a transaction nothing is changed.
    pub(crate) async fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<usize, StoreError> {
        let connection = &*self.connection;
        sqlite::in_transaction(connection)?;
        let mut statement =
            connection.prepare_cached(sql).map_err(|error| sqlite::failure(connection, error))?;
        statement
            .execute(rusqlite::params_from_iter(params))
            .map_err(|error| sqlite::failure(connection, error))
    }

    /// What makes a `SELECT` hold the rows it found until the transaction ends.
    pub(crate) const fn for_update(&self) -> &'static str {
        sqlite::FOR_UPDATE
    }

    /// What makes the hexadecimal digits of an id, in capitals and without hyphens.
    pub(crate) fn id_digits(&self, column: &str) -> String {
        sqlite::id_digits(column)
    }

    /// Begins a part of the transaction that can be undone alone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_part(&mut self) -> Result<(), StoreError> {
        self.execute("SAVEPOINT part", &[]).await.map(|_| ())
    }

    /// Ends the part: keeps its changes, or undoes them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_part(&mut self, keep: bool) -> Result<(), StoreError> {
        if !keep {
            self.execute("ROLLBACK TO part", &[]).await?;
        }
        self.execute("RELEASE part", &[]).await.map(|_| ())
    }
}
