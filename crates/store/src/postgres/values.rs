//! The conversion of values to and from PostgreSQL, and of its errors.

use std::error::Error;

use tokio_postgres::Row;
use tokio_postgres::error::{DbError, Severity, SqlState};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::target::described;
use super::violations;
use crate::StoreError;
use crate::error::unexpected;
use crate::value::{Param, ParamType, Value};

/// The SQL expression for an id's hexadecimal digits in upper case.
pub(crate) fn id_digits(column: &str) -> String {
    format!("upper(replace(CAST({column} AS text), '-', ''))")
}

pub(super) fn type_of(param: &Param<'_>) -> Type {
    match param.param_type() {
        ParamType::Bool => Type::BOOL,
        ParamType::Int => Type::INT8,
        ParamType::Text => Type::TEXT,
        ParamType::Bytes => Type::BYTEA,
        ParamType::Id => Type::UUID,
    }
}

impl ToSql for Param<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null(_) => return Ok(IsNull::Yes),
            Self::Bool(value) => out.extend_from_slice(&[u8::from(*value)]),
            Self::Int(value) => out.extend_from_slice(&value.to_be_bytes()),
            Self::Text(text) => out.extend_from_slice(text.as_bytes()),
            Self::OwnedText(text) => out.extend_from_slice(text.as_bytes()),
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
            Self::OwnedBytes(bytes) => out.extend_from_slice(bytes),
            Self::Id(id) => out.extend_from_slice(id.as_bytes()),
        }
        Ok(IsNull::No)
    }

    /// Accepts every type, because each statement is prepared with the types of its parameters.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value<'a> {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(match *kind {
            Type::INT8 => Self::Int(i64::from_sql(kind, raw)?),
            Type::INT4 => Self::Int(i32::from_sql(kind, raw)?.into()),
            Type::BOOL => Self::Int(bool::from_sql(kind, raw)?.into()),
            Type::TEXT | Type::VARCHAR | Type::NAME => Self::Text(std::str::from_utf8(raw)?),
            Type::BYTEA | Type::UUID => Self::Bytes(raw),
            ref other => return Err(format!("a column of type {other}").into()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The value of a column, counted from 0.
pub(crate) fn value(row: &Row, index: usize) -> Result<Value<'_>, StoreError> {
    row.try_get(index).map_err(|error| unexpected(described(&error)))
}

/// The effect of an error on the transaction and its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A conflict with another transaction: a retry can succeed.
    Conflict,
    /// A statement failed whose result was not awaited. The retry awaits each result.
    Late,
    /// A server behind the database does not work, such as a worker of Citus. The connection itself is sound.
    Worker,
    /// The connection cannot be used any more.
    Lost,
}

/// Whether the error says that a migration has invalidated a prepared statement.
pub(super) fn is_outdated(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|refusal| refusal.routine() == Some("RevalidateCachedQuery"))
}

/// Converts an error of `tokio_postgres`, with its effect on the connection.
pub(super) fn failure(error: &tokio_postgres::Error) -> (StoreError, Option<Fault>) {
    let told = described(error);
    let Some(refusal) = error.as_db_error() else {
        if error.is_closed() || caused_by_io(error) {
            return (StoreError::Unavailable(told), Some(Fault::Lost));
        }
        // A parameter of the wrong type, or a result that cannot be parsed.
        return (unexpected(told), None);
    };
    let code = refusal.code();
    match code.code().get(..2).unwrap_or_default() {
        "23" => {
            let named = violations::constraint(refusal.constraint(), refusal.message());
            let name = named.or(refusal.constraint()).or(refusal.column()).unwrap_or(refusal.message());
            (StoreError::Violated(name.to_owned()), None)
        }
        // With this code, some compatible engines report that the outcome of a commit is unknown.
        _ if *code == SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN => {
            (StoreError::Unavailable(told), Some(Fault::Lost))
        }
        "40" => (StoreError::Unavailable(told), Some(Fault::Conflict)),
        _ if is_of_worker(refusal) => (StoreError::Unavailable(told), Some(Fault::Worker)),
        "08" | "53" | "58" => (StoreError::Unavailable(told), Some(Fault::Lost)),
        _ if is_outdated(error) => (StoreError::Unavailable(told), Some(Fault::Conflict)),
        _ if *code == SqlState::LOCK_NOT_AVAILABLE => (StoreError::Unavailable(told), Some(Fault::Conflict)),
        _ if *code == SqlState::QUERY_CANCELED => (StoreError::Unavailable("it took too long".into()), None),
        // The session was terminated, or the server shuts down.
        "57" => (StoreError::Unavailable(told), Some(Fault::Lost)),
        _ if *code == SqlState::READ_ONLY_SQL_TRANSACTION
            || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT =>
        {
            (StoreError::Unavailable(told), Some(Fault::Lost))
        }
        _ => match spread_fault(code, refusal.message()) {
            Some(fault) => (StoreError::Unavailable(told), Some(fault)),
            None => (unexpected(told), None),
        },
    }
}

/// Whether an error comes from a server behind this one. An error of severity `ERROR` leaves the session open, so with
/// a code for a lost connection or a server that stops, it is about another connection or server. Citus names the
/// worker in the context of an error that it forwards; such an error keeps the worker's code.
fn is_of_worker(refusal: &DbError) -> bool {
    let class = refusal.code().code().get(..2).unwrap_or_default();
    let is_forwarded = refusal.where_().is_some_and(|context| context.contains("while executing command on"));
    refusal.parsed_severity() == Some(Severity::Error)
        && *refusal.code() != SqlState::QUERY_CANCELED
        && (matches!(class, "08" | "53" | "57" | "58")
            || (is_forwarded && *refusal.code() == SqlState::READ_ONLY_SQL_TRANSACTION))
}

/// Recognizes errors of Citus by their messages, as most have no code of their own: a worker was lost
/// ([`Fault::Worker`]), perhaps after a commit ([`Fault::Lost`]), or two connections to one worker cannot see each
/// other's changes ([`Fault::Conflict`]).
fn spread_fault(code: &SqlState, message: &str) -> Option<Fault> {
    const WORKER: [&str; 3] =
        ["connection marked as essential", "could not establish any connections", "failed to execute task"];
    if *code == SqlState::INTERNAL_ERROR && message.contains("could not commit transaction") {
        return Some(Fault::Lost);
    }
    if *code == SqlState::INTERNAL_ERROR && WORKER.iter().any(|words| message.contains(words)) {
        return Some(Fault::Worker);
    }
    message.contains("modified over multiple connections").then_some(Fault::Conflict)
}

fn caused_by_io(error: &tokio_postgres::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<std::io::Error>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_is_lost_is_no_defect() {
        for (message, fault) in [
            ("failure on connection marked as essential: 10.0.0.12:5432", Fault::Worker),
            ("could not commit transaction for shard 102008 on at least one active node", Fault::Lost),
        ] {
            assert_eq!(spread_fault(&SqlState::INTERNAL_ERROR, message), Some(fault), "{message}");
        }
        let apart = "cannot perform query with placements that were modified over multiple connections";
        assert_eq!(spread_fault(&SqlState::ACTIVE_SQL_TRANSACTION, apart), Some(Fault::Conflict));
        assert_eq!(spread_fault(&SqlState::INTERNAL_ERROR, "cache lookup failed for type 0"), None);
        assert_eq!(spread_fault(&SqlState::SYNTAX_ERROR, "syntax error at or near \"failed\""), None);
    }
}
