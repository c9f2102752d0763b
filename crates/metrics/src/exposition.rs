//! The names, help texts and types of all metrics. docs/OPERATIONS.md lists them for operators.
//!
//! Every label has a fixed set of values: operations, outcome classes, reasons, lanes. No label names a tenant, a person
//! or an address.

use std::fmt;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder, NoLabelSet, prometheus_text, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use tenantry_app::CacheReading;
use tenantry_app::operator::Backlogs;
use tenantry_core::Timestamp;
use tenantry_http::ServerReading;
use tenantry_meter::HistogramReading;
use tenantry_store::{Backlog, EngineReading, LaneReading, StoreReading};
use tenantry_worker::WorkerReading;

use crate::process::ProcessReading;

/// A text format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format of Prometheus, version 0.0.4, for programs that do not ask for the other one.
    Prometheus,
}

impl Format {
    /// The format that a request accepts, by its header `Accept`.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// The content type of a response in this format.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Everything that a scrape shows.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) version: &'static str,
    pub(crate) started_at: Timestamp,
    pub(crate) server: ServerReading,
    pub(crate) store: StoreReading,
    pub(crate) credential_cache: CacheReading,
    pub(crate) clock_skew: Duration,
    pub(crate) workers: WorkerReading,
    pub(crate) backlogs: Option<Backlogs>,
    pub(crate) failed_backlog_reads: u64,
    pub(crate) process: ProcessReading,
}

impl Snapshot {
    pub(crate) fn render(self, format: Format) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut rendered = String::new();
        // Writing into a text does not fail.
        let _ = match format {
            Format::OpenMetrics => text::encode(&mut rendered, &registry),
            Format::Prometheus => prometheus_text::encode(&mut rendered, &registry),
        };
        rendered
    }
}

impl Collector for Snapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        self.encode_server(&mut families)?;
        self.encode_store(&mut families)?;
        self.encode_workers(&mut families)?;
        self.encode_backlogs(&mut families)?;
        self.encode_process(&mut families)
    }
}

impl Snapshot {
    fn encode_server(&self, families: &mut Families<'_>) -> fmt::Result {
        let ServerReading { requests, rejected, connections_rejected, .. } = &self.server;
        let mut family = families.family(
            "tenantry_requests",
            "Requests, by operation and outcome class",
            MetricType::Counter,
        )?;
        for (operation, outcome, durations) in requests {
            counter(&mut family, &[("operation", *operation), ("outcome", *outcome)], durations.count())?;
        }
        let mut family = families.family(
            "tenantry_request_duration_seconds",
            "Time from the head of a request to the head of its response",
            MetricType::Histogram,
        )?;
        for (operation, outcome, durations) in requests {
            histogram(
                &mut family,
                &[("operation", *operation), ("outcome", *outcome)],
                durations,
                MICROSECONDS,
            )?;
        }
        let server = &self.server;
        families.gauge("tenantry_requests_in_flight", "Requests that have a slot", server.in_flight)?;
        families.gauge(
            "tenantry_writes_in_flight",
            "Requests that have a slot and may change something",
            server.writes_in_flight,
        )?;
        families.gauge(
            "tenantry_requests_in_flight_limit",
            "Slots for requests (--max-in-flight)",
            server.in_flight_limit,
        )?;
        families.counters(
            "tenantry_requests_rejected",
            "Requests that were refused before their operation ran, by reason",
            "reason",
            rejected,
        )?;
        families.gauge("tenantry_connections_open", "Open connections", server.connections_open)?;
        families.gauge(
            "tenantry_connections_limit",
            "Connections that may be open (--max-connections)",
            server.connections_limit,
        )?;
        families.counter("tenantry_connections", "Accepted connections", server.connections_accepted)?;
        families.counters(
            "tenantry_connections_rejected",
            "Connections that were closed to bound the share of a party, by reason",
            "reason",
            connections_rejected,
        )?;
        let CacheReading { hits, misses } = self.credential_cache;
        families.counters(
            "tenantry_credential_cache_lookups",
            "Authentications, by whether the credential was in the cache",
            "result",
            &[("hit", hits), ("miss", misses)],
        )
    }

