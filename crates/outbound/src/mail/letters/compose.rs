//! Arranges the facts of each kind of mail, with the words of one language.

use tenantry_core::Timestamp;
use tenantry_core::invitation::accept_url;
use tenantry_core::mail::{ExpiringToken, MailContent};
use tenantry_core::team::TeamRole;
use tenantry_core::values::{EmailAddress, HttpUrl, Slug, one_line};

use super::texts::{Texts, filled};
use super::{Action, Draft, Letter, Stationery, name};

/// The digits of one group of a code.
const GROUP: usize = 4;

/// The letter of a mail.
pub(super) fn letter(t: &'static Texts, draft: &Draft<'_>, stationery: &Stationery) -> Letter {
    let w = Writer { t, draft, stationery };
    let letter = arranged(&w);
    match draft.content.topic() {
        Some(_) => {
            let reason = format!("{} {}", letter.reason, t.switch_off);
            Letter { reason, settings: w.address("/notices"), ..letter }
        }
        None => letter,
    }
}

/// The letter without the way to switch such mails off.
fn arranged(w: &Writer<'_>) -> Letter {
    let t = w.t;
    match w.draft.content {
        MailContent::SignInCode { minutes } => w.code(t.sign_in, *minutes, t.sign_in_not_you),
        MailContent::PortalSignInCode { organization, minutes, .. } => {
            w.about(organization, t.reason_code, |of| w.portal_code(of, *minutes))
        }
        MailContent::NewAddressCode { minutes } => w.code(t.new_address, *minutes, t.new_address_not_you),
        MailContent::AddressChanged { new_address } => w.address_changed(new_address),
        MailContent::NewSignIn { browser, address, at } => w.new_sign_in(browser, address.as_deref(), *at),
        MailContent::OwnTokensExpiring { tokens, more } => w.own_tokens(tokens, *more),
        MailContent::EmailChangeRequest { organization, slug, minutes } => {
            w.about(organization, t.reason_customer, |of| w.confirmation(of, slug, *minutes))
        }
        MailContent::EmailChanged { organization, new_address } => {
            w.about(organization, t.reason_customer, |of| w.email_changed(of, new_address))
        }
        MailContent::TeamMemberAdded { organization, role, inviter } => {
            w.about(organization, t.reason_team, |of| w.member_added(of, *role, inviter.as_deref()))
        }
        MailContent::TeamInvitation { organization, role, inviter, until } => {
            w.about(organization, t.reason_team, |of| w.invitation(of, *role, inviter.as_deref(), *until))
        }
        MailContent::OwnershipOffered { organization, owner, days } => {
            w.about(organization, t.reason_team, |of| w.offer(of, owner.as_deref(), *days))
        }
        MailContent::OwnershipMoved { organization, owner, is_owner } => {
            w.about(organization, t.reason_administrator, |of| w.moved(of, owner.as_deref(), *is_owner))
        }
        MailContent::ApiKeyAllowList { organization, label } => {
            w.about(organization, t.reason_administrator, |of| w.allow_list(of, label))
        }
        MailContent::TokensExpiring { organization, tokens, more } => {
            w.about(organization, t.reason_administrator, |of| w.tokens(of, tokens, *more))
        }
        MailContent::WebhookEndpointFailing { organization, endpoint, failures, most } => {
            let then = filled(t.failing_then, &[("most", &most.to_string())]);
            let words = (t.failing_subject, t.failing, then);
            w.about(organization, t.reason_administrator, |of| w.endpoint(of, endpoint, *failures, words))
        }
        MailContent::WebhookEndpointDisabled { organization, endpoint, failures } => {
            let words = (t.disabled_subject, t.disabled, t.disabled_then.to_owned());
            w.about(organization, t.reason_administrator, |of| w.endpoint(of, endpoint, *failures, words))
        }
    }
}

/// The words and facts of one mail.
struct Writer<'a> {
    t: &'static Texts,
    draft: &'a Draft<'a>,
    stationery: &'a Stationery,
}

/// The name of an organization, for the texts that name it.
type Of<'a> = [(&'static str, &'a str); 1];

