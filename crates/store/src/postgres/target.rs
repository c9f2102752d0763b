//! The database that a URL names, with the parameters of its connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};

use percent_encoding::percent_decode_str;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::limits::{
    ADDRESS, ANSWER, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, MOST_CONNECTIONS, READERS, WRITERS,
};
use super::tls::{self, TlsParameters};

/// A database URL is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlError(String);

/// A PostgreSQL database and its connection parameters. Its text form contains no password.
#[derive(Clone)]
pub struct Target {
    /// One configuration for each host of the URL.
    pub(super) hosts: Arc<[Config]>,
    /// The index of the host of the last connection.
    pub(super) last: Arc<AtomicUsize>,
    /// Increases when the connections that are open must not be used any more: one of them was abandoned because no
    /// result arrived, or a new one led to another host.
    pub(super) generation: Arc<AtomicU64>,
    pub(super) tls: Arc<ClientConfig>,
    /// Whether a transaction pooler is in between. It assigns a server connection for one transaction only, so session
    /// settings and prepared statements do not last.
    pub(super) pooled: bool,
    /// The number of read connections.
    pub(super) readers: usize,
    /// The number of places in the fast lane.
    pub(super) writers: usize,
}

impl Target {
    /// Whether a URL is one of PostgreSQL.
    #[must_use]
    pub fn is_named_by(url: &str) -> bool {
        url.starts_with("postgres://") || url.starts_with("postgresql://")
    }

    /// Parses `postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?...` with the public certificate authorities.
    ///
    /// # Errors
    /// As [`Self::parse_with_roots`].
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        Self::parse_with_roots(url, &[])
    }

    /// Parses a URL. `roots` are certificate authorities that are trusted besides the public ones where the URL
    /// has no `sslrootcert`.
    ///
    /// The parameters are those of `tokio_postgres`; libpq's `sslmode`, `sslrootcert`, `sslcert`, `sslkey` and
    /// `gssencmode`; and `pooler=transaction`, `readers` and `writers`.
    ///
    /// # Errors
    /// The URL is not valid. The message does not repeat it, because it can contain a password.
    pub fn parse_with_roots(url: &str, roots: &[CertificateDer<'static>]) -> Result<Self, UrlError> {
        let Parameters { rest, pooled, readers, writers, tls } = Parameters::of(url)?;
        let encryption = tls.encryption()?;
        let hosts = each_host(&rest).into_iter().map(|url| config(&url, encryption));
        let mut hosts = hosts.collect::<Result<Vec<_>, _>>()?;
        // One of several hosts is the primary, and writes need it.
        if hosts.len() > 1
            && hosts.iter().all(|host| host.get_target_session_attrs() == TargetSessionAttrs::Any)
        {
            for host in &mut hosts {
                host.target_session_attrs(TargetSessionAttrs::ReadWrite);
            }
        }
        let tls = Arc::new(tls::client(&tls, roots).map_err(UrlError)?);
        Ok(Self {
            hosts: hosts.into(),
            last: Arc::default(),
            generation: Arc::default(),
            tls,
            pooled,
            readers,
            writers,
        })
    }
}

/// The URL of each host: `postgres://u@a:1,b:2/t` names `postgres://u@a:1/t` and `postgres://u@b:2/t`.
fn each_host(url: &str) -> Vec<String> {
    let whole = || vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return whole() };
    let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (user, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    hosts.split(',').map(|host| format!("{scheme}://{user}{host}{rest}")).collect()
}

/// The configuration of a host.
fn config(url: &str, encryption: SslMode) -> Result<Config, UrlError> {
    let mut config: Config =
        url.parse().map_err(|error: tokio_postgres::Error| UrlError(described(&error)))?;
    config.ssl_mode(encryption);
    check_names(&config)?;
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(ADDRESS);
    }
    if config.get_application_name().is_none() {
        config.application_name("tenantry");
    }
    config.keepalives_idle(KEEPALIVE_IDLE).keepalives_interval(KEEPALIVE_INTERVAL).keepalives_retries(3);
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(ANSWER);
    }
    Ok(config)
}

/// The parameters of a URL that `tokio_postgres` does not know.
struct Parameters {
    /// The URL with the other parameters.
    rest: String,
    pooled: bool,
    readers: usize,
    writers: usize,
    tls: TlsParameters,
}

impl Parameters {
    fn of(url: &str) -> Result<Self, UrlError> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut kept, mut pooled, mut tls) = (Vec::new(), false, TlsParameters::default());
        let (mut readers, mut writers) = (READERS, WRITERS);
        for part in query.split('&').filter(|part| !part.is_empty()) {
            match part.split_once('=').unwrap_or((part, "")) {
                ("pooler", "transaction") => pooled = true,
                ("pooler", "session" | "none") => pooled = false,
                ("pooler", _) => return Err(UrlError("pooler is transaction, session or none".into())),
                (name @ "readers", value) => readers = number(name, value, MOST_CONNECTIONS)?,
                (name @ "writers", value) => writers = number(name, value, MOST_CONNECTIONS)?,
                ("sslmode", value) => tls.mode = Some(value.to_owned()),
                ("sslrootcert", file) => tls.root = Some(decoded(file)?),
                ("sslcert", file) => tls.certificate = Some(decoded(file)?),
                ("sslkey", file) => tls.key = Some(decoded(file)?),
                // GSSAPI encryption is not supported, so `prefer` means a connection without it.
                ("gssencmode", "disable" | "prefer") => {}
                ("gssencmode", _) => {
                    let why =
                        "gssencmode is disable or prefer: GSSAPI is not supported, use sslmode=verify-full";
                    return Err(UrlError(why.into()));
                }
                _ => kept.push(part),
            }
        }
        let rest = format!("{base}?{}", kept.join("&"));
        Ok(Self { rest, pooled, readers, writers, tls })
    }
}

