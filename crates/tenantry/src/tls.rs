//! The certificate of the server: two files, which are read at start, when they change, and at SIGHUP.
//!
//! | the files | the server |
//! |---|---|
//! | cannot be used at start | does not start |
//! | have changed, and stayed as they are for [`CHECK_INTERVAL`] | serves the new certificate to new connections |
//! | have changed and cannot be used | keeps the certificate that it has, and logs an error |
//!
//! Programs that renew certificates replace one file after the other. So a change counts only once both files rest.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{Error as TlsError, InconsistentKeys};
use tenantry_http::server::Tls;
use tenantry_store::read_limited;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

use crate::error::CommandError;
use crate::key;

/// The pause between two looks at the files.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
const CERTIFICATE: &str = "--tls-cert";
const KEY: &str = "--tls-key";

/// The certificate of the server, its private key, and the files that they are in.
#[derive(Debug)]
pub(crate) struct Certificate {
    tls: Arc<Tls>,
    files: Files,
}

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// The contents of both files.
type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);
/// The properties that change when a file is replaced, written or given other permissions. Nothing for a file that is not there.
type Stamp = [Option<(u64, u64, i64, i64, i64, i64)>; 2];

impl Certificate {
    /// Reads the files of both options. None when neither is given.
    pub(crate) fn of_options(
        certificate: Option<&Path>,
        key: Option<&Path>,
    ) -> Result<Option<Self>, CommandError> {
        let files = match (certificate, key) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => {
                Files { certificate: certificate.to_owned(), key: key.to_owned() }
            }
            (Some(_), None) => {
                let why = "a certificate needs its private key: name the file of the key by --tls-key";
                return Err(CommandError::Argument(CERTIFICATE, why.to_owned()));
            }
            (None, Some(_)) => {
                let why =
                    "a private key needs its certificate: name the file of the certificate by --tls-cert";
                return Err(CommandError::Argument(KEY, why.to_owned()));
            }
        };
        let (chain, key) = files.read()?;
        let tls = Tls::new(chain, key).map_err(|error| files.unusable(&error))?;
        Ok(Some(Self { tls: Arc::new(tls), files }))
    }

    /// The part of it that the server needs.
    pub(crate) fn tls(&self) -> Arc<Tls> {
        Arc::clone(&self.tls)
    }

    /// Serves new contents of the files until `stop` completes. SIGHUP reads them at once.
    pub(crate) async fn watch(&self, mut hangup: Signal, stop: impl Future<Output = ()>) {
        let watching = async {
            let mut every = tokio::time::interval(CHECK_INTERVAL);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut used = self.files.stamp();
            let mut latest = used;
            loop {
                let is_asked = tokio::select! {
                    _ = every.tick() => false,
                    asked = hangup.recv() => asked.is_some(),
                };
                let now = self.files.stamp();
                let rests = std::mem::replace(&mut latest, now) == now;
                if is_asked || (now != used && rests) {
                    used = now;
                    self.reload();
                }
            }
        };
        tokio::select! {
            () = stop => {}
            () = watching => {}
        }
    }

    fn reload(&self) {
        let replace =
            |(chain, key)| self.tls.replace(chain, key).map_err(|error| self.files.unusable(&error));
        match self.files.read().and_then(replace) {
            Ok(()) => tracing::info!(file = %self.files.certificate.display(), "certificate replaced"),
            Err(error) => tracing::error!(%error, "certificate not replaced, the one before stays in use"),
        }
    }
}

impl Files {
    fn read(&self) -> Result<Pair, CommandError> {
        let content = read_limited(&self.certificate).map_err(|error| self.of_certificate(&error))?;
        let chain = CertificateDer::pem_slice_iter(&content).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| self.of_certificate(&error))?;
        if chain.is_empty() {
            return Err(self.of_certificate(&"the file contains no certificate in PEM form"));
        }
        let content = read_limited(&self.key).map_err(|error| self.of_key(&error))?;
        let key = PrivateKeyDer::from_pem_slice(&content).map_err(|error| match error {
            PemError::NoItemsFound => self
                .of_key(&"the file contains no private key in PEM form; a key with a password is not read"),
            error => self.of_key(&error),
        })?;
        let found = File::open(&self.key).and_then(|file| file.metadata());
        let found = found.map_err(|error| self.of_key(&error))?;
        key::check_owner(&self.key, &found).map_err(|why| self.of_key(&why))?;
        Ok((chain, key))
    }

    /// The error of a certificate and a key that were read, and cannot be used.
    fn unusable(&self, error: &TlsError) -> CommandError {
        match error {
            TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) => self
                .of_key(&format!("the key is not that of the certificate in {}", self.certificate.display())),
            TlsError::InvalidCertificate(_) => self.of_certificate(error),
            _ => self.of_key(error),
        }
    }

    fn of_certificate(&self, why: &impl ToString) -> CommandError {
        CommandError::Argument(CERTIFICATE, format!("{}: {}", self.certificate.display(), why.to_string()))
    }

    fn of_key(&self, why: &impl ToString) -> CommandError {
        CommandError::Argument(KEY, format!("{}: {}", self.key.display(), why.to_string()))
    }

    fn stamp(&self) -> Stamp {
        let stamp = |found: Metadata| {
            (found.dev(), found.ino(), found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec())
        };
        [&self.certificate, &self.key].map(|path| fs::metadata(path).ok().map(stamp))
    }
}

/// Takes over SIGHUP, which then no longer ends the process.
pub(crate) fn hangup() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const CHAIN: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const KEY_TEXT: &str = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";

    #[test]
    fn a_certificate_needs_a_key_and_a_key_a_certificate() {
        let path = Path::new("t.pem");
        assert!(Certificate::of_options(None, None).unwrap().is_none());
        for (certificate, key, missing) in
            [(Some(path), None, "by --tls-key"), (None, Some(path), "by --tls-cert")]
        {
            let message = Certificate::of_options(certificate, key).unwrap_err().to_string();
            assert!(message.contains(missing), "{message}");
        }
    }

    #[test]
    fn files_that_cannot_be_used_are_named_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let [certificate, key] = ["t.pem", "t.key"].map(|name| folder.path().join(name));
        for (chain, key_text, mode, expected) in [
            (None, None, 0o600, "t.pem: No such file"),
            (Some("nothing"), None, 0o600, "t.pem: the file contains no certificate"),
            (Some(CHAIN), None, 0o600, "t.key: No such file"),
            (Some(CHAIN), Some("nothing"), 0o600, "t.key: the file contains no private key"),
            (Some(CHAIN), Some(KEY_TEXT), 0o644, "t.key: other users can read or change the key"),
            (Some(CHAIN), Some(KEY_TEXT), 0o640, "t.key: "),
        ] {
            for (path, text) in [(&certificate, chain), (&key, key_text)] {
                let Some(text) = text else { continue };
                fs::write(path, text).unwrap();
                fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            }
            let message = Certificate::of_options(Some(&certificate), Some(&key)).unwrap_err().to_string();
            assert!(message.starts_with("--tls-") && message.contains(expected), "{message}");
        }
    }
}
