//! The options in force: a flag wins over the environment, that over the file, that over the default.

use std::fmt::Debug;
use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tenantry_core::values::{HttpUrl, IpAllowList};
use tenantry_http::{Config, Limits, Rate, Rates};
use tenantry_outbound::mail::Mailer;
use tenantry_store::postgres::Migrate;

use crate::cli::{Common, LogFormat, MigrateAtStart, RateLimit, Serve};
use crate::commands::CommandError;

const FILE: &str = "tenantry.toml";

/// What the file may set: the flags by their names. Those of lists are also known by what they hold.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    database: Option<String>,
    secret_key_file: Option<PathBuf>,
    log_format: Option<LogFormat>,
    log_level: Option<String>,
    listen: Option<String>,
    bootstrap: Option<bool>,
    migrate: Option<MigrateAtStart>,
    rate_limit: Option<RateLimit>,
    rate_per_second: Option<NonZeroU32>,
    rate_burst: Option<NonZeroU32>,
    unknown_rate_per_second: Option<NonZeroU32>,
    unknown_rate_burst: Option<NonZeroU32>,
    #[serde(rename = "trusted-proxy", alias = "trusted-proxies")]
    trusted_proxies: Option<Vec<String>>,
    #[serde(rename = "trusted-origin", alias = "trusted-origins")]
    trusted_origins: Option<Vec<String>>,
    #[serde(rename = "webhook-http-host", alias = "webhook-http-hosts")]
    webhook_http_hosts: Option<Vec<String>>,
    portal_url: Option<String>,
    mail: Option<String>,
    mail_from: Option<String>,
    max_body_bytes: Option<usize>,
    head_timeout_s: Option<u64>,
    request_timeout_s: Option<u64>,
    max_in_flight: Option<usize>,
    max_connections: Option<usize>,
    drain_delay_s: Option<u64>,
    drain_timeout_s: Option<u64>,
}

/// What every command needs.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) database: String,
    pub(crate) secret_key_file: Option<PathBuf>,
    pub(crate) log_format: LogFormat,
    pub(crate) log_level: String,
    file: File,
}

/// What the server needs.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) listen: String,
    pub(crate) bootstrap: bool,
    pub(crate) migrate: Migrate,
    pub(crate) http: Config,
    pub(crate) webhook_http_hosts: Vec<String>,
    /// Where the portal's pages are, when that is not the server's own URL.
    pub(crate) portal: Option<HttpUrl>,
    pub(crate) mail: Mail,
}

/// How mail leaves.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) mailer: Mailer,
    pub(crate) from: String,
}

impl Mail {
    fn new(to: Option<&str>, from: Option<String>) -> Result<Self, CommandError> {
        let wrong = |text: String| CommandError::Argument("mail", text);
        let to = to.unwrap_or("log");
        let mailer = match to.split_once(':') {
            None if to == "log" => Mailer::Log,
            Some(("dir", path)) if !path.is_empty() => Mailer::Directory(PathBuf::from(path)),
            Some(("smtp" | "smtps", _)) => Mailer::smtp(to).map_err(|error| wrong(error.to_string()))?,
            // What was typed may hold a password: it is not repeated.
            _ => return Err(wrong("use log, dir:PATH, smtp://HOST or smtps://HOST".to_owned())),
        };
        let from = match (from, &mailer) {
            (Some(from), _) => from,
            (None, Mailer::Smtp(_)) => {
                return Err(CommandError::Argument("mail-from", "mail over SMTP needs a sender".to_owned()));
            }
            (None, Mailer::Log | Mailer::Directory(_)) => "tenantry@localhost".to_owned(),
        };
        if !Mailer::can_send_as(&from) {
            return Err(CommandError::Argument("mail-from", format!("{from:?} is not a mail address")));
        }
        Ok(Self { mailer, from })
    }
}

impl Settings {
    /// The options of every command, with the file read.
    pub(crate) fn new(common: Common) -> Result<Self, CommandError> {
        let Common { database, config, secret_key_file, log_format, log_level } = common;
        let mut file = match &config {
            Some(path) => {
                read(path)?.ok_or_else(|| CommandError::Config(format!("{}: not found", path.display())))?
            }
            None => read(Path::new(FILE))?.unwrap_or_default(),
        };
        Ok(Self {
            database: database.or(file.database.take()).unwrap_or_else(|| "sqlite:tenantry.db".to_owned()),
            secret_key_file: secret_key_file.or(file.secret_key_file.take()),
            log_format: log_format.or(file.log_format).unwrap_or(LogFormat::Text),
            log_level: log_level.or(file.log_level.take()).unwrap_or_else(|| "info".to_owned()),
            file,
        })
    }

