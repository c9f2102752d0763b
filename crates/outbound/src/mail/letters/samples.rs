//! Mails of every kind, to look at.

use tenantry_core::Timestamp;
use tenantry_core::ids::OrganizationId;
use tenantry_core::mail::{ExpiringToken, MailContent};
use tenantry_core::team::TeamRole;
use tenantry_core::user::Language;
use tenantry_core::values::{EmailAddress, HttpUrl, InvalidValue, Slug};
use uuid::Uuid;

use super::{Draft, Stationery, write};
use crate::mail::{MailError, Message};

/// A mail to look at.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The kind of mail, then the variant if it is not the usual one, then the language: `sign_in_code-de`.
    pub name: String,
    /// The mail.
    pub message: Message,
}

/// Names as people have them.
const PLAIN: Names = Names {
    is_owner: false,
    organization: "Blumenhaus Köln GmbH",
    person: "Grace Hopper",
    label: "Warehouse, nightly import",
    endpoint: "hooks.blumenhaus.example",
    browser: "Firefox · Linux",
};
/// Names that try to be links, markup, headers and more lines.
const HOSTILE: Names = Names {
    is_owner: true,
    organization: "<b>Acme</b> & Sons\r\nBcc: eve@evil.example https://evil.example/",
    person: "Eve <img src=x onerror=alert(1)> \u{202e}www.evil.example",
    label: "{organization}\n\n<script>alert(1)</script> javascript:alert(1) mailto:eve@evil.example",
    endpoint: "\"><a href=//evil.example>evil.example</a>",
    browser: "Click https://evil.example/ now, or a very long name that goes on and on and on and on and on and on",
};

/// The beginning of the secrets that a link carries.
const SECRET: &str = "tenantry_";

struct Names {
    /// Whether the mail about a new owner goes to that owner.
    is_owner: bool,
    organization: &'static str,
    person: &'static str,
    label: &'static str,
    endpoint: &'static str,
    browser: &'static str,
}

/// Mails of every kind in each language: with plain names, with hostile names, and with a bare secret where there is no
/// page for it. `stationery` tells the sender.
pub fn samples(stationery: &Stationery) -> Result<Vec<Sample>, MailError> {
    let invalid = |_: InvalidValue| MailError::permanent("a sample is not valid");
    let url = |text: &str| HttpUrl::parse(text).map(Some).map_err(invalid);
    let to = EmailAddress::parse("ada.lovelace@example.com").map_err(invalid)?;
    let bare = Stationery { portal: None, console: None, ..stationery.clone() };
    let linked = Stationery {
        portal: url("https://portal.example.com")?,
        console: url("https://tenantry.example.com")?,
        ..bare.clone()
    };
    let organization = OrganizationId::new(Uuid::nil());
    let mut samples = Vec::new();
    for (variant, names, stationery) in
        [("", PLAIN, &linked), ("-hostile", HOSTILE, &linked), ("-no_link", PLAIN, &bare)]
    {
        let mut mails = contents(&names).map_err(invalid)?;
        // Without a link, only mails with a secret for it are worth another look.
        mails.retain(|(_, secret)| stationery.console.is_some() || secret.starts_with(SECRET));
        for (content, secret) in mails {
            for language in Language::ALL {
                let draft = Draft {
                    to: to.clone(),
                    content: &content,
                    secret,
                    language: Some(language),
                    organization,
                    sender: None,
                };
                let name = format!("{}{variant}-{}", content.kind(), language.as_str());
                samples.push(Sample { name, message: write(&draft, stationery)? });
            }
        }
    }
    Ok(samples)
}

/// A mail of every kind, with its secret.
fn contents(names: &Names) -> Result<Vec<(MailContent, &'static str)>, InvalidValue> {
    let organization = || names.organization.to_owned();
    let person = || Some(names.person.to_owned());
    let new_address = EmailAddress::parse("grace.hopper@example.org")?;
    let at = |day: i64| Timestamp::from_micros(1_798_761_600_000_000).plus_seconds(day * 86_400 + 34_200);
    let token = |label: &str, day| ExpiringToken { label: label.to_owned(), expires_at: at(day) };
    let tokens = vec![token(names.label, 1), token("Website", 7)];
    let own = vec![token("0190a3c2-7b1e-4f00-8000-5d3c2b1a0f9e", 14)];
    let code = "48151623";
    let invitation = "tenantry_inv_SampleSampleSampleSampleSampleSample1";
    let proof = "tenantry_cev_SampleSampleSampleSampleSampleSample2";
    let slug = Slug::parse("blumenhaus")?;
    let mut contents = vec![
        (MailContent::SignInCode { minutes: 10 }, code),
        (MailContent::NewAddressCode { minutes: 10 }, code),
        (
            MailContent::PortalSignInCode {
                organization: organization(),
                slug: slug.clone(),
                minutes: 30,
                is_blank: false,
            },
            "A1B2C3",
        ),
        (MailContent::AddressChanged { new_address: new_address.clone() }, ""),
        (
            MailContent::NewSignIn {
                browser: names.browser.to_owned(),
                address: Some("203.0.113.7".to_owned()),
                at: at(0),
            },
            "",
        ),
        (
            MailContent::TeamInvitation {
                organization: organization(),
                role: TeamRole::Developer,
                inviter: person(),
                until: at(7),
            },
            invitation,
        ),
        (
            MailContent::TeamMemberAdded {
                organization: organization(),
                role: TeamRole::BillingManager,
                inviter: person(),
            },
            "",
        ),
        (MailContent::OwnershipOffered { organization: organization(), owner: person(), days: 7 }, ""),
        (
            MailContent::OwnershipMoved {
                organization: organization(),
                owner: person(),
                is_owner: names.is_owner,
            },
            "",
        ),
        (MailContent::ApiKeyAllowList { organization: organization(), label: names.label.to_owned() }, ""),
        (MailContent::TokensExpiring { organization: organization(), tokens, more: 3 }, ""),
        (MailContent::OwnTokensExpiring { tokens: own, more: 0 }, ""),
        (MailContent::EmailChangeRequest { organization: organization(), slug, minutes: 30 }, proof),
        (MailContent::EmailChanged { organization: organization(), new_address }, ""),
    ];
    contents.extend(of_endpoints(names).map(|content| (content, "")));
    Ok(contents)
}

/// The mails about endpoints of webhooks.
fn of_endpoints(names: &Names) -> [MailContent; 2] {
    let (organization, endpoint) = (names.organization.to_owned(), names.endpoint.to_owned());
    [
        MailContent::WebhookEndpointFailing {
            organization: organization.clone(),
            endpoint: endpoint.clone(),
            failures: 5,
            most: 10,
        },
        MailContent::WebhookEndpointDisabled { organization, endpoint, failures: 10 },
    ]
}
