//! The command line of `tenantry serve`. The configuration file takes the same names.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;
use tenantry_core::user::Language;
use tenantry_core::values::{EmailAddress, HttpUrl};

use super::DatabaseOptions;
use super::values::{self, List, switch};

/// The highest value of a size or count.
const MOST: u64 = 1 << 30;
/// Seconds of a day, the longest timeout.
const DAY_S: u64 = 24 * 60 * 60;
/// Seconds of an hour, the longest drain delay.
const HOUR_S: u64 = 60 * 60;
/// Hours of a year, the longest interval of backups.
const YEAR_H: u64 = 365 * 24;

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The address to listen on; port 0 takes a free port
    #[arg(long, env = "TENANTRY_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:8080",
        value_parser = values::listen_address)]
    pub(crate) listen: String,
    /// The address to serve metrics on, as /metrics; port 0 takes a free port [default: no metrics]
    #[arg(long, env = "TENANTRY_METRICS_LISTEN", value_name = "HOST:PORT", value_parser = values::listen_address)]
    pub(crate) metrics_listen: Option<String>,
    /// Milliseconds from which on a request or an SQL statement is logged as a warning; 0 for none
    #[arg(long, env = "TENANTRY_LOG_SLOW_MS", value_name = "MILLISECONDS", default_value = "1000",
        value_parser = values::number::<u64>(0..=DAY_S * 1000, "milliseconds"))]
    pub(crate) log_slow_ms: u64,
    /// A PEM file with the certificate of the server and those that lead to its authority; with --tls-key, the server
    /// speaks HTTPS, with HTTP/2 where the client does
    #[arg(long, env = "TENANTRY_TLS_CERT", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// A PEM file with the private key of --tls-cert, which other users cannot read
    #[arg(long, env = "TENANTRY_TLS_KEY", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Create a first organization and token in an empty database: on or off
    #[arg(long, env = "TENANTRY_BOOTSTRAP", value_name = "ON|OFF", default_value = "on",
        action = clap::ArgAction::Set, value_parser = switch)]
    pub(crate) bootstrap: bool,
    /// The e-mail address of the owner of the first organization [default: owner@my-organization.invalid, which no
    /// mail reaches]
    #[arg(long, env = "TENANTRY_BOOTSTRAP_OWNER", value_name = "EMAIL", value_parser = values::email)]
    pub(crate) bootstrap_owner: Option<EmailAddress>,
    /// Serve the console, pages for people under /console: on or off
    #[arg(long, env = "TENANTRY_CONSOLE", value_name = "ON|OFF", default_value = "on",
        action = clap::ArgAction::Set, value_parser = switch)]
    pub(crate) console: bool,
    /// Serve the portal, pages for customers under /SLUG/portal: on or off
    #[arg(long, env = "TENANTRY_PORTAL", value_name = "ON|OFF", default_value = "on",
        action = clap::ArgAction::Set, value_parser = switch)]
    pub(crate) portal: bool,
    /// The URL at which people reach the server, such as https://tenantry.example.com [default: the server's own]
    #[arg(long, env = "TENANTRY_PUBLIC_URL", value_name = "URL", value_parser = values::origin)]
    pub(crate) public_url: Option<String>,
    /// Delete the passkeys of all people if --public-url names another host than the one they are for; without it, the
    /// server does not start then
    #[arg(long)]
    pub(crate) replace_passkeys: bool,
    /// Update the schema of a PostgreSQL database at start, or refuse to start on an old one: on or off
    #[arg(long, env = "TENANTRY_MIGRATE", value_name = "ON|OFF", default_value = "on",
        action = clap::ArgAction::Set, value_parser = switch)]
    pub(crate) migrate: bool,
    /// Limit the request rate of callers: on or off
    #[arg(long, env = "TENANTRY_RATE_LIMIT", value_name = "ON|OFF", default_value = "on",
        action = clap::ArgAction::Set, value_parser = switch)]
    pub(crate) rate_limit: bool,
    /// Requests a second of one owner, with all organizations and tokens
    #[arg(long, env = "TENANTRY_RATE_PER_SECOND", value_name = "COUNT", default_value = "100",
        value_parser = values::positive("requests"))]
    pub(crate) rate_per_second: NonZeroU32,
    /// Requests at once of one owner, with all organizations and tokens
    #[arg(long, env = "TENANTRY_RATE_BURST", value_name = "COUNT", default_value = "200",
        value_parser = values::positive("requests"))]
    pub(crate) rate_burst: NonZeroU32,
    /// Requests a second of one address without a valid token
    #[arg(long, env = "TENANTRY_UNKNOWN_RATE_PER_SECOND", value_name = "COUNT", default_value = "5",
        value_parser = values::positive("requests"))]
    pub(crate) unknown_rate_per_second: NonZeroU32,
    /// Requests at once of one address without a valid token
    #[arg(long, env = "TENANTRY_UNKNOWN_RATE_BURST", value_name = "COUNT", default_value = "60",
        value_parser = values::positive("requests"))]
    pub(crate) unknown_rate_burst: NonZeroU32,
    /// A proxy, by address or network, whose X-Forwarded-For header is trusted; can be repeated
    #[arg(long = "trusted-proxy", env = "TENANTRY_TRUSTED_PROXIES", value_name = "NETWORK",
        value_parser = values::networks)]
    pub(crate) trusted_proxies: Vec<List<String>>,
    /// An origin of browser applications that may send credentials, such as https://app.example.com; can be
    /// repeated
    #[arg(long = "trusted-origin", env = "TENANTRY_TRUSTED_ORIGINS", value_name = "ORIGIN",
        value_parser = values::origins)]
    pub(crate) trusted_origins: Vec<List<String>>,
    /// A host to which webhooks may be sent by plain HTTP and in private networks, such as localhost:9000; can be
    /// repeated
    #[arg(long = "webhook-http-host", env = "TENANTRY_WEBHOOK_HTTP_HOSTS", value_name = "HOST[:PORT]",
        value_parser = values::plain_http_hosts)]
    pub(crate) webhook_http_hosts: Vec<List<String>>,
    /// The URL of the customer portal, with which links to its pages begin [default: --public-url]
    #[arg(long, env = "TENANTRY_PORTAL_URL", value_name = "URL", value_parser = values::portal_url)]
    pub(crate) portal_url: Option<HttpUrl>,
    /// The destination of mail: log, dir:PATH, smtp://NAME:PASSWORD@HOST:PORT?tls=required or smtps://...
    #[arg(long, env = "TENANTRY_MAIL", hide_env_values = true, value_name = "MAILER", default_value = "log")]
    pub(crate) mail: String,
    /// The sender of mail, ADDRESS or NAME <ADDRESS>; required with smtp [default: Tenantry <tenantry@localhost>]
    #[arg(long, env = "TENANTRY_MAIL_FROM", value_name = "SENDER", value_parser = values::mail_sender)]
    pub(crate) mail_from: Option<String>,
    /// The language of mails to people whose language is unknown: en or de
    #[arg(long, env = "TENANTRY_MAIL_LANGUAGE", value_name = "LANGUAGE", default_value = "en",
        value_parser = values::language)]
    pub(crate) mail_language: Language,
    /// The host name that the server sends to the mail server in EHLO [default: the domain of --mail-from]
    #[arg(long, env = "TENANTRY_MAIL_EHLO", value_name = "HOST", value_parser = values::host_name)]
    pub(crate) mail_ehlo: Option<String>,
    /// Invitations an hour, and as many notices, from all organizations of one owner; further ones wait
    #[arg(long, env = "TENANTRY_MAILS_PER_HOUR", value_name = "COUNT", default_value = "200",
        value_parser = values::positive("mails"))]
    pub(crate) mails_per_hour: NonZeroU32,
    /// Invitations a day, and as many proofs of an address, to one recipient; further ones are dropped
    #[arg(long, env = "TENANTRY_MAILS_PER_RECIPIENT", value_name = "COUNT", default_value = "50",
        value_parser = values::positive("mails"))]
    pub(crate) mails_per_recipient: NonZeroU32,
    /// Mails of one kind a day from one owner to one recipient; further ones are dropped
    #[arg(
        long,
        env = "TENANTRY_MAILS_PER_ACCOUNT_AND_RECIPIENT",
        value_name = "COUNT",
        default_value = "10",
        value_parser = values::positive("mails")
    )]
    pub(crate) mails_per_account_and_recipient: NonZeroU32,
    /// Days for which the payloads of webhook events are kept
    #[arg(long, env = "TENANTRY_WEBHOOK_PAYLOAD_DAYS", value_name = "DAYS", default_value = "90",
        value_parser = values::positive("days"))]
    pub(crate) webhook_payload_days: NonZeroU32,
    /// Days for which webhook events and their deliveries are kept, at least as long as the payloads
    #[arg(long, env = "TENANTRY_WEBHOOK_EVENT_DAYS", value_name = "DAYS", default_value = "180",
        value_parser = values::positive("days"))]
    pub(crate) webhook_event_days: NonZeroU32,
    /// Days for which audit entries are kept [default: for good]
    #[arg(long, env = "TENANTRY_AUDIT_DAYS", value_name = "DAYS",
        value_parser = values::positive("days"))]
    pub(crate) audit_days: Option<NonZeroU32>,
    /// Days for which the rows of a deleted organization are kept, so that it can be undeleted
    #[arg(long, env = "TENANTRY_DELETED_DAYS", value_name = "DAYS", default_value = "30",
        value_parser = values::positive("days"))]
    pub(crate) deleted_days: NonZeroU32,
    /// Days for which a deleted customer keeps its name and address, so that it can be restored
    #[arg(long, env = "TENANTRY_DELETED_CUSTOMER_DAYS", value_name = "DAYS", default_value = "30",
        value_parser = values::positive("days"))]
    pub(crate) deleted_customer_days: NonZeroU32,
    /// A directory in which the server makes backups by itself; they do not contain the key file
    #[arg(long, env = "TENANTRY_BACKUP_TO", value_name = "DIRECTORY")]
    pub(crate) backup_to: Option<PathBuf>,
    /// Hours between two of these backups
    #[arg(long, env = "TENANTRY_BACKUP_EVERY_H", value_name = "HOURS", default_value = "24",
        value_parser = values::number::<u64>(1..=YEAR_H, "hours"))]
    pub(crate) backup_every_h: u64,
    /// The number of these backups that are kept; older ones are deleted
    #[arg(long, env = "TENANTRY_BACKUP_KEEP", value_name = "COUNT", default_value = "7",
        value_parser = values::number::<usize>(1..=MOST, "backups"))]
    pub(crate) backup_keep: usize,
    /// The longest request body in bytes
    #[arg(long, env = "TENANTRY_MAX_BODY_BYTES", value_name = "BYTES", default_value = "1048576",
        value_parser = values::number::<usize>(1..=MOST, "bytes"))]
    pub(crate) max_body_bytes: usize,
    /// The timeout in seconds for a client to send the request headers, and before the first ones to end the TLS handshake
    #[arg(long, env = "TENANTRY_HEAD_TIMEOUT_S", value_name = "SECONDS", default_value = "10",
        value_parser = values::number::<u64>(1..=DAY_S, "seconds"))]
    pub(crate) head_timeout_s: u64,
    /// The timeout in seconds of a request
    #[arg(long, env = "TENANTRY_REQUEST_TIMEOUT_S", value_name = "SECONDS", default_value = "30",
        value_parser = values::number::<u64>(1..=DAY_S, "seconds"))]
    pub(crate) request_timeout_s: u64,
    /// The most requests that are handled at once
    #[arg(long, env = "TENANTRY_MAX_IN_FLIGHT", value_name = "COUNT", default_value = "1024",
        value_parser = values::number::<usize>(1..=MOST, "requests"))]
    pub(crate) max_in_flight: usize,
    /// The most connections that are open at once
    #[arg(long, env = "TENANTRY_MAX_CONNECTIONS", value_name = "COUNT", default_value = "8192",
        value_parser = values::number::<usize>(64..=MOST, "connections"))]
    pub(crate) max_connections: usize,
    /// Seconds between the stop signal and the moment that the server stops to accept connections, in which
    /// /readyz answers 503
    #[arg(long, env = "TENANTRY_DRAIN_DELAY_S", value_name = "SECONDS", default_value = "0",
        value_parser = values::number::<u64>(0..=HOUR_S, "seconds"))]
    pub(crate) drain_delay_s: u64,
    /// Seconds that running requests get to end when the server stops
    #[arg(long, env = "TENANTRY_DRAIN_TIMEOUT_S", value_name = "SECONDS", default_value = "30",
        value_parser = values::number::<u64>(1..=DAY_S, "seconds"))]
    pub(crate) drain_timeout_s: u64,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}
