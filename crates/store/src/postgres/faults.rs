//! The errors of PostgreSQL, and their effects on the transaction and the connection.

use std::error::Error;

use tokio_postgres::error::{DbError, Severity, SqlState};

use super::target::described;
use super::violations;
use crate::StoreError;
use crate::error::unexpected;
use crate::readings::RetryReason;

/// The error of a statement, and its effect on the transaction and the connection.
pub(super) type Failed = (StoreError, Option<Fault>);

impl From<Failed> for StoreError {
    fn from((error, _): Failed) -> Self {
        error
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        (error, None)
    }
}

/// The effect of an error on the transaction and its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A conflict with another transaction: a retry can succeed.
    Conflict,
    /// A wait for a lock exceeded the lock timeout.
    Locked,
    /// A statement failed whose result was not awaited. The next attempt awaits each result.
    Late,
    /// A statement exceeded the statement timeout.
    TimedOut,
    /// A server behind the database does not work, such as a worker of Citus, or the database lacks a resource, such as
    /// space on its disk. The connection itself is sound.
    Worker,
    /// The connection cannot be used any more.
    Lost,
}

impl From<Fault> for RetryReason {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Conflict => Self::Conflict,
            Fault::Locked => Self::LockTimeout,
            Fault::Late => Self::UnawaitedFailure,
            Fault::TimedOut => Self::StatementTimeout,
            Fault::Worker => Self::ServerFault,
            Fault::Lost => Self::ConnectionLost,
        }
    }
}

/// Whether the error says that a migration has invalidated a prepared statement.
pub(super) fn is_outdated(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|refusal| refusal.routine() == Some("RevalidateCachedQuery"))
}

/// Converts an error of `tokio_postgres`, with its effect on the connection.
pub(super) fn failure(error: &tokio_postgres::Error) -> Failed {
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
        _ if leaves_session(refusal) => (StoreError::Unavailable(told), Some(Fault::Worker)),
        "08" | "53" | "58" => (StoreError::Unavailable(told), Some(Fault::Lost)),
        _ if is_outdated(error) => (StoreError::Unavailable(told), Some(Fault::Conflict)),
        _ if *code == SqlState::LOCK_NOT_AVAILABLE => (StoreError::Unavailable(told), Some(Fault::Locked)),
        _ if *code == SqlState::QUERY_CANCELED => {
            (StoreError::Unavailable("it took too long".into()), Some(Fault::TimedOut))
        }
        _ if *code == SqlState::IN_FAILED_SQL_TRANSACTION => {
            (StoreError::Unavailable(told), Some(Fault::Late))
        }
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

/// Whether an error with a code for a failing server leaves the session open, as every error of severity `ERROR` does.
/// It is about a statement that lacked a resource, or about another server: Citus names the worker in the context of an
/// error that it forwards, and such an error keeps the worker's code.
fn leaves_session(refusal: &DbError) -> bool {
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
