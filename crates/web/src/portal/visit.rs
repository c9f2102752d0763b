//! Visits of the portal: what the handler of a page gets.
//!
//! | visit | of a page |
//! |---|---|
//! | [`Visit`] | before and outside of a session |
//! | [`Guest`] | of the customer or member of a session |

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::Method;
use axum::response::Response;
use tenantry_app::portal_sessions::PortalVisit;
use tenantry_app::{App, AuthenticationError, Error, Principal, Requester};
use tenantry_core::customer::CustomerKind;
use tenantry_core::member::MemberRole;
use tenantry_core::organization::Organization;
use tenantry_core::portal::{CustomerSession, PortalCookies, PortalError, PortalRights, SESSION_DURATION_S};
use tenantry_core::token::Secret;
use tenantry_store::UseCase;
use uuid::Uuid;

use super::respond;
use super::view::{Frame, Section};
use crate::respond::{redirect, with_cookie};
use crate::texts::Texts;
use crate::view::ROWS;
use crate::visit::Answer;
use crate::visitor::{Form, Visitor};
use crate::{Console, cookies};

/// The portal of one organization, as one kind of page sees it.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) organization: Organization,
    pub(super) cookies: PortalCookies,
    /// The path of the portal.
    pub(super) home: String,
}

impl Site {
    pub(super) fn new(organization: Organization, cookies: PortalCookies) -> Self {
        let home = format!("/{}/portal", organization.slug);
        Self { organization, cookies, home }
    }

    /// The name of the organization.
    pub(super) fn name(&self) -> &str {
        self.organization.name.as_str()
    }

    /// The address of a page.
    pub(super) fn to(&self, page: &str) -> String {
        format!("{}/{page}", self.home)
    }

    /// A header that sets a cookie of the portal; an empty value deletes it.
    pub(super) fn cookie(&self, name: &str, value: &str, max_age_s: i64) -> String {
        let age = if value.is_empty() { 0 } else { max_age_s };
        cookies::set_for(name, value, age, self.cookies.same_site())
    }

    /// The response that gives the browser a session.
    pub(super) fn signed_in(&self, secret: &str) -> Response {
        let response = redirect(&format!("{}?began=1", self.home));
        let response =
            with_cookie(response, &self.cookie(&self.cookies.session(), secret, SESSION_DURATION_S));
        with_cookie(response, &self.cookie(&self.cookies.sign_in(), "", 0))
    }
}

/// A request for a page that needs no session.
pub(super) struct Visit {
    pub(super) visitor: Visitor,
    pub(super) t: &'static Texts,
    pub(super) site: Arc<Site>,
    /// The fields of the form that was sent.
    pub(super) form: Form,
    path: Vec<(String, String)>,
}

impl Visit {
    pub(super) async fn of(console: Arc<Console>, request: Request) -> Result<Self, Box<Response>> {
        let (mut parts, body) = request.into_parts();
        let is_form = parts.method == Method::POST;
        let path = match RawPathParams::from_request_parts(&mut parts, &()).await {
            Ok(path) => path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            Err(_) => Vec::new(),
        };
        let site = parts.extensions.remove::<Arc<Site>>();
        let (visitor, body) = Visitor::of(console, Request::from_parts(parts, body));
        let Some(site) = site else {
            return Err(Box::new(respond::closed(&visitor, axum::http::StatusCode::NOT_FOUND)));
        };
        let form = if is_form { visitor.form(body).await? } else { Form::default() };
        Ok(Self { t: visitor.t, visitor, site, form, path })
    }

    pub(super) fn respond(&self, answer: Answer) -> Response {
        answer.unwrap_or_else(|error| respond::error(&self.visitor, &self.site, &error))
    }

    pub(super) fn app(&self) -> &App {
        &self.visitor.console.app
    }

    pub(super) fn not_found(&self) -> Response {
        respond::not_found(&self.visitor, &self.site)
    }

    /// The secret of the browser that signs in.
    pub(super) fn flow(&self) -> &str {
        self.visitor.cookie(&self.site.cookies.sign_in()).unwrap_or_default()
    }

    /// The secret of the session that the browser has.
    pub(super) fn session(&self) -> Option<&str> {
        self.visitor.cookie(&self.site.cookies.session())
    }

