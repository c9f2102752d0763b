//! The frame of the portal's pages: the organization's name, logo and colour, the sections, and the person.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use tenantry_core::organization::Organization;
use tenantry_core::values::HttpUrl;

use super::brand;
use super::guard::logo_source;
use super::visit::{Guest, Site};
use crate::respond;
use crate::screen::{Block, Cell, FactValue, Kind, Screen};
use crate::texts::{ENGLISH, GERMAN, Texts};
use crate::view::{LanguageLink, NavItem, done, filled, initials};
use crate::visitor::Visitor;

/// The frame of a page.
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) assets: String,
    pub(super) brand: Brand,
    /// The path of the portal; empty without an organization.
    pub(super) home: String,
    pub(super) nav: Vec<NavItem>,
    /// Name and address of the person; empty without a session.
    pub(super) person: String,
    pub(super) email: String,
    /// The word for the last action that succeeded; empty without one.
    pub(super) flash: &'static str,
    /// A note above the content of a page without a session.
    pub(super) note: String,
    /// The page of the organization's product that opened the portal, and the words of the link; empty without one.
    pub(super) return_url: String,
    pub(super) return_label: String,
    /// The address for questions; empty without one.
    pub(super) contact: String,
    pub(super) languages: [LanguageLink; 2],
    /// Whether another site embeds the page. Browsers refuse to focus a field by itself there.
    pub(super) is_framed: bool,
}

/// The name, logo and colour of an organization.
#[derive(Default)]
pub(crate) struct Brand {
    pub(crate) name: String,
    pub(crate) initial: String,
    /// The address of a picture; empty without one.
    pub(crate) logo: String,
    /// The style sheet of the colour; empty without a colour.
    pub(crate) style: String,
}

impl Brand {
    fn of(organization: &Organization, assets: &str) -> Self {
        let profile = &organization.profile;
        // The policy of the pages lets browsers load no other.
        let logo = profile.avatar_url.as_ref().filter(|url| !logo_source(url).is_empty());
        let style = profile.portal.color.as_ref().map(|color| format!("{assets}/{}", brand::file(color)));
        Self {
            name: organization.name.to_string(),
            initial: initials(organization.name.as_str()).chars().take(1).collect(),
            logo: logo.map(|url| url.as_str().to_owned()).unwrap_or_default(),
            style: style.unwrap_or_default(),
        }
    }
}

/// The section of the navigation that a page belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    Billing,
    Email,
    Team,
    Sessions,
}

impl Frame {
    /// The frame of a page before and outside of a session.
    pub(super) fn of_gate(visitor: &Visitor, site: Option<&Site>, title: &str, note: &str) -> Self {
        let assets = visitor.console.portal_assets.clone();
        let link = |texts: &Texts, name| {
            let current = texts.language == visitor.t.language;
            LanguageLink { code: texts.language, name, current }
        };
        let contact = site.and_then(|site| site.organization.profile.email.as_ref());
        Self {
            title: title.to_owned(),
            brand: site.map(|site| Brand::of(&site.organization, &assets)).unwrap_or_default(),
            assets,
            home: site.map(|site| site.home.clone()).unwrap_or_default(),
            nav: Vec::new(),
            person: String::new(),
            email: String::new(),
            flash: "",
            note: note.to_owned(),
            return_url: String::new(),
            return_label: String::new(),
            contact: contact.map(ToString::to_string).unwrap_or_default(),
            languages: [link(&ENGLISH, "English"), link(&GERMAN, "Deutsch")],
            is_framed: site.is_some_and(|site| site.cookies.is_framed()),
        }
    }

    /// The frame of a page of a session.
    pub(super) fn of_guest(guest: &Guest, section: Section, title: &str) -> Self {
        let (visitor, site, t) = (&guest.visit.visitor, guest.site(), guest.t);
        let frame = Self::of_gate(visitor, Some(site), title, "");
        let (person, email) = person(guest);
        let return_url = guest.session().return_url.as_ref().map(HttpUrl::as_str).unwrap_or_default();
        Self {
            nav: sections(guest, section),
            person,
            email,
            flash: done(t, &visitor.parameter("done")),
            return_url: return_url.to_owned(),
            return_label: filled(t.portal.back_to, site.name()),
            ..frame
        }
    }
}

/// Name and address of the person of a session; one of them can be empty.
pub(super) fn person(guest: &Guest) -> (String, String) {
    let caller = &guest.known.caller;
    let (name, email) = match &caller.member {
        Some(member) => (member.name.as_ref(), Some(&member.email)),
        None => (caller.customer.name.as_ref(), caller.customer.contact()),
    };
    let email = email.map(ToString::to_string).unwrap_or_default();
    match name.map(ToString::to_string) {
        Some(name) => (name, email),
        None => (email, String::new()),
    }
}

/// The sections that are open to the person.
fn sections(guest: &Guest, current: Section) -> Vec<NavItem> {
    let (words, rights, site) = (&guest.t.portal_pages, guest.rights(), guest.site());
    let item = |(icon, label, href, section, is_open): (_, _, String, Section, bool)| {
        is_open.then(|| NavItem { icon, label, href, current: section == current, count: String::new() })
    };
    let all = [
        ("home", guest.t.portal.overview, site.home.clone(), Section::Overview, true),
        ("log", words.billing, site.to("billing"), Section::Billing, rights.billing_details),
        ("mail", words.address, site.to("email"), Section::Email, rights.email_change),
        ("team", words.team, site.to("team"), Section::Team, rights.team),
        ("screen", words.sessions, site.to("sessions"), Section::Sessions, rights.sessions),
    ];
    all.into_iter().filter_map(item).collect()
}

#[derive(Template)]
#[template(path = "portal/screen.html")]
struct ScreenPage {
    t: &'static Texts,
    frame: Frame,
    screen: Screen,
}

/// A screen in the frame of the portal.
pub(super) fn show(screen: Screen, status: StatusCode, t: &'static Texts, frame: Frame) -> Response {
    respond::page(status, &ScreenPage { t, frame, screen })
}
