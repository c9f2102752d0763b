//! Connections to the file, and the conversion of values to and from SQLite.
//!
//! Query plans never depend on statistics. The store gathers none, and opening a database deletes those that another
//! program gathered ([`delete_statistics`]). Nor do they depend on parameters, so that a statement is prepared once
//! ([`connect`]).

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql};

use crate::StoreError;
use crate::error::unexpected;
use crate::value::{Param, Value};

/// Empty: with a single writer, a `SELECT` needs no row locks.
pub(crate) const FOR_UPDATE: &str = "";

/// The capacity of a connection's cache of prepared statements.
const STATEMENTS: usize = 256;
/// The time that a connection waits for a lock of another process, such as an operator's command.
const BUSY: Duration = Duration::from_secs(30);
/// The pause before the log mode is set again.
const WAL_RETRY: Duration = Duration::from_millis(5);
/// The page cache of a connection, in KiB.
const CACHE_KIB: i32 = 65_536;

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null(_) => ValueRef::Null,
            Self::Bool(value) => ValueRef::Integer(i64::from(*value)),
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::OwnedText(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
            Self::OwnedBytes(bytes) => ValueRef::Blob(bytes),
            Self::Id(id) => ValueRef::Blob(id.as_bytes()),
        }))
    }
}

/// The value of a column, counted from 0.
pub(crate) fn value<'a>(row: &'a rusqlite::Row<'a>, index: usize) -> Result<Value<'a>, StoreError> {
    Ok(match row.get_ref(index).map_err(unexpected)? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Int(value),
        ValueRef::Text(text) => Value::Text(std::str::from_utf8(text).map_err(unexpected)?),
        ValueRef::Blob(bytes) => Value::Bytes(bytes),
        ValueRef::Real(_) => return Err(unexpected(format!("column {index} holds a fraction"))),
    })
}

/// Opens a connection. A new file is readable and writable by its owner alone.
pub(super) fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    if flags.contains(OpenFlags::SQLITE_OPEN_CREATE) {
        // SQLite gives the log the same mode. If the path is wrong, SQLite reports it when it opens the file.
        drop(OpenOptions::new().write(true).create_new(true).mode(0o600).open(path));
    }
    let connect = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        // Without this guarantee SQLite compares parameters with the conditions of partial indexes, and prepares the
        // statement again whenever such a parameter changes.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        enable_wal(&connection)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // The checkpoint thread does it.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(connection)
    };
    connect().map_err(|error| StoreError::Unavailable(format!("{}: {error}", path.display())))
}

/// Switches the file to a write-ahead log. SQLite does not wait while another process switches the same new file, so
/// this tries again for as long as a connection waits for any other lock.
fn enable_wal(connection: &Connection) -> rusqlite::Result<()> {
    let begun = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && begun.elapsed() < BUSY =>
            {
                thread::sleep(WAL_RETRY);
            }
            outcome => return outcome,
        }
    }
}

/// Passes each row of a result to `take`, until `take` returns false.
pub(crate) fn rows(
    connection: &Connection,
    sql: &str,
    params: &[Param<'_>],
    mut take: impl FnMut(&rusqlite::Row<'_>) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(|error| failure(connection, error))?;
    let mut rows =
        statement.query(rusqlite::params_from_iter(params)).map_err(|error| failure(connection, error))?;
    while let Some(row) = rows.next().map_err(|error| failure(connection, error))? {
        if !take(row)? {
            break;
        }
    }
    Ok(())
}

/// Executes a statement and returns the number of changed rows. Fails outside a transaction.
pub(crate) fn execute(connection: &Connection, sql: &str, params: &[Param<'_>]) -> Result<usize, StoreError> {
    require_transaction(connection)?;
    let mut statement = connection.prepare_cached(sql).map_err(|error| failure(connection, error))?;
    statement.execute(rusqlite::params_from_iter(params)).map_err(|error| failure(connection, error))
}

/// The SQL expression for an id's hexadecimal digits in upper case.
pub(crate) fn id_digits(column: &str) -> String {
    format!("hex({column})")
}

/// Fails if the transaction has ended. On a full or failing disk SQLite rolls back the whole transaction, not only the
/// failed statement. A later statement or savepoint would then run in a transaction of its own.
pub(super) fn require_transaction(connection: &Connection) -> Result<(), StoreError> {
    if connection.is_autocommit() {
        return Err(StoreError::Unavailable("the transaction has ended, as after a full disk".into()));
    }
    Ok(())
}

/// Converts an SQLite error. A violated constraint is reported by name.
pub(super) fn failure(connection: &Connection, error: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode;
    let rusqlite::Error::SqliteFailure(code, Some(message)) = &error else { return unexpected(error) };
    match code.code {
        ErrorCode::ConstraintViolation => StoreError::Violated(constraint_name(connection, message)),
        ErrorCode::OperationInterrupted => StoreError::Unavailable("it took too long".into()),
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::DiskFull
        | ErrorCode::SystemIoFailure => StoreError::Unavailable(error.to_string()),
        _ => unexpected(error),
    }
}

/// The name of the constraint in an error message. SQLite names the columns of a violated index, not the index, so
/// this looks it up. The index of a primary key has lost its declared name, which is `<table>_pkey`. A violated
/// foreign key has no name at all.
fn constraint_name(connection: &Connection, message: &str) -> String {
    let Some((_, columns)) = message.split_once("UNIQUE constraint failed: ") else {
        return message.rsplit(": ").next().unwrap_or(message).to_owned();
    };
    let named: Vec<(&str, &str)> = columns.split(", ").filter_map(|column| column.split_once('.')).collect();
    let Some((table, _)) = named.first() else { return columns.to_owned() };
    let names: Vec<&str> = named.iter().map(|(_, column)| *column).collect();
    let found = connection.query_row(
        "SELECT CASE WHEN list.origin = 'pk' THEN ?1 || '_pkey' ELSE list.name END
         FROM pragma_index_list(?1) AS list
         WHERE list.\"unique\" AND (SELECT group_concat(info.name, ',') FROM pragma_index_info(list.name) AS info) = ?2",
        (table, names.join(",")),
        |row| row.get::<_, String>(0),
    );
    found.unwrap_or_else(|_| columns.to_owned())
}

/// Deletes the statistics that `ANALYZE` left, before another connection reads them.
pub(super) fn delete_statistics(connection: &Connection) -> Result<(), StoreError> {
    let delete = || -> rusqlite::Result<()> {
        for table in ["sqlite_stat1", "sqlite_stat4"] {
            if connection.table_exists(None, table)? {
                connection.execute_batch(&format!("DROP TABLE {table}"))?;
            }
        }
        Ok(())
    };
    delete().map_err(|error| failure(connection, error))
}