impl Writer<'_> {
    /// A letter about an organization. `reason` says why the recipient gets it.
    fn about(&self, organization: &str, reason: &str, arrange: impl FnOnce(&Of<'_>) -> Letter) -> Letter {
        let organization = name(organization);
        let mut letter = arrange(&[("organization", &organization)]);
        if !letter.heading.contains(&organization) {
            letter.facts.insert(0, fact(self.t.organization, organization.clone()));
        }
        let reason = self.reason(reason, &organization);
        Letter { reason, organization: Some(organization), ..letter }
    }

    fn reason(&self, text: &str, organization: &str) -> String {
        filled(text, &[("organization", organization)])
    }

    /// The address of a page of the console.
    fn address(&self, path: &str) -> Option<String> {
        let console = self.stationery.console.as_ref()?;
        Some(format!("{}/console{path}", console.as_str().trim_end_matches('/')))
    }

    /// A link to a page of the console.
    fn page(&self, label: &'static str, path: &str) -> Option<Action> {
        Some(Action { label, url: self.address(path)? })
    }

    /// A link to a page about the organization.
    fn organization_page(&self, label: &'static str, path: &str) -> Option<Action> {
        self.page(label, &format!("/organizations/{}{path}", self.draft.organization))
    }

    fn code(&self, heading: &str, minutes: u32, not_you: &str) -> Letter {
        let (t, code) = (self.t, grouped(self.draft.secret));
        Letter {
            subject: filled(t.code_subject, &[("code", &code)]),
            heading: heading.to_owned(),
            paragraphs: vec![t.sign_in_lead.to_owned()],
            code: Some(code),
            notes: vec![filled(t.code_works, &[("minutes", &minutes.to_string())]), not_you.to_owned()],
            reason: self.reason(t.reason_code, ""),
            ..Letter::default()
        }
    }

    fn portal_code(&self, of: &Of<'_>, minutes: u32) -> Letter {
        let (t, code) = (self.t, one_line(self.draft.secret));
        let [(_, organization)] = of;
        let works = filled(t.portal_works, &[("minutes", &minutes.to_string())]);
        Letter {
            subject: filled(t.portal_subject, &[("code", &code), ("organization", organization)]),
            heading: filled(t.portal_sign_in, of),
            paragraphs: vec![t.sign_in_lead.to_owned()],
            code: Some(code),
            notes: vec![works, t.sign_in_not_you.to_owned()],
            ..Letter::default()
        }
    }

    fn address_changed(&self, new: &EmailAddress) -> Letter {
        let t = self.t;
        Letter {
            subject: t.address_changed.to_owned(),
            heading: t.address_changed.to_owned(),
            paragraphs: vec![t.address_changed_lead.to_owned()],
            facts: vec![fact(t.new_address_label, name(&new.masked()))],
            notes: vec![t.tell_operator.to_owned()],
            reason: self.reason(t.reason_account, ""),
            ..Letter::default()
        }
    }

    fn new_sign_in(&self, browser: &str, address: Option<&str>, at: Timestamp) -> Letter {
        let t = self.t;
        let browser = Some(name(browser)).filter(|browser| !browser.is_empty());
        let mut facts = vec![fact(t.browser, browser.unwrap_or_else(|| t.unknown_browser.to_owned()))];
        facts.extend(address.map(|address| fact(t.from_address, name(address))));
        facts.push(fact(t.at, self.time(at)));
        Letter {
            subject: t.new_sign_in.to_owned(),
            heading: t.new_sign_in.to_owned(),
            paragraphs: vec![t.new_sign_in_lead.to_owned()],
            facts,
            action: self.page(t.show_sessions, "/sessions"),
            notes: vec![format!("{} {}", t.new_sign_in_ok, t.new_sign_in_not_you)],
            reason: self.reason(t.reason_account, ""),
            ..Letter::default()
        }
    }

    fn own_tokens(&self, tokens: &[ExpiringToken], more: u32) -> Letter {
        let t = self.t;
        Letter {
            subject: t.own_expiring_subject.to_owned(),
            heading: t.own_expiring_subject.to_owned(),
            paragraphs: vec![t.expiring_lead.to_owned()],
            facts: self.expiring(tokens),
            notes: self.more(more).into_iter().chain([t.own_expiring_then.to_owned()]).collect(),
            reason: self.reason(t.reason_account, ""),
            ..Letter::default()
        }
    }

    fn confirmation(&self, of: &Of<'_>, slug: &Slug, minutes: u32) -> Letter {
        let t = self.t;
        let secret = one_line(self.draft.secret);
        let link = self.stationery.portal.as_ref().and_then(|portal| {
            let base = portal.as_str().trim_end_matches('/');
            HttpUrl::parse(&format!("{base}/{slug}/portal/email-update#token={secret}")).ok()
        });
        let works = if minutes == 1 { t.confirm_one_minute } else { t.confirm_works };
        let letter = Letter {
            subject: filled(t.confirm_subject, of),
            heading: t.confirm.to_owned(),
            paragraphs: vec![filled(t.confirm_lead, of)],
            notes: vec![filled(works, &[("minutes", &minutes.to_string())]), t.confirm_not_you.to_owned()],
            ..Letter::default()
        };
        with_secret(letter, link, secret, (t.confirm_button, t.confirm_token))
    }

    fn email_changed(&self, of: &Of<'_>, new: &EmailAddress) -> Letter {
        let t = self.t;
        Letter {
            subject: filled(t.changed_subject, of),
            heading: t.changed.to_owned(),
            paragraphs: vec![filled(t.changed_lead, of)],
            facts: vec![fact(t.new_address_label, name(&new.masked()))],
            notes: vec![filled(t.changed_not_you, of)],
            ..Letter::default()
        }
    }

    fn member_added(&self, of: &Of<'_>, role: TeamRole, inviter: Option<&str>) -> Letter {
        let t = self.t;
        Letter {
            subject: filled(t.added_subject, of),
            heading: filled(t.added_subject, of),
            paragraphs: vec![by(t.added_by, inviter, t.added)],
            facts: vec![fact(t.role, t.role_name(role).to_owned())],
            action: self.page(t.open_console, ""),
            notes: vec![filled(t.added_then, of)],
            ..Letter::default()
        }
    }

    fn invitation(&self, of: &Of<'_>, role: TeamRole, inviter: Option<&str>, until: Timestamp) -> Letter {
        let t = self.t;
        let secret = one_line(self.draft.secret);
        let console = self.stationery.console.as_ref();
        let link = console.and_then(|console| HttpUrl::parse(&accept_url(console.as_str(), &secret)).ok());
        let then = if link.is_some() { t.invited_then } else { t.invited_token_then };
        let letter = Letter {
            subject: filled(t.invited_subject, of),
            heading: filled(t.invited, of),
            paragraphs: vec![by(t.invited_by, inviter, t.invited_lead)],
            facts: vec![fact(t.role, t.role_name(role).to_owned()), fact(t.until, self.time(until))],
            notes: vec![then.to_owned(), filled(t.invited_unknown, of)],
            ..Letter::default()
        };
        with_secret(letter, link, secret, (t.invited_button, t.invited_token))
    }

    fn offer(&self, of: &Of<'_>, owner: Option<&str>, days: u32) -> Letter {
        let t = self.t;
        Letter {
            subject: filled(t.offered_subject, of),
            heading: filled(t.offered, of),
            paragraphs: vec![by(t.offered_by, owner, t.offered_lead)],
            action: self.organization_page(t.open_organization, ""),
            notes: vec![
                filled(t.offered_then, &[("days", &days.to_string())]),
                t.offered_unwanted.to_owned(),
            ],
            ..Letter::default()
        }
    }

    fn moved(&self, of: &Of<'_>, owner: Option<&str>, is_owner: bool) -> Letter {
        let t = self.t;
        let (subject, lead) =
            if is_owner { (t.moved_to_you_subject, t.moved_to_you) } else { (t.moved_subject, t.moved) };
        let owner = owner.map(name).filter(|owner| !owner.is_empty() && !is_owner);
        Letter {
            subject: filled(subject, of),
            heading: filled(subject, of),
            paragraphs: vec![lead.to_owned()],
            facts: owner.map(|owner| fact(t.new_owner, owner)).into_iter().collect(),
            action: self.organization_page(t.open_organization, ""),
            notes: vec![t.moved_not_you.to_owned()],
            ..Letter::default()
        }
    }

    fn allow_list(&self, of: &Of<'_>, label: &str) -> Letter {
        let t = self.t;
        Letter {
            subject: filled(t.networks_subject, of),
            heading: t.networks.to_owned(),
            paragraphs: vec![t.networks_lead.to_owned()],
            facts: vec![fact(t.key, name(label))],
            action: self.organization_page(t.show_tokens, "/tokens"),
            notes: vec![t.networks_not_you.to_owned()],
            ..Letter::default()
        }
    }

    fn tokens(&self, of: &Of<'_>, tokens: &[ExpiringToken], more: u32) -> Letter {
        let t = self.t;
        Letter {
            subject: filled(t.expiring_subject, of),
            heading: t.expiring.to_owned(),
            paragraphs: vec![t.expiring_lead.to_owned()],
            facts: self.expiring(tokens),
            action: self.organization_page(t.show_tokens, "/tokens"),
            notes: self.more(more).into_iter().chain([t.expiring_then.to_owned()]).collect(),
            ..Letter::default()
        }
    }

    fn endpoint(
        &self,
        of: &Of<'_>,
        endpoint: &str,
        failures: u32,
        (subject, heading, then): (&str, &str, String),
    ) -> Letter {
        let t = self.t;
        Letter {
            subject: filled(subject, of),
            heading: heading.to_owned(),
            paragraphs: vec![filled(t.failing_lead, &[("failures", &failures.to_string())])],
            facts: vec![fact(t.endpoint, name(endpoint))],
            action: self.organization_page(t.show_webhooks, "/webhooks"),
            notes: vec![then],
            ..Letter::default()
        }
    }

    fn expiring(&self, tokens: &[ExpiringToken]) -> Vec<(String, String)> {
        let until =
            |token: &ExpiringToken| filled(self.t.token_until, &[("time", &self.time(token.expires_at))]);
        tokens.iter().map(|token| (until(token), name(&token.label))).collect()
    }

    fn more(&self, more: u32) -> Option<String> {
        (more > 0).then(|| filled(self.t.more_tokens, &[("more", &more.to_string())]))
    }

    /// A time to the minute.
    fn time(&self, time: Timestamp) -> String {
        let iso = time.to_string();
        let part = |range| iso.get(range).unwrap_or_default();
        let month = part(5..7).parse::<usize>().unwrap_or_default().saturating_sub(1);
        let month = self.t.months.split(' ').nth(month).unwrap_or_default();
        let day = part(8..10).trim_start_matches('0');
        let day = filled(self.t.day, &[("day", day), ("month", month), ("year", part(0..4))]);
        filled(self.t.time, &[("day", &day), ("clock", part(11..16))])
    }
}

/// A label and its value.
fn fact(label: &str, value: String) -> (String, String) {
    (label.to_owned(), value)
}

/// A letter with a link that carries a secret or, without a link, with the secret alone.
fn with_secret(
    letter: Letter,
    link: Option<HttpUrl>,
    secret: String,
    (button, alone): (&'static str, &str),
) -> Letter {
    match link {
        Some(url) => {
            Letter { action: Some(Action { label: button, url: url.as_str().to_owned() }), ..letter }
        }
        None => {
            let paragraphs = letter.paragraphs.into_iter().chain([alone.to_owned()]).collect();
            Letter { paragraphs, token: Some(secret), ..letter }
        }
    }
}

/// A text that names a person, or the other one if the person has no name.
fn by(text: &str, person: Option<&str>, without: &str) -> String {
    let person = person.map(name).filter(|person| !person.is_empty());
    person.map_or_else(|| without.to_owned(), |person| filled(text, &[("person", &person)]))
}

/// A code in two groups.
fn grouped(code: &str) -> String {
    let code = one_line(code);
    code.split_at_checked(GROUP).map_or_else(|| code.clone(), |(one, two)| format!("{one} {two}"))
}