    fn encode_store(&self, families: &mut Families<'_>) -> fmt::Result {
        let store = &self.store;
        let mut family = families.family(
            "tenantry_commit_duration_seconds",
            "Time of a successful commit; on SQLite one commit can hold many writes",
            MetricType::Histogram,
        )?;
        histogram(&mut family, &[], &store.commits, MICROSECONDS)?;
        families.counter(
            "tenantry_writes_refused",
            "Writes that were refused because too many others waited, or because they waited too long",
            store.refused_writes,
        )?;
        families.gauge(
            "tenantry_list_queries_running",
            "List queries that run",
            store.list_queries_running,
        )?;
        families.gauge(
            "tenantry_list_queries_waiting",
            "List queries that wait for a place",
            store.list_queries_waiting,
        )?;
        families.gauge(
            "tenantry_clock_skew_seconds",
            "Difference between the clocks of this node and of the database, at least",
            self.clock_skew.as_secs_f64(),
        )?;
        match &store.engine {
            EngineReading::Sqlite { queued, batches, log_bytes } => {
                families.gauge(
                    "tenantry_writer_queue_length",
                    "Writes that wait for the writer of SQLite",
                    *queued,
                )?;
                let help = "Writes in one commit of SQLite";
                let mut family =
                    families.family("tenantry_writer_batch_size", help, MetricType::Histogram)?;
                histogram(&mut family, &[], batches, ONES)?;
                families.gauge("tenantry_wal_size_bytes", "Size of the write-ahead log of SQLite", *log_bytes)
            }
            EngineReading::Postgres { lanes, retries } => {
                Self::encode_lanes(families, lanes)?;
                families.counters(
                    "tenantry_write_retries",
                    "Attempts of writes that PostgreSQL's engine repeated, by reason",
                    "reason",
                    retries,
                )
            }
        }
    }

    fn encode_lanes(families: &mut Families<'_>, lanes: &[(&'static str, LaneReading)]) -> fmt::Result {
        type Figure = fn(&LaneReading) -> usize;
        let figures: [(&str, &str, Figure); 3] = [
            ("tenantry_pool_places", "Connections that may write, by lane", |lane| lane.places),
            ("tenantry_pool_places_used", "Connections on which a write runs, by lane", |lane| lane.used),
            ("tenantry_pool_waiting", "Writes that wait for a connection, by lane", |lane| lane.waiting),
        ];
        for (name, help, figure) in figures {
            let mut family = families.family(name, help, MetricType::Gauge)?;
            for (lane, reading) in lanes {
                gauge(&mut family, &[("lane", *lane)], figure(reading))?;
            }
        }
        Ok(())
    }

    fn encode_workers(&self, families: &mut Families<'_>) -> fmt::Result {
        let WorkerReading { webhooks, endpoints_disabled, mails } = &self.workers;
        families.counters(
            "tenantry_webhook_requests",
            "Webhook requests of this node, by outcome",
            "outcome",
            webhooks,
        )?;
        families.counter(
            "tenantry_webhook_endpoints_disabled",
            "Webhook endpoints that were disabled after many failures",
            *endpoints_disabled,
        )?;
        families.counters(
            "tenantry_mail_attempts",
            "Attempts of this node to send a mail, by outcome",
            "outcome",
            mails,
        )
    }

    fn encode_backlogs(&self, families: &mut Families<'_>) -> fmt::Result {
        families.counter(
            "tenantry_backlog_reads_failed",
            "Scrapes that show no backlogs because the database did not answer",
            self.failed_backlog_reads,
        )?;
        let Some(Backlogs { at, webhooks, mails, imports }) = self.backlogs else { return Ok(()) };
        let kinds = [("webhooks", webhooks), ("mails", mails), ("imports", imports)];
        let help = "Queues with work that is due, on all nodes together, up to 1000";
        let mut family = families.family("tenantry_backlog_queues", help, MetricType::Gauge)?;
        for (kind, backlog) in &kinds {
            gauge(&mut family, &[("kind", *kind)], backlog.due)?;
        }
        let help = "Time since the oldest of these queues has been due";
        let mut family = families.family("tenantry_backlog_age_seconds", help, MetricType::Gauge)?;
        for (kind, backlog) in &kinds {
            gauge(&mut family, &[("kind", *kind)], age(backlog, at).as_secs_f64())?;
        }
        Ok(())
    }

    fn encode_process(&self, families: &mut Families<'_>) -> fmt::Result {
        let help = "Always 1, with the version of the program and the engine of its database";
        let mut family = families.family("tenantry_build_info", help, MetricType::Gauge)?;
        let engine = match self.store.engine {
            EngineReading::Sqlite { .. } => "sqlite",
            EngineReading::Postgres { .. } => "postgres",
        };
        gauge(&mut family, &[("version", self.version), ("engine", engine)], 1_u64)?;
        let process = &self.process;
        let started_s = self.started_at.as_micros() as f64 / 1e6;
        families.gauge("process_start_time_seconds", "Start of the process since the epoch", started_s)?;
        families.counter("process_cpu_seconds", "Processor time of the process", process.cpu_seconds)?;
        for (name, help, figure) in [
            ("process_resident_memory_bytes", "Resident memory of the process", process.resident_bytes),
            ("process_virtual_memory_bytes", "Virtual memory of the process", process.virtual_bytes),
            ("process_open_fds", "Open files of the process", process.open_files),
            ("process_max_fds", "Files that the process may open", process.open_files_limit),
            ("process_threads", "Threads of the process", process.threads),
        ] {
            if let Some(figure) = figure {
                families.gauge(name, help, figure)?;
            }
        }
        Ok(())
    }
}

