//! The parts that every page shows around its content.

use tenantry_app::console::OrganizationNumbers;
use tenantry_app::{Error, Requester, TeamPermission};
use tenantry_core::organization::Organization;
use tenantry_core::team::{TeamMember, TeamRole};
use tenantry_core::user::User;
use tenantry_store::{OrganizationFilter, Page as PageOfList};

use crate::texts::{ENGLISH, GERMAN, Texts};
use crate::visitor::Visitor;
use crate::{Console, ROOT};

/// Organizations in the menu for switching.
const PLACES: usize = 8;
/// Rows of a page of a list.
pub(crate) const ROWS: u64 = 50;

/// The frame of a page before and outside of a session.
pub(crate) struct Gate {
    pub(crate) title: String,
    pub(crate) assets: String,
    pub(crate) root: &'static str,
    pub(crate) note: String,
    pub(crate) languages: [LanguageLink; 2],
}

pub(crate) struct LanguageLink {
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    pub(crate) current: bool,
}

impl Gate {
    pub(crate) fn new(console: &Console, t: &'static Texts, title: &str, note: &str) -> Self {
        let link = |texts: &Texts, name| {
            let current = texts.language == t.language;
            LanguageLink { code: texts.language, name, current }
        };
        Self {
            title: title.to_owned(),
            assets: console.assets.clone(),
            root: ROOT,
            note: note.to_owned(),
            languages: [link(&ENGLISH, "English"), link(&GERMAN, "Deutsch")],
        }
    }
}

/// The frame of a page of a session.
pub(crate) struct Page {
    pub(crate) title: String,
    pub(crate) assets: String,
    pub(crate) root: &'static str,
    /// The path of the organization's pages.
    pub(crate) here: String,
    pub(crate) place: Place,
    pub(crate) places: Vec<PlaceLink>,
    pub(crate) nav: Vec<NavGroup>,
    pub(crate) person: Person,
    /// The word for the last action that succeeded; empty without one.
    pub(crate) flash: &'static str,
    pub(crate) calls: Vec<Call>,
}

/// The organization that a page is about; empty for a page about the person.
#[derive(Default)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) slug: String,
    pub(crate) initial: String,
    pub(crate) role: &'static str,
}

pub(crate) struct PlaceLink {
    pub(crate) name: String,
    pub(crate) initial: String,
    pub(crate) href: String,
}

/// Items of the navigation under one heading, which can be empty.
pub(crate) struct NavGroup {
    pub(crate) title: &'static str,
    pub(crate) items: Vec<NavItem>,
}

pub(crate) struct NavItem {
    pub(crate) icon: &'static str,
    pub(crate) label: &'static str,
    pub(crate) href: String,
    pub(crate) current: bool,
    /// The number of rows; empty when it is not shown.
    pub(crate) count: String,
}

pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) initials: String,
}

/// An API call, or a command of the operator, that shows or does the same.
pub(crate) struct Call {
    /// Empty for a command.
    pub(crate) method: &'static str,
    /// The path of a call, or the command in short.
    pub(crate) path: String,
    pub(crate) command: String,
}

impl Call {
    /// A command on the machine of the server.
    pub(crate) fn command(words: &[&str]) -> Self {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_@.+".contains(&byte);
        let quoted = |word: &&str| match !word.is_empty() && word.bytes().all(is_plain) {
            true => (*word).to_owned(),
            false => format!("'{}'", word.replace('\'', "'\\''")),
        };
        let command = words.iter().map(quoted).collect::<Vec<_>>().join(" ");
        Self { method: "", path: command.clone(), command }
    }

    /// A call with a JSON body, which is empty when the call has none.
    pub(crate) fn new(visitor: &Visitor, method: &'static str, path: String, body: &str) -> Self {
        let mut command = String::from("curl ");
        if method != "GET" {
            command.push_str(&format!("-X {method} "));
        }
        let address = format!("{}{path}", visitor.base());
        // A shell would read some characters of a query.
        match address.contains(['?', '&', '*', ' ', '\'']) {
            true => command.push_str(&format!("'{}'", address.replace('\'', "%27"))),
            false => command.push_str(&address),
        }
        command.push_str(" \\\n  -H \"Authorization: Bearer $TOKEN\"");
        if !body.is_empty() {
            let body = body.replace('\'', "'\\''");
            command.push_str(&format!(" \\\n  -H \"Content-Type: application/json\" \\\n  -d '{body}'"));
        }
        Self { method, path, command }
    }
}

/// The links from one page of a list to the others.
pub(crate) struct Pages {
    pub(crate) text: String,
    pub(crate) previous: String,
    pub(crate) next: String,
}

