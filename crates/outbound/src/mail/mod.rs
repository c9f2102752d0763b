//! Sends mail: the message, the mailers, and their errors.
//!
//! A message has one recipient, a text part and an HTML part. Its Message-ID is derived from the id of the
//! queued mail, so that a mail server can recognise a message that is sent twice after a crash. No header
//! contains a line break. Caller: the mail worker; [`letters`] writes the messages.

mod build;
pub mod letters;
mod server_url;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use rustls::pki_types::CertificateDer;
use tenantry_core::values::{EmailAddress, one_line};
use tokio::io::AsyncWriteExt;

use server_url::{Encryption, ServerUrl};

/// The timeout of one SMTP transaction, from the connection to the server's final reply. It is shorter than
/// the lease of a mail.
pub const SMTP_TIMEOUT: Duration = Duration::from_secs(15);
/// SMTP replies about the operator's account, not about the message (RFC 4954 section 6): retried.
const ACCOUNT_REPLIES: [u16; 4] = [530, 534, 535, 538];

/// A message to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The recipient.
    pub to: EmailAddress,
    /// The name of the sender. Absent for that of the address which sends.
    pub sender: Option<String>,
    /// The subject, one line.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The same body as HTML.
    pub html: String,
}

/// A destination of outgoing mail.
#[derive(Clone)]
pub enum Mailer {
    /// A mail server.
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
    /// A directory, with one `.eml` file per message, named by the mail's id.
    Directory(PathBuf),
    /// The log alone: it records the recipient and the subject, and the message is not sent.
    Log,
}

/// The options of a mail server.
#[derive(Clone, Copy)]
pub struct SmtpOptions<'a> {
    /// `smtp://NAME:PASSWORD@HOST:PORT?tls=required` or `smtps://...`. Without `tls=required` or `smtps` the
    /// connection is not encrypted; a password then needs `tls=none`, unless the host is this machine.
    pub url: &'a str,
    /// The sender, `name@host` or `Name <name@host>`.
    pub from: &'a str,
    /// The name for `EHLO`. Without it the domain of the sender is the name: relays reject a name that is not a fully
    /// qualified domain.
    pub ehlo: Option<&'a str>,
    /// Certificate authorities that are trusted besides the public ones.
    pub roots: &'a [CertificateDer<'static>],
}

/// Why a message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct MailError {
    /// Whether a further attempt is pointless.
    pub permanent: bool,
    /// The cause, for the log; without the content of the message and without credentials.
    pub reason: String,
}

impl MailError {
    fn permanent(reason: impl Into<String>) -> Self {
        Self { permanent: true, reason: reason.into() }
    }

    fn transient(reason: impl Into<String>) -> Self {
        Self { permanent: false, reason: reason.into() }
    }
}

impl Mailer {
    /// A mail server.
    pub fn smtp(options: &SmtpOptions<'_>) -> Result<Self, MailError> {
        let SmtpOptions { url, from, ehlo, roots } = options;
        // The errors of the libraries could repeat the URL, and with it the password.
        let invalid = |_| {
            MailError::permanent("the SMTP URL is not valid: use smtp://NAME:PASSWORD@HOST:PORT?tls=required")
        };
        let server = ServerUrl::parse(url)?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(&server.url).map_err(invalid)?;
        if let Some(tls) = tls_with_roots(&server, roots)? {
            builder = builder.tls(tls);
        }
        let name = match ehlo {
            Some(name) => (*name).to_owned(),
            None => build::sender(from)?.email.domain().to_owned(),
        };
        let builder = builder.hello_name(ClientId::Domain(name));
        Ok(Self::Smtp(Box::new(builder.timeout(Some(SMTP_TIMEOUT)).build())))
    }

    /// Whether `from` can be the sender of a mail: `name@host` or `Name <name@host>`.
    #[must_use]
    pub fn can_send_as(from: &str) -> bool {
        build::sender(from).is_ok()
    }

    /// The name of a sender, or the domain of one without a name.
    #[must_use]
    pub fn sender_name(from: &str) -> Option<String> {
        let sender = build::sender(from).ok()?;
        Some(sender.name.unwrap_or_else(|| sender.email.domain().to_owned()))
    }

    /// Sends a message. `id` is the id of the queued mail, `from` is `name@host` or `Name <name@host>`.
    pub async fn send(&self, id: &str, message: &Message, from: &str) -> Result<(), MailError> {
        let built = build::build(id, message, from)?;
        match self {
            Self::Smtp(server) => {
                let sent = tokio::time::timeout(SMTP_TIMEOUT, server.send(built)).await;
                let late = |_| MailError::transient("the mail server did not answer in time");
                sent.map_err(late)?.map(drop).map_err(|error| smtp_error(&error))
            }
            Self::Directory(directory) => write(directory, id, &built.formatted())
                .await
                .map_err(|error| MailError::transient(format!("{}: {error}", directory.display()))),
            Self::Log => {
                let subject = one_line(&message.subject);
                tracing::info!(mail_id = id, to = %message.to, subject, "mail logged instead of sent");
                Ok(())
            }
        }
    }
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Smtp(_) => out.write_str("Smtp"),
            Self::Directory(path) => out.debug_tuple("Directory").field(path).finish(),
            Self::Log => out.write_str("Log"),
        }
    }
}

/// The TLS mode of the URL, with additional certificate authorities; `None` if the library's default fits.
fn tls_with_roots(server: &ServerUrl, roots: &[CertificateDer<'static>]) -> Result<Option<Tls>, MailError> {
    let failed = |_| MailError::permanent("cannot set up TLS for the mail server");
    let wrap = match server.encryption {
        Encryption::Wrapped => Tls::Wrapper,
        Encryption::Required => Tls::Required,
        Encryption::Opportunistic => Tls::Opportunistic,
        Encryption::Off => return Ok(None),
    };
    if roots.is_empty() {
        return Ok(None);
    }
    let mut parameters = TlsParameters::builder(server.host.clone());
    for root in roots {
        let certificate = Certificate::from_der(root.to_vec()).map_err(failed)?;
        parameters = parameters.add_root_certificate(certificate);
    }
    Ok(Some(wrap(parameters.build().map_err(failed)?)))
}

/// A reply that rejects the message is permanent. One about the operator's account, or a failed connection,
/// is not.
fn smtp_error(error: &lettre::transport::smtp::Error) -> MailError {
    let account = error.status().is_some_and(|code| ACCOUNT_REPLIES.contains(&u16::from(code)));
    MailError { permanent: error.is_permanent() && !account, reason: error.to_string() }
}

/// Writes the file under a temporary name and renames it, so that a file is never incomplete. Mail carries
/// tokens, so only the owner can read the file.
async fn write(directory: &Path, id: &str, mail: &[u8]) -> std::io::Result<()> {
    tokio::fs::create_dir_all(directory).await?;
    let unfinished = directory.join(format!(".{id}.tmp"));
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(&unfinished).await?;
    file.write_all(mail).await?;
    file.sync_all().await?;
    drop(file);
    tokio::fs::rename(&unfinished, directory.join(format!("{id}.eml"))).await
}