/// The time since which the oldest work has been due.
fn age(backlog: &Backlog, at: Timestamp) -> Duration {
    let since = backlog.since.unwrap_or(at).as_micros();
    Duration::from_micros(u64::try_from(at.as_micros().saturating_sub(since)).unwrap_or(0))
}

/// The values of a meter in the unit of its metric: microseconds become seconds.
const MICROSECONDS: f64 = 1e6;
/// The values of a meter without a unit.
const ONES: f64 = 1.0;

/// Writes families of metrics.
struct Families<'e>(DescriptorEncoder<'e>);

impl Families<'_> {
    /// Begins a family. The name of a counter is without `_total`, which its samples have.
    fn family<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, None, kind)
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl EncodeGaugeValue) -> fmt::Result {
        self.family(name, help, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn counter(&mut self, name: &str, help: &str, value: impl EncodeCounterValue) -> fmt::Result {
        self.family(name, help, MetricType::Counter)?.encode_counter::<NoLabelSet, _, f64>(&value, None)
    }

    /// A family of counters that differ in one label.
    fn counters(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        counts: &[(&'static str, u64)],
    ) -> fmt::Result {
        let mut family = self.family(name, help, MetricType::Counter)?;
        counts.iter().try_for_each(|(value, count)| counter(&mut family, &[(label, *value)], *count))
    }
}

fn counter(family: &mut MetricEncoder<'_>, labels: &[(&str, &str)], count: u64) -> fmt::Result {
    family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(&count, None)
}

fn gauge(
    family: &mut MetricEncoder<'_>,
    labels: &[(&str, &str)],
    value: impl EncodeGaugeValue,
) -> fmt::Result {
    family.encode_family(&labels)?.encode_gauge(&value)
}

/// A histogram whose values are divided by `unit`.
fn histogram(
    family: &mut MetricEncoder<'_>,
    labels: &[(&str, &str)],
    reading: &HistogramReading,
    unit: f64,
) -> fmt::Result {
    let bounded = reading.buckets.iter().map(|(bound, count)| (*bound as f64 / unit, *count));
    let buckets: Vec<(f64, u64)> = bounded.chain([(f64::INFINITY, reading.beyond)]).collect();
    let sum = reading.sum as f64 / unit;
    match labels {
        [] => family.encode_histogram::<NoLabelSet>(sum, reading.count(), &buckets, None),
        labels => family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(
            sum,
            reading.count(),
            &buckets,
            None,
        ),
    }
}
