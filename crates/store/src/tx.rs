//! A connection inside a transaction, or reading outside of one. Every query goes through it.
//!
//! The methods are `async` for PostgreSQL. SQLite has the result when the call returns, so a future that awaits only
//! these methods is ready at its first poll. PostgreSQL's futures are large and boxed here, so that those of SQLite,
//! which contain them, are small: each request copies its futures several times.

use rusqlite::Connection;
use tenantry_core::ids::OrganizationId;

use crate::error::unexpected;
use crate::postgres::session::Session;
use crate::postgres::values as postgres;
use crate::row::Row;
use crate::signals::Changes;
use crate::slow_sql::{Timed, timed};
use crate::sqlite::driver as sqlite;
use crate::value::Param;
use crate::{StoreError, Vault};

enum Engine<'c> {
    Sqlite(&'c mut Connection),
    Postgres(Session<'c>),
}

/// The database as the operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseFacts {
    /// The name of the engine.
    pub engine: &'static str,
    /// Its version.
    pub version: String,
    /// The size of the data. With Citus, that of the coordinator alone.
    pub bytes: u64,
}

/// The database as one use case sees it.
pub struct Tx<'c> {
    engine: Engine<'c>,
    vault: Option<&'c dyn Vault>,
    changes: Changes,
    is_caller_verified: bool,
}

impl<'c> Tx<'c> {
    pub(crate) fn sqlite(connection: &'c mut Connection, vault: Option<&'c dyn Vault>) -> Self {
        Self {
            engine: Engine::Sqlite(connection),
            vault,
            changes: Changes::default(),
            is_caller_verified: false,
        }
    }

    pub(crate) fn postgres(session: Session<'c>, vault: Option<&'c dyn Vault>) -> Self {
        Self {
            engine: Engine::Postgres(session),
            vault,
            changes: Changes::default(),
            is_caller_verified: false,
        }
    }

