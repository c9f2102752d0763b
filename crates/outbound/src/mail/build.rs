//! From a message to the text that travels (RFC 5322): headers, encodings, identity.
//!
//! Whatever becomes a header is reduced to one line first. Domains travel in ASCII. The `Date` and the
//! boundary between the two forms of the body are the mail library's own.

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message as Mail};
use tenantry_core::values::EmailAddress;

use super::templates::one_line;
use super::{MailError, Message};

/// Characters of an id, which becomes a file name and half of the Message-ID.
const MAX_ID_CHARS: usize = 128;

/// The mail for the work `id`, or a permanent error: nothing about it changes by waiting.
pub(super) fn build(id: &str, message: &Message, from: &str) -> Result<Mail, MailError> {
    if !is_plain(id) {
        return Err(MailError::permanent("the id of a mail may hold only letters, digits, - and _"));
    }
    let from = sender(from)?;
    let message_id = format!("<{id}@{}>", from.email.domain());
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    Mail::builder()
        .from(from)
        .to(recipient(&message.to)?)
        .subject(one_line(&message.subject))
        .message_id(Some(message_id))
        .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
        .multipart(
            MultiPart::alternative()
                .singlepart(part(ContentType::TEXT_PLAIN, &message.text))
                .singlepart(part(ContentType::TEXT_HTML, &message.html)),
        )
        .map_err(|error| MailError::permanent(format!("the mail cannot be written: {error}")))
}

fn part(content: ContentType, body: &str) -> SinglePart {
    SinglePart::builder().header(content).body(body.to_owned())
}

fn is_plain(id: &str) -> bool {
    (1..=MAX_ID_CHARS).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

pub(super) fn sender(from: &str) -> Result<Mailbox, MailError> {
    let unusable = |_| MailError::permanent("the sender is not a mail address");
    let Mailbox { name, email } = one_line(from).parse().map_err(unusable)?;
    Ok(Mailbox::new(name, address(email.user(), email.domain())?))
}

fn recipient(to: &EmailAddress) -> Result<Mailbox, MailError> {
    Ok(Mailbox::new(None, address(to.local(), to.domain())?))
}

/// An address as it travels: the domain in ASCII, so that only a non-ASCII local part needs SMTPUTF8.
fn address(local: &str, domain: &str) -> Result<Address, MailError> {
    let unusable = || MailError::permanent("an address cannot be used in SMTP");
    let domain = idna::domain_to_ascii(domain).map_err(|_| unusable())?;
    Address::new(local, domain).map_err(|_| unusable())
}