    /// The options of the server.
    pub(crate) fn serving(&self, mut serve: Serve) -> Result<Serving, CommandError> {
        let Self { file, .. } = self;
        let usual = Limits::default();
        let seconds = |flag: Option<u64>, file: Option<u64>, usual: Duration| {
            flag.or(file).map_or(usual, Duration::from_secs)
        };
        let limits = Limits {
            body: serve.max_body_bytes.or(file.max_body_bytes).unwrap_or(usual.body),
            head_timeout: seconds(serve.head_timeout_s, file.head_timeout_s, usual.head_timeout),
            request_timeout: seconds(serve.request_timeout_s, file.request_timeout_s, usual.request_timeout),
            in_flight: serve.max_in_flight.or(file.max_in_flight).unwrap_or(usual.in_flight),
            ready_kept: usual.ready_kept,
            connections: serve.max_connections.or(file.max_connections).unwrap_or(usual.connections),
            drain_delay: seconds(serve.drain_delay_s, file.drain_delay_s, usual.drain_delay),
            drain_timeout: seconds(serve.drain_timeout_s, file.drain_timeout_s, usual.drain_timeout),
        };
        for (name, value) in [
            ("max-body-bytes", limits.body),
            ("max-in-flight", limits.in_flight),
            ("max-connections", limits.connections),
        ] {
            within(name, value, 1, 1 << 30)?;
        }
        for (name, value) in [
            ("head-timeout-s", limits.head_timeout),
            ("request-timeout-s", limits.request_timeout),
            ("drain-timeout-s", limits.drain_timeout),
        ] {
            within(name, value, Duration::from_secs(1), Duration::from_secs(24 * 60 * 60))?;
        }
        within("drain-delay-s", limits.drain_delay, Duration::ZERO, Duration::from_secs(60 * 60))?;
        let several = |flags: Vec<String>, file: &Option<Vec<String>>| {
            if flags.is_empty() { file.clone().unwrap_or_default() } else { flags }
        };
        let proxies = several(std::mem::take(&mut serve.trusted_proxies), &file.trusted_proxies);
        let trusted_proxies = IpAllowList::parse(&proxies)
            .map_err(|refusal| CommandError::Argument("trusted-proxy", refusal.to_string()))?;
        let trusted_origins = several(std::mem::take(&mut serve.trusted_origins), &file.trusted_origins);
        let rates = match serve.rate_limit.or(file.rate_limit).unwrap_or(RateLimit::On) {
            RateLimit::Off => None,
            RateLimit::On => Some(self.rates(&serve)),
        };
        let portal = serve.portal_url.take().or(file.portal_url.clone());
        let portal = portal.map(|url| HttpUrl::parse(&url)).transpose();
        let portal = portal.map_err(|refusal| CommandError::Argument("portal-url", refusal.to_string()))?;
        let mail = serve.mail.take().or(file.mail.clone());
        let mail = Mail::new(mail.as_deref(), serve.mail_from.take().or(file.mail_from.clone()))?;
        Ok(Serving {
            portal,
            mail,
            listen: serve.listen.or(file.listen.clone()).unwrap_or_else(|| "127.0.0.1:8080".to_owned()),
            bootstrap: serve.bootstrap.or(file.bootstrap).unwrap_or(true),
            migrate: match serve.migrate.or(file.migrate) {
                None | Some(MigrateAtStart::On) => Migrate::Yes,
                Some(MigrateAtStart::Off) => Migrate::No,
            },
            http: Config { limits, trusted_origins, rates, trusted_proxies, portal_url: String::new() },
            webhook_http_hosts: several(
                std::mem::take(&mut serve.webhook_http_hosts),
                &file.webhook_http_hosts,
            ),
        })
    }

    fn rates(&self, serve: &Serve) -> Rates {
        let Self { file, .. } = self;
        let usual = Rates::default();
        let rate = |flags: (Option<NonZeroU32>, Option<NonZeroU32>),
                    file: (Option<NonZeroU32>, Option<NonZeroU32>),
                    usual: Rate| Rate {
            per_second: flags.0.or(file.0).unwrap_or(usual.per_second),
            burst: flags.1.or(file.1).unwrap_or(usual.burst),
        };
        Rates {
            known: rate(
                (serve.rate_per_second, serve.rate_burst),
                (file.rate_per_second, file.rate_burst),
                usual.known,
            ),
            unknown: rate(
                (serve.unknown_rate_per_second, serve.unknown_rate_burst),
                (file.unknown_rate_per_second, file.unknown_rate_burst),
                usual.unknown,
            ),
        }
    }
}

fn within<T: PartialOrd + Debug>(
    name: &'static str,
    value: T,
    least: T,
    most: T,
) -> Result<(), CommandError> {
    if (&least..=&most).contains(&&value) {
        return Ok(());
    }
    Err(CommandError::Argument(name, format!("{value:?} is not between {least:?} and {most:?}")))
}

fn read(path: &Path) -> Result<Option<File>, CommandError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CommandError::Config(format!("{}: {error}", path.display()))),
    };
    let file = toml::from_str(&text)
        .map_err(|error| CommandError::Config(format!("{}: {error}", path.display())))?;
    Ok(Some(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Arguments;
    use clap::CommandFactory;

    #[test]
    fn the_file_takes_every_flag_by_its_name() {
        let mut command = Arguments::command();
        command.build();
        let serve = command.find_subcommand("serve").unwrap();
        let mut seen = 0;
        for flag in serve.get_arguments().filter_map(|argument| argument.get_long()) {
            if ["config", "help", "version"].contains(&flag) {
                continue;
            }
            seen += 1;
            // Of no flag's type: what is refused is the value, not the name.
            let refused = toml::from_str::<File>(&format!("{flag} = 1970-01-01\n")).unwrap_err().to_string();
            assert!(!refused.contains("unknown field"), "{refused}");
        }
        assert!(seen > 20, "{seen}");
        let file: File =
            toml::from_str("trusted-proxy = ['10.0.0.1']\ntrusted-origins = ['https://a.example']").unwrap();
        assert_eq!(file.trusted_proxies.as_deref(), Some(["10.0.0.1".to_owned()].as_slice()));
        assert_eq!(file.trusted_origins.as_deref(), Some(["https://a.example".to_owned()].as_slice()));
    }
}