    /// The vault of the store.
    pub(crate) fn vault(&self) -> Result<&'c dyn Vault, StoreError> {
        self.vault.ok_or_else(|| unexpected("the store has no vault"))
    }

    /// Records that this transaction may revoke a right of a credential.
    pub(crate) fn mark_credentials_changed(&mut self) {
        self.changes.credentials = true;
    }

    /// Whether this use case may have revoked a right of a credential.
    #[must_use]
    pub const fn changes_credentials(&self) -> bool {
        self.changes.credentials
    }

    /// Records that the use case has read its caller's rights again, after it locked what it changes and before it
    /// changed anything. What the caller loses from then on, the use case itself takes.
    pub const fn mark_caller_verified(&mut self) {
        self.is_caller_verified = true;
    }

    /// Whether [`Tx::mark_caller_verified`] was called.
    #[must_use]
    pub const fn is_caller_verified(&self) -> bool {
        self.is_caller_verified
    }

    /// Whether no other transaction can commit while this one runs.
    #[must_use]
    pub const fn is_exclusive(&self) -> bool {
        matches!(self.engine, Engine::Sqlite(_))
    }

    /// Records that this transaction leaves webhooks of an organization to deliver.
    pub(crate) fn mark_webhooks_due(&mut self, organization: OrganizationId) {
        self.changes.webhooks.add(organization);
    }

    /// Records that this transaction leaves work on an import of an organization.
    pub(crate) fn mark_import_due(&mut self, organization: OrganizationId) {
        self.changes.imports.add(organization);
    }

    /// Records that this transaction leaves mails of an account to send.
    pub(crate) fn mark_mail_due(&mut self, account: OrganizationId) {
        self.changes.mail.add(account);
    }

    pub(crate) const fn changes(&self) -> Changes {
        self.changes
    }

    /// All rows of a result, each through `map`.
    pub(crate) async fn all<T>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        mut map: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        #[cfg(test)]
        crate::plan_tests::record(sql, params);
        let mut found = Vec::new();
        match &mut self.engine {
            Engine::Sqlite(connection) => {
                let _timed = Timed::start(sql);
                sqlite::rows(connection, sql, params, |row| {
                    found.push(map(&Row::Sqlite(row))?);
                    Ok(true)
                })?;
            }
            Engine::Postgres(session) => {
                for row in Box::pin(timed(sql, session.rows(sql, params))).await? {
                    found.push(map(&Row::Postgres(&row))?);
                }
            }
        }
        Ok(found)
    }

    /// The first row of a result, if there is one.
    pub(crate) async fn first<T>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        map: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        #[cfg(test)]
        crate::plan_tests::record(sql, params);
        match &mut self.engine {
            Engine::Sqlite(connection) => {
                let (mut found, mut map) = (None, Some(map));
                let _timed = Timed::start(sql);
                sqlite::rows(connection, sql, params, |row| {
                    found = map.take().map(|map| map(&Row::Sqlite(row))).transpose()?;
                    Ok(false)
                })?;
                Ok(found)
            }
            Engine::Postgres(session) => {
                let rows = Box::pin(timed(sql, session.rows(sql, params))).await?;
                rows.first().map(|row| map(&Row::Postgres(row))).transpose()
            }
        }
    }

    /// The faults that SQLite finds in its file and its foreign keys. None for PostgreSQL, whose server
    /// checks its own files.
    pub(crate) async fn file_faults(&mut self) -> Result<Vec<String>, StoreError> {
        if matches!(self.engine, Engine::Postgres(_)) {
            return Ok(Vec::new());
        }
        let mut found = self.all("PRAGMA integrity_check", &[], |row| row.get::<String>(0)).await?;
        found.retain(|message| message != "ok");
        let dangling = self.all("PRAGMA foreign_key_check", &[], |row| {
            let (table, parent) = (row.get::<String>(0)?, row.get::<String>(2)?);
            Ok(format!("a row of {table} refers to a row of {parent} that does not exist"))
        });
        found.extend(dangling.await?);
        Ok(found)
    }

    /// The engine, its version, and the size of the database.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn database(&mut self) -> Result<DatabaseFacts, StoreError> {
        let (engine, version, bytes) = match self.engine {
            Engine::Sqlite(_) => (
                "SQLite",
                "SELECT sqlite_version()",
                "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
            ),
            Engine::Postgres(_) => (
                "PostgreSQL",
                "SELECT current_setting('server_version')",
                "SELECT pg_database_size(current_database())",
            ),
        };
        let version = self.first(version, &[], |row| row.get::<String>(0)).await?.unwrap_or_default();
        let bytes = self.first(bytes, &[], |row| row.get::<i64>(0)).await?.unwrap_or_default();
        Ok(DatabaseFacts { engine, version, bytes: u64::try_from(bytes).unwrap_or(0) })
    }

    /// Announces a query that the use case is going to run after its next one, before it changes anything. PostgreSQL
    /// gets both at once, which saves a round trip. On SQLite this does nothing.
    pub(crate) fn ask_ahead(&mut self, sql: &str, params: &[Param<'_>]) {
        if let Engine::Postgres(session) = &mut self.engine {
            session.ask_ahead(sql, params);
        }
    }

    /// Changes rows; returns how many. Fails outside of a transaction.
    pub(crate) async fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<usize, StoreError> {
        #[cfg(test)]
        crate::plan_tests::record(sql, params);
        match &mut self.engine {
            Engine::Sqlite(connection) => {
                let _timed = Timed::start(sql);
                sqlite::execute(connection, sql, params)
            }
            Engine::Postgres(session) => Box::pin(timed(sql, session.execute(sql, params))).await,
        }
    }

    /// Changes rows without waiting for the result on PostgreSQL. Where the change fails, the use case runs
    /// again and waits for every result, so that the failure is reported here.
    pub(crate) async fn execute_unawaited(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<(), StoreError> {
        #[cfg(test)]
        crate::plan_tests::record(sql, params);
        match &mut self.engine {
            Engine::Sqlite(connection) => {
                let _timed = Timed::start(sql);
                sqlite::execute(connection, sql, params).map(|_| ())
            }
            Engine::Postgres(session) => Box::pin(session.execute_unawaited(sql, params)).await,
        }
    }

    /// Makes PostgreSQL gather the statistics of a table. SQLite uses none: see `sqlite::driver`.
    pub(crate) async fn analyze(&mut self, table: &str) -> Result<(), StoreError> {
        match &mut self.engine {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(session) => session.execute_unawaited(&format!("ANALYZE {table}"), &[]).await,
        }
    }

    /// The clause that locks the rows of a `SELECT` until the transaction ends.
    pub(crate) const fn for_update(&self) -> &'static str {
        match &self.engine {
            Engine::Sqlite(_) => sqlite::FOR_UPDATE,
            Engine::Postgres(session) => session.for_update(),
        }
    }

    /// The clause that locks the rows of a `SELECT` until the transaction ends, also against [`Self::for_key_share`].
    pub(crate) const fn for_exclusive_update(&self) -> &'static str {
        match &self.engine {
            Engine::Sqlite(_) => sqlite::FOR_UPDATE,
            Engine::Postgres(session) => session.for_exclusive_update(),
        }
    }

    /// The clause that keeps the rows of a `SELECT` from being deleted or locked by [`Self::for_exclusive_update`]
    /// until the transaction ends. Any number of transactions can hold it at once.
    pub(crate) const fn for_key_share(&self) -> &'static str {
        match &self.engine {
            Engine::Sqlite(_) => sqlite::FOR_UPDATE,
            Engine::Postgres(session) => session.for_key_share(),
        }
    }

    /// The bucket of each counter that this transaction adds to, below [`crate::schema::BUCKETS`]. SQLite has one
    /// writer.
    pub(crate) const fn bucket(&self) -> i64 {
        match &self.engine {
            Engine::Sqlite(_) => 0,
            Engine::Postgres(session) => session.bucket(),
        }
    }

    /// The clause that locks the rows of a `SELECT` and leaves out those that another transaction has locked.
    pub(crate) const fn for_update_skip_locked(&self) -> &'static str {
        match &self.engine {
            Engine::Sqlite(_) => sqlite::FOR_UPDATE,
            Engine::Postgres(session) => session.for_update_skip_locked(),
        }
    }

    /// The expression for the hexadecimal digits of an id, in capitals and without hyphens.
    pub(crate) fn id_digits(&self, column: &str) -> String {
        match &self.engine {
            Engine::Sqlite(_) => sqlite::id_digits(column),
            Engine::Postgres(_) => postgres::id_digits(column),
        }
    }

    /// Begins a savepoint: the changes after it can be rolled back alone. Savepoints do not nest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_savepoint(&mut self) -> Result<(), StoreError> {
        match &mut self.engine {
            Engine::Sqlite(connection) => {
                sqlite::execute(connection, "SAVEPOINT use_case_part", &[]).map(|_| ())
            }
            Engine::Postgres(session) => session.begin_savepoint(),
        }
    }

    /// Ends the savepoint: keeps its changes, or rolls them back. After a failed query they can only be rolled
    /// back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_savepoint(&mut self, keep: bool) -> Result<(), StoreError> {
        match &mut self.engine {
            Engine::Sqlite(connection) => {
                if !keep {
                    sqlite::execute(connection, "ROLLBACK TO use_case_part", &[])?;
                }
                sqlite::execute(connection, "RELEASE use_case_part", &[]).map(|_| ())
            }
            Engine::Postgres(session) => Box::pin(session.end_savepoint(keep)).await,
        }
    }
}
