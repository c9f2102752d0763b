//! The records of requests and connections, for the metrics.
//!
//! An operation is an endpoint, by its `operationId`, or one of [`OTHER_OPERATIONS`]. So the number of operations does not
//! depend on what clients send, and nothing is recorded by tenant.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tenantry_meter::{Counter, DURATIONS_US, Histogram, HistogramReading};

use crate::api::endpoint::Endpoint;
use crate::api::rejection::Rejection;

/// The operations that are no endpoints. `unknown` is every request whose path or method is not served, that is
/// malformed, or that is a preflight of a browser.
const OTHER_OPERATIONS: [&str; 7] =
    ["unknown", "console", "portal", "asset", "health", "readiness", "documents"];

/// The outcome classes of requests.
const OUTCOMES: [&str; 3] = ["success", "client_error", "server_error"];

/// The reasons for which requests are rejected before their handler runs, in the order of [`Reason`].
const REASONS: [&str; 6] = ["rate_limit", "busy", "timeout", "slow_body", "too_large", "unauthorized"];

/// A reason for which a request is rejected.
#[derive(Debug, Clone, Copy)]
enum Reason {
    RateLimit,
    Busy,
    Timeout,
    SlowBody,
    TooLarge,
    Unauthorized,
}

impl Reason {
    /// The reason that is counted. The others are mistakes of single clients, which the outcome `client_error` counts.
    const fn of(rejection: &Rejection) -> Option<Self> {
        match rejection {
            Rejection::RateLimited { .. } => Some(Self::RateLimit),
            Rejection::Busy => Some(Self::Busy),
            Rejection::TimedOut => Some(Self::Timeout),
            Rejection::SlowBody => Some(Self::SlowBody),
            Rejection::TooLarge(_) => Some(Self::TooLarge),
            Rejection::Unauthorized | Rejection::InvalidToken => Some(Self::Unauthorized),
            _ => None,
        }
    }
}

/// The place of an operation among the meters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OperationIndex(usize);

struct OperationMeter {
    id: &'static str,
    by_outcome: [Histogram; OUTCOMES.len()],
}

/// The meters of a server.
pub(crate) struct Meters {
    operations: Vec<OperationMeter>,
    rejected: [Counter; REASONS.len()],
    pub(crate) connections: Arc<ConnectionMeters>,
}

/// The meters of connections.
#[derive(Debug, Default)]
pub(crate) struct ConnectionMeters {
    opened: Counter,
    closed: Counter,
    /// Connections that were closed at once, because their address had its share.
    pub(crate) refused: Counter,
    /// Connections that were closed for another one.
    pub(crate) replaced: Counter,
}

/// A connection, until this is dropped.
pub(crate) struct OpenConnection(Arc<ConnectionMeters>);

/// The requests and connections of a server so far, and those at this moment.
#[derive(Debug, Clone)]
pub struct ServerReading {
    /// The operations that had requests, by id and outcome class: durations in microseconds.
    pub requests: Vec<(&'static str, &'static str, HistogramReading)>,
    /// Requests that were rejected before their handler ran, by reason.
    pub rejected: Vec<(&'static str, u64)>,
    /// Requests that have a slot.
    pub in_flight: usize,
    /// The number of those that may write.
    pub writes_in_flight: usize,
    /// The slots for requests.
    pub in_flight_limit: usize,
    /// Connections that were accepted.
    pub connections_accepted: u64,
    /// Connections that are open.
    pub connections_open: u64,
    /// The connections that may be open.
    pub connections_limit: usize,
    /// Connections that were closed to bound the share of a party, by reason.
    pub connections_rejected: Vec<(&'static str, u64)>,
}

impl Meters {
    pub(crate) fn new<'e>(endpoints: impl Iterator<Item = &'e Endpoint>) -> Self {
        let ids = OTHER_OPERATIONS.into_iter().chain(endpoints.map(|endpoint| endpoint.id));
        let new = |id| OperationMeter {
            id,
            by_outcome: [(); OUTCOMES.len()].map(|()| Histogram::new(DURATIONS_US)),
        };
        Self { operations: ids.map(new).collect(), rejected: Default::default(), connections: Arc::default() }
    }

    /// The place of an operation. That of `unknown` for an id that is none.
    pub(crate) fn operation(&self, id: &str) -> OperationIndex {
        OperationIndex(self.operations.iter().position(|operation| operation.id == id).unwrap_or(0))
    }

    /// Records a response, and returns the id of its operation.
    pub(crate) fn record(
        &self,
        index: OperationIndex,
        status: StatusCode,
        duration: Duration,
    ) -> &'static str {
        let Some(operation) = self.operations.get(index.0) else { return "" };
        let outcome = match status.as_u16() {
            500.. => 2,
            400.. => 1,
            _ => 0,
        };
        if let Some(histogram) = operation.by_outcome.get(outcome) {
            histogram.record_duration(duration);
        }
        operation.id
    }