fn check_names(config: &Config) -> Result<(), UrlError> {
    // The host's name contains the end of the password, which messages would then show.
    if config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(name) if name.contains('@'))) {
        return Err(UrlError("an @ in the user's name or password is written %40".into()));
    }
    if config.get_hosts().is_empty() {
        return Err(UrlError("the URL names no host".into()));
    }
    if config.get_dbname().is_none_or(str::is_empty) {
        return Err(UrlError("the URL names no database: postgres://HOST/DATABASE".into()));
    }
    Ok(())
}

impl TlsParameters {
    /// The encryption of a connection: always, if the server supports it, or never.
    fn encryption(&self) -> Result<SslMode, UrlError> {
        let wrong = |why: &str| Err(UrlError(why.into()));
        if self.certificate.is_some() != self.key.is_some() {
            return wrong("sslcert and sslkey belong together: give both or neither");
        }
        let mode = match self.mode() {
            "disable" => SslMode::Disable,
            "prefer" if self.root.is_none() => SslMode::Prefer,
            "prefer" | "require" | "verify-ca" | "verify-full" => SslMode::Require,
            _ => return wrong("sslmode is disable, prefer, require, verify-ca or verify-full"),
        };
        match self.root.as_deref() {
            Some("system") if self.mode() != "verify-full" => {
                wrong("sslrootcert=system is for sslmode=verify-full")
            }
            _ => Ok(mode),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&shown(&self.hosts))
    }
}

/// A URL of these hosts without user and password, for messages.
pub(super) fn shown(hosts: &[Config]) -> String {
    let name = |config: &Config| match (config.get_hosts().first(), config.get_ports().first()) {
        (Some(Host::Tcp(name)), Some(port)) => format!("{name}:{port}"),
        (Some(Host::Tcp(name)), None) => name.clone(),
        (Some(Host::Unix(path)), _) => path.display().to_string(),
        (None, _) => String::new(),
    };
    let names: Vec<String> = hosts.iter().map(name).collect();
    let database = hosts.first().and_then(Config::get_dbname).unwrap_or_default();
    format!("postgres://{}/{database}", names.join(","))
}

/// Parses a parameter that is a number from 1 to `most`.
fn number(name: &str, value: &str, most: usize) -> Result<usize, UrlError> {
    let number = value.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| UrlError(format!("{name} is a number from 1 to {most}")))
}

/// Decodes percent-encoding, such as `%2F`.
fn decoded(text: &str) -> Result<String, UrlError> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| UrlError("a parameter is not UTF-8".into()))
}

/// The text of an error and of its causes.
pub(super) fn described(error: &dyn std::error::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let target =
            Target::parse("postgres://u:secret@a:1,b:2/t?sslmode=disable&pooler=transaction").unwrap();
        assert!(target.pooled);
        let ports: Vec<_> =
            target.hosts.iter().map(|host| (host.get_hosts().len(), host.get_ports())).collect();
        assert_eq!(ports, [(1, [1].as_slice()), (1, [2].as_slice())]);
        assert_eq!(target.hosts[1].get_password(), Some(b"secret".as_slice()));
        assert_eq!(target.hosts[1].get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(target.to_string(), "postgres://a:1,b:2/t");
        assert_eq!(target.hosts[0].get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert!(!Target::parse("postgresql://h/t").unwrap().pooled);
        assert!(Target::parse("postgres:///t?host=/tmp").is_ok());
        for mode in ["verify-ca", "verify-full", "require&gssencmode=disable", "disable&gssencmode=prefer"] {
            assert!(Target::parse(&format!("postgres://h/t?sslmode={mode}")).is_ok(), "{mode}");
        }
        let sized = Target::parse("postgres://h/t?readers=1&writers=64").unwrap();
        assert_eq!((sized.readers, sized.writers), (1, 64));
        for (wrong, why) in [
            ("postgres://u:secret@h/t?sslmode=allow", "verify-ca or verify-full"),
            ("postgres://u:secret@h/t?sslmode=require&sslrootcert=system", "is for sslmode=verify-full"),
            ("postgres://u:secret@h/t?sslcert=/c", "sslcert and sslkey belong together"),
            ("postgres://u:secret@h/t?sslmode=verify-full&sslcert=/no/cert&sslkey=/no/key", "/no/cert"),
            ("postgres://u:secret@h/t?gssencmode=require", "gssencmode is"),
            ("postgres://u:secret@h/t?pooler=x", "pooler is"),
            ("postgres://u:secret@h/t?nonsense=1", "nonsense"),
            ("postgres://u:secret@h/t?readers=0", "readers is a number from 1 to 64"),
            ("postgres://u:secret@h/t?writers=65", "writers is"),
            ("postgres://u:secret@h/t?sslmode=require&sslrootcert=/no/such", "/no/such"),
            ("postgres://u:secret@h/t?sslrootcert=%ff", "not UTF-8"),
            ("postgres://u:x@secret@h/t", "%40"),
            ("postgres://u:secret@h", "no database"),
            ("postgres:///t", "no host"),
        ] {
            let error = Target::parse(wrong).map(|target| target.to_string()).unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains("secret"), "{error}");
        }
    }
}
