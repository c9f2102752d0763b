//! Mail: the message, the ways to hand it over, and why that can fail.
//!
//! A message has one recipient, a text and an HTML form. Its Message-ID follows from the id of the work
//! that caused it, so a message sent twice after a crash can be recognised as one. No header takes a line
//! break, whatever a name contains. Caller: the mail worker; the words are those of [`templates`].

mod build;
pub mod templates;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use tenantry_core::values::EmailAddress;
use tokio::io::AsyncWriteExt;

/// The time that one message may take, from the connection to the server's word. Well within that for which the
/// worker holds a mail.
pub const SMTP_TIMEOUT: Duration = Duration::from_secs(15);
/// SMTP replies that complain about the operator's account, not about the message (RFC 4954 section 6).
const ACCOUNT_REPLIES: [u16; 4] = [530, 534, 535, 538];

/// A message to one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who gets it.
    pub to: EmailAddress,
    /// The subject, one line.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The same body as HTML.
    pub html: String,
}

/// A way to hand messages over.
#[derive(Clone)]
pub enum Mailer {
    /// To a mail server.
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
    /// Into a directory, one `.eml` file per message, named by its id.
    Directory(PathBuf),
    /// To nobody: only the recipient and the subject are logged.
    Log,
}

/// Why a message was not handed over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct MailError {
    /// Whether a further attempt is pointless.
    pub permanent: bool,
    /// The cause, for a log; without the content of the message and without credentials.
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
    /// The server of an address like `smtp://name:password@host:587?tls=required` or `smtps://host`.
    ///
    /// Without `tls=required` or `smtps` the connection is not encrypted; a path is the name to greet with.
    pub fn smtp(url: &str) -> Result<Self, MailError> {
        // The library's own message could repeat the address, and with it the password.
        let unusable = |_| MailError::permanent("the SMTP address cannot be used");
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(unusable)?;
        Ok(Self::Smtp(Box::new(builder.timeout(Some(SMTP_TIMEOUT)).build())))
    }

    /// Whether `from` can be the sender of a mail: `name@host` or `Name <name@host>`.
    #[must_use]
    pub fn can_send_as(from: &str) -> bool {
        build::sender(from).is_ok()
    }

    /// Hands a message over; `id` names the work that caused it, `from` is `name@host` or `Name <name@host>`.
    pub async fn send(&self, id: &str, message: &Message, from: &str) -> Result<(), MailError> {
        let built = build::build(id, message, from)?;
        match self {
            Self::Smtp(server) => {
                let sent = tokio::time::timeout(SMTP_TIMEOUT, server.send(built)).await;
                let late = |_| MailError::transient("the mail server took too long");
                sent.map_err(late)?.map(drop).map_err(|error| smtp_error(&error))
            }
            Self::Directory(directory) => write(directory, id, &built.formatted())
                .await
                .map_err(|error| MailError::transient(format!("the mail cannot be written: {error}"))),
            Self::Log => {
                let subject = templates::one_line(&message.subject);
                tracing::info!(to = %message.to, subject, "mail goes nowhere: no mailer is configured");
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

/// A refusal of the message is final; one of the operator's account, or a broken line, is not.
fn smtp_error(error: &lettre::transport::smtp::Error) -> MailError {
    let account = error.status().is_some_and(|code| ACCOUNT_REPLIES.contains(&u16::from(code)));
    MailError { permanent: error.is_permanent() && !account, reason: error.to_string() }
}

/// Writes a file that is either absent or complete; only its owner may read it, as mail carries tokens.
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