/// The section of the navigation that a page belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Overview,
    Team,
    Customers,
    Tokens,
    Webhooks,
    Settings,
    AuditLog,
    Organizations,
    Invitations,
    Sessions,
    Passkeys,
    Profile,
    Notices,
    AllOrganizations,
    Health,
}

impl Page {
    /// The frame of a page about the person.
    pub(crate) async fn of_person(
        visitor: &Visitor,
        by: &Requester,
        section: Section,
        title: &str,
    ) -> Result<Self, Error> {
        let user = person(visitor, by).await?;
        let items = [
            ("orgs", visitor.t.nav.organizations, "organizations", Section::Organizations),
            ("mail", visitor.t.invitations.title, "invitations", Section::Invitations),
            ("person", visitor.t.nav.profile, "profile", Section::Profile),
            ("passkey", visitor.t.nav.passkeys, "passkeys", Section::Passkeys),
            ("screen", visitor.t.nav.sessions, "sessions", Section::Sessions),
            ("bell", visitor.t.notices.title, "notices", Section::Notices),
        ];
        let items = items.map(|(icon, label, path, of)| NavItem {
            icon,
            label,
            href: format!("{ROOT}/{path}"),
            current: of == section,
            count: String::new(),
        });
        let mut nav = vec![NavGroup { title: "", items: items.into() }];
        nav.extend(operator(visitor.t, by, section));
        let email = user.email.to_string();
        let name = user.name.map_or_else(|| email.clone(), |name| name.to_string());
        let person = Person { initials: initials(&name), name, email };
        Ok(Self::framed(visitor, title, nav, person, places(visitor, by).await?))
    }

    /// The frame of a page about an organization.
    pub(crate) async fn of_organization(
        visitor: &Visitor,
        by: &Requester,
        (organization, member): (&Organization, &TeamMember),
        section: Section,
        title: &str,
    ) -> Result<Self, Error> {
        let here = format!("{ROOT}/organizations/{}", organization.slug);
        let numbers = visitor.console.app.organization_numbers(by, organization.id).await?;
        let mut nav = sections(visitor.t, (&here, section), member.role, &numbers);
        nav.extend(operator(visitor.t, by, section));
        let email = member.email.to_string();
        let name = member.name.as_ref().map_or_else(|| email.clone(), ToString::to_string);
        let person = Person { initials: initials(&name), name, email };
        let page = Self::framed(visitor, title, nav, person, places(visitor, by).await?);
        let place = Place {
            name: organization.name.to_string(),
            slug: organization.slug.to_string(),
            initial: initials(organization.name.as_str()).chars().take(1).collect(),
            role: role_name(visitor.t, member.role),
        };
        Ok(Self { here, place, ..page })
    }

    fn framed(
        visitor: &Visitor,
        title: &str,
        nav: Vec<NavGroup>,
        person: Person,
        places: Vec<PlaceLink>,
    ) -> Self {
        Self {
            title: title.to_owned(),
            assets: visitor.console.assets.clone(),
            root: ROOT,
            here: String::new(),
            place: Place::default(),
            places,
            nav,
            person,
            flash: done(visitor.t, &visitor.parameter("done")),
            calls: Vec::new(),
        }
    }

    /// The page with the call that shows the same.
    pub(crate) fn with_call(self, visitor: &Visitor, path: String) -> Self {
        self.with(Call::new(visitor, "GET", path, ""))
    }

    /// The page with another call.
    pub(crate) fn with(mut self, call: Call) -> Self {
        self.calls.push(call);
        self
    }
}

/// The navigation of an organization, as far as a role sees it.
fn sections(
    t: &'static Texts,
    (here, current): (&str, Section),
    role: TeamRole,
    numbers: &OrganizationNumbers,
) -> Vec<NavGroup> {
    let OrganizationNumbers { people, customers, tokens } = *numbers;
    let item = |icon, label, path: &str, section, count: Option<u64>| NavItem {
        icon,
        label,
        href: format!("{here}{path}"),
        current: current == section,
        count: count.map(|count| number(t, count)).unwrap_or_default(),
    };
    let mut first = vec![item("home", t.nav.overview, "", Section::Overview, None)];
    if role.grants(TeamPermission::ReadTeam) {
        first.push(item("team", t.nav.team, "/team", Section::Team, people));
    }
    if role.grants(TeamPermission::ReadCustomers) {
        first.push(item("customers", t.customers.title, "/customers", Section::Customers, customers));
    }
    let mut groups = vec![NavGroup { title: "", items: first }];
    if role.grants(TeamPermission::ManageOrganization) {
        let developers = vec![
            item("key", t.tokens.title, "/tokens", Section::Tokens, tokens),
            item("hook", t.webhooks.title, "/webhooks", Section::Webhooks, None),
        ];
        groups.push(NavGroup { title: t.screens.developers, items: developers });
        let log = item("log", t.audit.title, "/audit-log", Section::AuditLog, None);
        let settings = vec![log, item("settings", t.settings.title, "/settings", Section::Settings, None)];
        groups.push(NavGroup { title: t.screens.organization, items: settings });
    }
    groups
}