    /// The requester of the secret of a session of this portal. None for any other secret.
    pub(super) async fn requester(&self, secret: &str) -> Result<Option<Requester>, Error> {
        let caller = match self.app().authenticate(secret).await {
            Ok(caller) => caller,
            Err(AuthenticationError::Unknown | AuthenticationError::Suspended) => return Ok(None),
            Err(AuthenticationError::Store(error)) => return Err(error.into()),
        };
        let (Principal::Customer(session) | Principal::Member(session)) = &caller.principal else {
            return Ok(None);
        };
        let is_ours = session.organization == self.site.organization.id;
        Ok(is_ours.then(|| self.visitor.as_requester(&caller)))
    }

    /// The requester and what is known of the person of a secret. None when the session is over.
    pub(super) async fn person(&self, secret: &str) -> Result<Option<(Requester, PortalVisit)>, Error> {
        let Some(by) = self.requester(secret).await? else { return Ok(None) };
        match self.app().portal_visit(&by).await {
            Ok(visit) => Ok(Some((by, visit))),
            Err(Error::Portal(PortalError::SessionOver)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A request of a customer or member for a page.
pub(super) struct Guest {
    pub(super) visit: Visit,
    pub(super) t: &'static Texts,
    pub(super) by: Requester,
    pub(super) known: PortalVisit,
}

impl Guest {
    /// The visit of a request. Without a session, the way to sign in.
    pub(super) async fn of(console: Arc<Console>, request: Request) -> Result<Self, Box<Response>> {
        let is_form = !request.method().is_safe();
        let visit = Visit::of(console, request).await?;
        match visit.session() {
            None => Err(Box::new(visit.to_sign_in(is_form))),
            Some(secret) => match visit.person(secret).await {
                Ok(Some((by, known))) => Ok(Self { t: visit.t, visit, by, known }),
                Ok(None) => Err(Box::new(visit.to_sign_in(true))),
                Err(error) => Err(Box::new(visit.respond(Err(error)))),
            },
        }
    }

    pub(super) fn respond(&self, answer: Answer) -> Response {
        self.visit.respond(answer)
    }

    pub(super) fn app(&self) -> &App {
        self.visit.app()
    }

    pub(super) fn site(&self) -> &Site {
        &self.visit.site
    }

    pub(super) const fn rights(&self) -> &PortalRights {
        &self.known.rights
    }

    /// Refuses a page or form of a section that is switched off, or that the role does not include.
    pub(super) fn need(&self, has_right: bool) -> Result<(), Error> {
        if has_right { Ok(()) } else { Err(PortalError::MemberManagementNotAllowed.into()) }
    }

    /// Runs a use case as the person.
    pub(super) async fn write<U: UseCase<Error = Error>>(&self, use_case: U) -> Result<U::Output, Error> {
        self.app().write_as(&self.by, use_case).await
    }

    /// An id in the path.
    pub(super) fn id(&self) -> Result<Uuid, Error> {
        let found = self.visit.path.iter().find(|(name, _)| name == "id");
        found.and_then(|(_, id)| id.parse().ok()).ok_or(Error::OrganizationNotFound)
    }

    /// The number of the page of a list that is asked for, from 1.
    pub(super) fn page_number(&self) -> u64 {
        self.visit.visitor.parameter("page").parse().unwrap_or(1).clamp(1, 1_000_000)
    }

    /// The rows of the page of a list that is asked for.
    pub(super) fn rows(&self) -> tenantry_store::Page {
        tenantry_store::Page { offset: (self.page_number() - 1).saturating_mul(ROWS), limit: ROWS }
    }

    /// The frame of a page.
    pub(super) fn page(&self, section: Section, title: &str) -> Frame {
        Frame::of_guest(self, section, title)
    }

    pub(super) fn is_team(&self) -> bool {
        self.known.caller.customer.kind == CustomerKind::Team
    }

    /// The person's role; none in a session without a member.
    pub(super) fn role(&self) -> Option<MemberRole> {
        self.known.caller.member.as_ref().map(|member| member.role)
    }

    pub(super) const fn session(&self) -> &CustomerSession {
        &self.known.caller.session
    }
}

impl Visit {
    /// The way to sign in. `had_session` says that the browser had a session.
    pub(super) fn to_sign_in(&self, had_session: bool) -> Response {
        let after = match (had_session, self.visitor.parameter("began").is_empty()) {
            (_, false) if self.session().is_none() => "?after=no-cookie",
            (true, _) => "?after=session",
            _ => "",
        };
        let response = redirect(&format!("{}{after}", self.site.to("sign-in")));
        match self.session() {
            Some(_) => with_cookie(response, &self.site.cookie(&self.site.cookies.session(), "", 0)),
            None => response,
        }
    }

    /// The response that gives the browser a session, of a new secret.
    pub(super) fn signed_in(&self, secret: &Secret) -> Response {
        self.site.signed_in(secret.expose())
    }
}
