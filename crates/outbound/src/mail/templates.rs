//! Renders the product's mails.
//!
//! Each mail has a text and an HTML template under `templates/`; the extension `.html` switches escaping on.
//! Names are user input, so each of them passes through `name` before it enters a subject or body: no name makes a
//! link or a line of its own.

use askama::Template;
use tenantry_core::values::{EmailAddress, HttpUrl, one_line, unlinked};

use super::{MailError, Message};

/// The characters of a name that a mail shows.
const NAME_CHARS: usize = 100;

/// Defines the template of a mail: its two files and the values that both of them show.
macro_rules! mail_template {
    ($name:ident, $text:tt, $html:tt, { $($value:ident: $kind:ty),+ }) => {
        struct $name<'a> {
            $($value: $kind),+
        }

        impl $name<'_> {
            fn message(self, to: EmailAddress, subject: String) -> Result<Message, MailError> {
                #[derive(Template)]
                #[template(path = $text)]
                struct Text<'a> {
                    $($value: $kind),+
                }
                #[derive(Template)]
                #[template(path = $html)]
                struct Html<'a> {
                    $($value: $kind),+
                }
                let Self { $($value),+ } = self;
                let text = Text { $($value),+ }.render().map_err(unrendered)?;
                let html = Html { $($value),+ }.render().map_err(unrendered)?;
                Ok(Message { to, subject: one_line(&subject), text, html })
            }
        }
    };
}