/// The navigation of the operator, for people who are one.
fn operator(t: &'static Texts, by: &Requester, current: Section) -> Option<NavGroup> {
    let item = |icon, label, path: &str, section| NavItem {
        icon,
        label,
        href: format!("{ROOT}/operator/{path}"),
        current: current == section,
        count: String::new(),
    };
    let items = vec![
        item("orgs", t.operator.all, "organizations", Section::AllOrganizations),
        item("health", t.health.title, "health", Section::Health),
    ];
    by.has_operator_rights().then_some(NavGroup { title: t.operator.operator, items })
}

/// The word for an action that succeeded, by its name in the address of the page that follows it.
pub(crate) fn done(t: &'static Texts, action: &str) -> &'static str {
    let done = &t.done;
    match action {
        "created" => done.created,
        "saved" => done.saved,
        "deleted" => done.deleted,
        "restored" => done.restored,
        "forgotten" => done.forgotten,
        "removed" => done.removed,
        "revoked" => done.revoked,
        "sent" => done.sent,
        "offered" => done.offered,
        "withdrawn" => done.withdrawn,
        "accepted" => done.accepted,
        "left" => done.left,
        "declined" => done.declined,
        "suspended" => done.suspended,
        "unsuspended" => done.unsuspended,
        "ended" => done.ended,
        "all_ended" => done.all_ended,
        "started" => done.started,
        _ => "",
    }
}

async fn person(visitor: &Visitor, by: &Requester) -> Result<User, Error> {
    let user = by.user().ok_or(Error::CallerUnknown)?;
    visitor.console.app.person(user).await
}

/// Some organizations of the person, for the menu.
async fn places(visitor: &Visitor, by: &Requester) -> Result<Vec<PlaceLink>, Error> {
    let visible = by.organizations().iter().copied().take(PLACES).collect();
    let filter = OrganizationFilter { visible: Some(visible), ..OrganizationFilter::default() };
    let page = PageOfList { offset: 0, limit: u64::try_from(PLACES).unwrap_or(0) };
    let found = visitor.console.app.organizations(by, &filter, page).await?;
    let link = |organization: Organization| PlaceLink {
        initial: initials(organization.name.as_str()).chars().take(1).collect(),
        href: format!("{ROOT}/organizations/{}", organization.slug),
        name: organization.name.to_string(),
    };
    Ok(found.items.into_iter().map(link).collect())
}

/// The name of a role.
pub(crate) const fn role_name(t: &Texts, role: TeamRole) -> &'static str {
    match role {
        TeamRole::Owner => t.role.owner,
        TeamRole::Administrator => t.role.administrator,
        TeamRole::Developer => t.role.developer,
        TeamRole::Analyst => t.role.analyst,
        TeamRole::BillingManager => t.role.billing_manager,
    }
}

/// The text with a value in the place of `{}`.
pub(crate) fn filled(text: &str, value: &str) -> String {
    text.replacen("{}", value, 1)
}

/// Up to two initials of a name or an address.
pub(crate) fn initials(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let letters: String = words.take(2).filter_map(|word| word.chars().next()).collect();
    if letters.is_empty() { "?".to_owned() } else { letters.to_uppercase() }
}

/// A number with its groups of three digits apart.
pub(crate) fn number(t: &Texts, number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push_str(t.thousands);
        }
        text.push(digit);
    }
    text
}

/// The links of a page of a list. `link` makes the address of a page by its number.
pub(crate) fn pages(
    t: &Texts,
    (page, total): (u64, u64),
    (one, many): (&str, &str),
    link: impl Fn(u64) -> String,
) -> Pages {
    let text = match total {
        1 => one.to_owned(),
        total => filled(many, &number(t, total)),
    };
    let previous = if page > 1 { link(page - 1) } else { String::new() };
    let next = if page.saturating_mul(ROWS) < total { link(page.saturating_add(1)) } else { String::new() };
    Pages { text, previous, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_shortened_for_people() {
        assert_eq!(number(&ENGLISH, 12_480), "12,480");
        assert_eq!(number(&GERMAN, 1_000_000), "1.000.000");
        assert_eq!(number(&ENGLISH, 999), "999");
        assert_eq!(initials("Jane van Doe"), "JV");
        assert_eq!(initials("jane@acme.example"), "JA");
        assert_eq!(initials("…"), "?");
    }
}
