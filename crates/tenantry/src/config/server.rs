//! The settings of the server, from the options of `serve`.

use std::path::PathBuf;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use tenantry_app::Retention;
use tenantry_core::mail::MailLimits;
use tenantry_core::user::Language;
use tenantry_core::values::{EmailAddress, HttpUrl, IpAllowList};
use tenantry_http::{Config, Limits, Rate, Rates};
use tenantry_outbound::mail::{Mailer, SmtpOptions};
use tenantry_store::postgres::Migrate;

use crate::cli::{List, Serve};
use crate::error::CommandError;
use crate::scheduled_backups::BackupSchedule;
use crate::tls::Certificate;

/// The sender without `--mail-from`.
const LOCAL_SENDER: &str = "Tenantry <tenantry@localhost>";

/// The settings of the server.
#[derive(Debug)]
pub(crate) struct ServerSettings {
    pub(crate) listen: String,
    /// The address of the metrics, if they are served.
    pub(crate) metrics_listen: Option<String>,
    /// The certificate, if the server speaks HTTPS.
    pub(crate) certificate: Option<Certificate>,
    pub(crate) bootstrap: bool,
    /// The owner of the first organization, if one was named.
    pub(crate) bootstrap_owner: Option<EmailAddress>,
    pub(crate) http: Config,
    pub(crate) webhook_http_hosts: Vec<String>,
    /// The URL of the customer portal, if it is not the server's own.
    pub(crate) portal_url: Option<HttpUrl>,
    pub(crate) mail: MailSettings,
    pub(crate) retention: Retention,
    /// Whether the console is served.
    pub(crate) console: bool,
    /// Whether the portal's pages are served.
    pub(crate) portal: bool,
    /// The address at which people reach the server, if it is not the server's own.
    pub(crate) public_url: Option<String>,
    /// Whether passkeys for another host are deleted.
    pub(crate) replace_passkeys: bool,
    /// Backups that the server makes by itself.
    pub(crate) backups: Option<BackupSchedule>,
}

/// The settings of outgoing mail.
#[derive(Debug)]
pub(crate) struct MailSettings {
    pub(crate) mailer: Mailer,
    pub(crate) from: String,
    pub(crate) language: Language,
    pub(crate) limits: MailLimits,
}

impl MailSettings {
    fn new(serve: &Serve, roots: &[CertificateDer<'static>]) -> Result<Self, CommandError> {
        let wrong = |text: String| CommandError::Argument("--mail", text);
        let to = serve.mail.trim();
        let from = serve.mail_from.as_deref();
        let mailer = match to.split_once(':') {
            None if to == "log" => Mailer::Log,
            Some(("dir", path)) if !path.is_empty() => directory(path)?,
            Some(("smtp" | "smtps", _)) => {
                let from = from.ok_or_else(|| {
                    let why = "smtp needs a sender, such as Acme <no-reply@example.com>";
                    CommandError::Argument("--mail-from", why.to_owned())
                })?;
                let options = SmtpOptions { url: to, from, ehlo: serve.mail_ehlo.as_deref(), roots };
                Mailer::smtp(&options).map_err(|error| wrong(error.to_string()))?
            }
            // The value can contain a password, so that the message does not repeat it.
            _ => return Err(wrong("use log, dir:PATH, smtp://HOST or smtps://HOST".to_owned())),
        };
        let limits = MailLimits {
            of_account: serve.mails_per_hour,
            to_recipient: serve.mails_per_recipient,
            of_account_to_recipient: serve.mails_per_account_and_recipient,
        };
        let from = from.unwrap_or(LOCAL_SENDER).to_owned();
        Ok(Self { mailer, from, language: serve.mail_language, limits })
    }
}

/// A directory that exists and can be written to.
fn directory(path: &str) -> Result<Mailer, CommandError> {
    let wrong =
        |error: std::io::Error| CommandError::Argument("--mail", format!("cannot write to {path}: {error}"));
    std::fs::create_dir_all(path).map_err(wrong)?;
    tempfile::tempfile_in(path).map_err(wrong)?;
    Ok(Mailer::Directory(PathBuf::from(path)))
}

impl ServerSettings {
    /// The settings that the options make. `roots` are the certificate authorities of `--ca-file`.
    pub(crate) fn new(serve: &Serve, roots: &[CertificateDer<'static>]) -> Result<Self, CommandError> {
        let trusted_proxies = IpAllowList::parse(List::joined(&serve.trusted_proxies))
            .map_err(|invalid| CommandError::invalid("--trusted-proxy", &invalid))?;
        let http = Config {
            limits: limits(serve),
            slow_request: Duration::from_millis(serve.log_slow_ms),
            trusted_origins: List::joined(&serve.trusted_origins),
            rates: serve.rate_limit.then(|| rates(serve)),
            trusted_proxies,
            portal_url: String::new(),
            public_url: String::new(),
            ..Config::default()
        };
        Ok(Self {
            listen: serve.listen.clone(),
            metrics_listen: serve.metrics_listen.clone(),
            certificate: Certificate::of_options(serve.tls_cert.as_deref(), serve.tls_key.as_deref())?,
            bootstrap: serve.bootstrap,
            bootstrap_owner: serve.bootstrap_owner.clone(),
            http,
            webhook_http_hosts: List::joined(&serve.webhook_http_hosts),
            portal_url: serve.portal_url.clone(),
            mail: MailSettings::new(serve, roots)?,
            retention: Retention {
                payload_days: serve.webhook_payload_days,
                event_days: serve.webhook_event_days,
                audit_days: serve.audit_days,
                deleted_days: serve.deleted_days,
                deleted_customer_days: serve.deleted_customer_days,
            },
            console: serve.console,
            portal: serve.portal,
            public_url: serve.public_url.clone(),
            replace_passkeys: serve.replace_passkeys,
            backups: backups(serve)?,
        })
    }
}

/// Whether `serve` updates the schema.
pub(crate) const fn migrate(serve: &Serve) -> Migrate {
    if serve.migrate { Migrate::Yes } else { Migrate::No }
}

/// The schedule of backups, if the server makes any.
fn backups(serve: &Serve) -> Result<Option<BackupSchedule>, CommandError> {
    let Some(directory) = serve.backup_to.clone() else { return Ok(None) };
    let every = Duration::from_secs(serve.backup_every_h * 60 * 60);
    let schedule = BackupSchedule { directory, every, keep: serve.backup_keep };
    schedule.check()?;
    Ok(Some(schedule))
}

fn limits(serve: &Serve) -> Limits {
    Limits {
        body: serve.max_body_bytes,
        head_timeout: Duration::from_secs(serve.head_timeout_s),
        request_timeout: Duration::from_secs(serve.request_timeout_s),
        in_flight: serve.max_in_flight,
        connections: serve.max_connections,
        drain_delay: Duration::from_secs(serve.drain_delay_s),
        drain_timeout: Duration::from_secs(serve.drain_timeout_s),
        ..Limits::default()
    }
}

fn rates(serve: &Serve) -> Rates {
    Rates {
        known: Rate { per_second: serve.rate_per_second, burst: serve.rate_burst },
        unknown: Rate { per_second: serve.unknown_rate_per_second, burst: serve.unknown_rate_burst },
    }
}