mail_template!(EmailChangeRequest, "email_change_request.txt", "email_change_request.html", {
    organization: &'a str, link: Option<&'a str>, token: &'a str, minutes: u32
});
mail_template!(EmailChangedNotice, "email_changed_notice.txt", "email_changed_notice.html", {
    organization: &'a str, masked: &'a str
});
mail_template!(TeamMemberAdded, "team_member_added.txt", "team_member_added.html", {
    organization: &'a str, role: &'a str, inviter: Option<&'a str>
});
mail_template!(ApiKeyAllowList, "api_key_allow_list.txt", "api_key_allow_list.html", {
    organization: &'a str, label: &'a str
});
/// The secret with which a recipient confirms a new e-mail address.
#[derive(Debug, Clone, Copy)]
pub enum Proof<'a> {
    /// A link to the page that confirms.
    Link(&'a HttpUrl),
    /// A token to enter where the change was requested.
    Token(&'a str),
}

/// Asks the owner of a new address to confirm it within `minutes`.
pub fn email_change_request(
    to: EmailAddress,
    organization: &str,
    proof: Proof<'_>,
    minutes: u32,
) -> Result<Message, MailError> {
    let organization = &name(organization);
    let (link, token) = match proof {
        Proof::Link(url) => (Some(url.as_str()), ""),
        Proof::Token(token) => (None, token),
    };
    EmailChangeRequest { organization, link, token: &one_line(token), minutes }
        .message(to, format!("Confirm your new e-mail address for {organization}"))
}

/// Informs the former address of a change of address. The new address is masked.
pub fn email_changed_notice(
    to: EmailAddress,
    organization: &str,
    new_address: &EmailAddress,
) -> Result<Message, MailError> {
    let organization = &name(organization);
    EmailChangedNotice { organization, masked: &masked(new_address) }
        .message(to, format!("Your e-mail address for {organization} was changed"))
}

/// Informs a new team member of an organization.
pub fn team_member_added(
    to: EmailAddress,
    organization: &str,
    role: &str,
    inviter: Option<&str>,
) -> Result<Message, MailError> {
    let organization = &name(organization);
    let inviter = inviter.map(name).filter(|name| !name.is_empty());
    TeamMemberAdded { organization, role: &name(role), inviter: inviter.as_deref() }
        .message(to, format!("You are now on the team of {organization}"))
}

/// Informs the administrators of an organization that the IP allow list of an API key changed.
pub fn api_key_allow_list(to: EmailAddress, organization: &str, label: &str) -> Result<Message, MailError> {
    let organization = &name(organization);
    ApiKeyAllowList { organization, label: &name(label) }
        .message(to, format!("Allowed addresses of an API key of {organization}"))
}

/// User input as a mail shows it.
fn name(text: &str) -> String {
    unlinked(text, NAME_CHARS)
}

/// The first character of the local part and the domain, as a mail shows it: `a***@ x. dev`.
fn masked(address: &EmailAddress) -> String {
    let first: String = address.local().chars().take(1).collect();
    name(&format!("{first}***@{}", address.domain()))
}

fn unrendered(error: askama::Error) -> MailError {
    MailError::permanent(format!("a mail template failed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to() -> EmailAddress {
        EmailAddress::parse("ada@x.dev").unwrap()
    }

    const HOSTILE: &str = "A&B <b>\"x\"</b>\r\nBcc: eve@x.dev";
    const LINE: &str = "A&B <b>\"x\"</b> Bcc: eve@ x. dev";
    const ESCAPED: &str = "A&#38;B &#60;b&#62;&#34;x&#34;&#60;/b&#62; Bcc: eve@ x. dev";

    /// Every mail, with the same text for each value that is user input.
    fn all(name: &str) -> Vec<Message> {
        let link = HttpUrl::parse("https://x.dev/confirm?token=a&b=c").unwrap();
        let new = EmailAddress::parse("grace@y.dev").unwrap();
        [
            email_change_request(to(), name, Proof::Link(&link), 30),
            email_change_request(to(), name, Proof::Token(name), 30),
            email_changed_notice(to(), name, &new),
            team_member_added(to(), name, name, Some(name)),
            team_member_added(to(), name, name, None),
            api_key_allow_list(to(), name, name),
        ]
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap()
    }

    #[test]
    fn names_are_escaped_in_html_alone_and_stay_on_one_line() {
        for message in all(HOSTILE) {
            assert!(message.html.contains(ESCAPED), "{}", message.html);
            assert!(!message.html.contains("<b>"), "{}", message.html);
            assert!(message.text.contains(LINE), "{}", message.text);
            assert!(!message.text.contains("&#"), "{}", message.text);
            assert!(message.subject.contains(LINE), "{}", message.subject);
            assert!(!message.subject.contains(['\r', '\n']));
        }
    }

    #[test]
    fn both_parts_contain_the_link() {
        let link = HttpUrl::parse("https://x.dev/confirm?token=a&b=\"").unwrap();
        let message = email_change_request(to(), "Acme", Proof::Link(&link), 1).unwrap();
        assert!(message.text.contains("https://x.dev/confirm?token=a&b=%22\n"), "{}", message.text);
        assert!(
            message.html.contains("href=\"https://x.dev/confirm?token=a&#38;b=%22\""),
            "{}",
            message.html
        );
        assert!(message.text.contains("1 minute."), "{}", message.text);
        assert_eq!(message.subject, "Confirm your new e-mail address for Acme");
    }

    #[test]
    fn both_parts_contain_the_token_on_its_own() {
        let message = email_change_request(to(), "Acme", Proof::Token("tok_123"), 30).unwrap();
        assert!(message.text.contains("\n    tok_123\n"), "{}", message.text);
        assert!(message.html.contains("<code>tok_123</code>"), "{}", message.html);
        assert!(message.text.contains("30 minutes."), "{}", message.text);
    }

    #[test]
    fn the_notice_masks_the_new_address() {
        let new = EmailAddress::parse("grace.hopper@y.dev").unwrap();
        let message = email_changed_notice(to(), "Acme", &new).unwrap();
        assert!(message.text.contains("g***@ y. dev") && message.html.contains("g***@ y. dev"));
        assert!(!message.text.contains("grace") && !message.html.contains("grace"));
    }

    #[test]
    fn the_name_of_the_inviter_is_optional() {
        let text = team_member_added(to(), "Acme", "admin", Some("Grace")).unwrap().text;
        assert!(text.contains("Grace added you to the team of Acme"), "{text}");
        for inviter in [None, Some(" \n")] {
            let text = team_member_added(to(), "Acme", "admin", inviter).unwrap().text;
            assert!(text.contains("You were added to the team of Acme"), "{text}");
        }
    }

    #[test]
    fn both_parts_contain_every_value() {
        let message = api_key_allow_list(to(), "Acme", "CI").unwrap();
        for body in [&message.text, &message.html] {
            assert!(body.contains("CI") && body.contains("Acme"), "{body}");
        }
    }

    #[test]
    fn no_name_makes_a_link() {
        let hostile = "https://evil.example/x www.evil.example mailto:eve@evil.example evil\u{3002}example";
        for message in all(hostile) {
            let texts = [&message.subject, &message.text, &message.html];
            for text in texts.map(|text| text.replace("https://x.dev/confirm", "").replace(hostile, "")) {
                for link in ["://", "evil.e", "www.e", "mailto:e", "@evil", "evil\u{3002}e"] {
                    assert!(!text.contains(link), "{link}: {text}");
                }
            }
        }
    }
}
