//! Writes the product's mails: from the facts of a mail to its subject, text and HTML.
//!
//! - `compose` arranges the facts of each kind of mail as a `Letter`, with the words of `texts`.
//! - One layout, `templates/mail.html` and `templates/mail.txt`, renders it. So both parts say the same.
//! - `samples` are mails of every kind, to look at.
//!
//! Names are user input, so each of them passes through `name` before it enters a subject or body: no name makes a
//! link or a line of its own. A link never has a secret outside its fragment, which no server sees, so a program that
//! opens links uses nothing up.

mod compose;
mod samples;
#[cfg(test)]
mod tests;
mod texts;

use askama::Template;
use tenantry_core::ids::OrganizationId;
use tenantry_core::mail::MailContent;
use tenantry_core::user::Language;
use tenantry_core::values::{EmailAddress, HttpUrl, one_line, unlinked};

use super::{MailError, Mailer, Message};
pub use samples::{Sample, samples};
use texts::Texts;

/// The characters of a name that a mail shows.
const NAME_CHARS: usize = 100;
/// The fonts of a mail, none of which is loaded.
const SANS: &str = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif";
const MONO: &str = "ui-monospace, 'SF Mono', Menlo, Consolas, 'Liberation Mono', monospace";

/// The facts of a mail that are the same for many mails.
#[derive(Debug, Clone)]
pub struct Stationery {
    /// The sender's name, above mails that are about no organization.
    pub sender: String,
    /// The language of mails to people whose language is unknown.
    pub language: Language,
    /// The address of the portal of customers. Without it, mails to them contain the secret alone.
    pub portal: Option<HttpUrl>,
    /// The address of the console. Without it, mails contain no links to it, and invitations the secret alone.
    pub console: Option<HttpUrl>,
}

impl Stationery {
    /// Mails of this sender, `ADDRESS` or `NAME <ADDRESS>`, in English, without links.
    #[must_use]
    pub fn of_sender(from: &str) -> Self {
        let sender = Mailer::sender_name(from).unwrap_or_default();
        Self { sender, language: Language::English, portal: None, console: None }
    }
}

/// A mail to be written.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// The recipient.
    pub to: EmailAddress,
    /// The kind and its facts.
    pub content: &'a MailContent,
    /// The secret that the mail carries; empty if it has none.
    pub secret: &'a str,
    /// The language. Absent for the one of [`Stationery`].
    pub language: Option<Language>,
    /// The organization that the mail is about, for links.
    pub organization: OrganizationId,
    /// The sender's name that the organization chose. Absent for the operator's.
    pub sender: Option<&'a str>,
}

/// The parts of a mail, in the order in which both parts show it.
#[derive(Debug, Default)]
struct Letter {
    subject: String,
    heading: String,
    paragraphs: Vec<String>,
    /// A code to type.
    code: Option<String>,
    /// Labels and values.
    facts: Vec<(String, String)>,
    action: Option<Action>,
    /// A text to copy.
    token: Option<String>,
    notes: Vec<String>,
    /// Why the recipient got the mail.
    reason: String,
    /// The address of the page that switches such mails off.
    settings: Option<String>,
    /// The organization that the mail is about.
    organization: Option<String>,
}

/// A link.
#[derive(Debug)]
struct Action {
    label: &'static str,
    url: String,
}

#[derive(Template)]
#[template(path = "mail.txt")]
struct TextPart<'a> {
    letter: &'a Letter,
    brand: &'a str,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct HtmlPart<'a> {
    letter: &'a Letter,
    brand: &'a str,
    language: &'a str,
    open_instead: &'a str,
    sans: &'a str,
    mono: &'a str,
}

/// Writes a mail.
pub fn write(draft: &Draft<'_>, stationery: &Stationery) -> Result<Message, MailError> {
    let language = draft.language.unwrap_or(stationery.language);
    let t = Texts::of(language);
    let letter = compose::letter(t, draft, stationery);
    let sender = name(&stationery.sender);
    let brand = letter.organization.as_deref().unwrap_or(&sender);
    let text = TextPart { letter: &letter, brand }.render().map_err(unrendered)?;
    let html = HtmlPart {
        letter: &letter,
        brand,
        language: language.as_str(),
        open_instead: t.open_instead,
        sans: SANS,
        mono: MONO,
    };
    let html = html.render().map_err(unrendered)?;
    let sender = draft.sender.map(name).filter(|sender| !sender.is_empty());
    Ok(Message { to: draft.to.clone(), sender, subject: one_line(&letter.subject), text, html })
}

/// User input as a mail shows it.
fn name(text: &str) -> String {
    unlinked(text, NAME_CHARS)
}

fn unrendered(error: askama::Error) -> MailError {
    MailError::permanent(format!("a mail template failed: {error}"))
}