    /// Counts a rejection.
    pub(crate) fn reject(&self, rejection: &Rejection) {
        let counter = Reason::of(rejection).and_then(|reason| self.rejected.get(reason as usize));
        counter.into_iter().for_each(Counter::increment);
    }

    pub(crate) fn requests(&self) -> Vec<(&'static str, &'static str, HistogramReading)> {
        let readings = self.operations.iter().flat_map(|operation| {
            let outcomes = OUTCOMES.into_iter().zip(&operation.by_outcome);
            outcomes.map(move |(outcome, histogram)| (operation.id, outcome, histogram.reading()))
        });
        readings.filter(|(.., reading)| reading.count() > 0).collect()
    }

    pub(crate) fn rejected(&self) -> Vec<(&'static str, u64)> {
        REASONS.into_iter().zip(self.rejected.iter().map(Counter::value)).collect()
    }
}

impl ConnectionMeters {
    /// Counts a connection as open until the result is dropped.
    pub(crate) fn open(self: &Arc<Self>) -> OpenConnection {
        self.opened.increment();
        OpenConnection(Arc::clone(self))
    }

    pub(crate) fn accepted(&self) -> u64 {
        self.opened.value()
    }

    pub(crate) fn open_now(&self) -> u64 {
        let closed = self.closed.value();
        self.opened.value().saturating_sub(closed)
    }

    pub(crate) fn rejected(&self) -> Vec<(&'static str, u64)> {
        vec![("address_share", self.refused.value()), ("replaced", self.replaced.value())]
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.closed.increment();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_operation_has_an_id_of_its_own() {
        let meters = Meters::new(crate::endpoints());
        let ids: HashSet<&str> = meters.operations.iter().map(|operation| operation.id).collect();
        assert_eq!(ids.len(), meters.operations.len());
        assert!(ids.len() > 100, "{}", ids.len());
    }

    #[test]
    fn a_response_counts_by_operation_and_class() {
        let meters = Meters::new(crate::endpoints());
        for (id, status) in [("ping", 200), ("ping", 304), ("ping", 404), ("nothing", 503)] {
            let status = StatusCode::from_u16(status).unwrap();
            meters.record(meters.operation(id), status, Duration::from_millis(3));
        }
        let counts: Vec<_> =
            meters.requests().iter().map(|(id, class, of)| (*id, *class, of.count())).collect();
        assert_eq!(
            counts,
            [("unknown", "server_error", 1), ("ping", "success", 2), ("ping", "client_error", 1)]
        );
    }

    #[test]
    fn a_rejection_counts_by_its_reason() {
        let meters = Meters::new(crate::endpoints());
        meters.reject(&Rejection::RateLimited { retry_after_s: 1 });
        meters.reject(&Rejection::InvalidToken);
        meters.reject(&Rejection::BrokenBody);
        let counted: Vec<_> = meters.rejected().into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [("rate_limit", 1), ("unauthorized", 1)]);
    }

    #[test]
    fn a_connection_is_open_until_it_is_dropped() {
        let connections = Arc::new(ConnectionMeters::default());
        let open = connections.open();
        assert_eq!((connections.accepted(), connections.open_now()), (1, 1));
        drop(open);
        assert_eq!((connections.accepted(), connections.open_now()), (1, 0));
    }
}
