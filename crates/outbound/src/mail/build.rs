//! Builds the mail text (RFC 5322) of a message: headers, encodings, Message-ID.
//!
//! Every header value is reduced to one line first, so that no name can add a header, and a space breaks each `=?`, so
//! that no name is read as an encoded word: a reader sees the text as it was written. Domains are written in
//! ASCII. The mail library sets the `Date` and the boundary between the text and HTML parts.

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message as Mail};
use tenantry_core::values::{EmailAddress, one_line};

use super::{MailError, Message};

/// The longest id in characters; the id becomes a file name and the local part of the Message-ID.
const MAX_ID_CHARS: usize = 128;

/// Builds the mail of the job `id`. All its errors are permanent.
pub(super) fn build(id: &str, message: &Message, from: &str) -> Result<Mail, MailError> {
    if !is_plain(id) {
        return Err(MailError::permanent("the id of a mail may contain only letters, digits, - and _"));
    }
    let from = sender(from)?;
    let from = match &message.sender {
        Some(name) => Mailbox::new(Some(header_text(name)), from.email),
        None => from,
    };
    let message_id = format!("<{id}@{}>", from.email.domain());
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    Mail::builder()
        .from(from)
        .to(recipient(&message.to)?)
        .subject(header_text(&message.subject))
        .message_id(Some(message_id))
        .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
        .multipart(
            MultiPart::alternative()
                .singlepart(part(ContentType::TEXT_PLAIN, &message.text))
                .singlepart(part(ContentType::TEXT_HTML, &message.html)),
        )
        .map_err(|error| MailError::permanent(format!("cannot build the mail: {error}")))
}

/// A text as the value of a header.
fn header_text(text: &str) -> String {
    one_line(text).replace("=?", "= ?")
}

fn part(content: ContentType, body: &str) -> SinglePart {
    SinglePart::builder().header(content).body(body.to_owned())
}

fn is_plain(id: &str) -> bool {
    (1..=MAX_ID_CHARS).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

pub(super) fn sender(from: &str) -> Result<Mailbox, MailError> {
    let invalid = |_| MailError::permanent("the sender is not a mail address");
    let Mailbox { name, email } = header_text(from).parse().map_err(invalid)?;
    Ok(Mailbox::new(name, address(email.user(), email.domain())?))
}

fn recipient(to: &EmailAddress) -> Result<Mailbox, MailError> {
    Ok(Mailbox::new(None, address(to.local(), to.domain())?))
}

/// An address with its domain in ASCII, so that only a non-ASCII local part needs SMTPUTF8.
fn address(local: &str, domain: &str) -> Result<Address, MailError> {
    let invalid = || MailError::permanent("an address cannot be written in SMTP");
    let domain = idna::domain_to_ascii(domain).map_err(|_| invalid())?;
    Address::new(local, domain).map_err(|_| invalid())
}
