//! Visits of signed-in people: what a handler of a page gets, once the session is known.
//!
//! | visit | of a page about | requester |
//! |---|---|---|
//! | [`Visit`] | the person | with all organizations of the person |
//! | [`Here`] | one organization, named by the path | restricted to that organization |
//!
//! A row of another organization of the person is therefore unknown on an organization's page. A handler answers with
//! a page, or with the error of its use case, which [`page!`] turns into a page.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use tenantry_app::{App, Caller, Error, Requester, TeamPermission};
use tenantry_core::organization::Organization;
use tenantry_core::team::TeamMember;
use tenantry_store::UseCase;
use uuid::Uuid;

use crate::texts::Texts;
use crate::view::{Call, Page, ROWS, Section};
use crate::visitor::{Form, Visitor};
use crate::{Console, ROOT, respond};

/// The answer of a handler.
pub(crate) type Answer = Result<Response, Error>;

/// A route's handler: the visit, then the function that answers it.
macro_rules! page {
    ($visit:ident, $handler:path) => {
        async move |axum::extract::State(console): axum::extract::State<std::sync::Arc<$crate::Console>>,
                    request: axum::extract::Request| {
            match $visit::of(console, request).await {
                Ok(visit) => {
                    let answer = $handler(&visit).await;
                    visit.respond(answer)
                }
                Err(response) => *response,
            }
        }
    };
}
pub(crate) use page;

/// A request of a signed-in person for a page.
pub(crate) struct Visit {
    pub(crate) visitor: Visitor,
    pub(crate) t: &'static Texts,
    pub(crate) by: Requester,
    /// The fields of the form that was sent.
    pub(crate) form: Form,
    caller: Arc<Caller>,
    path: Vec<(String, String)>,
}

impl Visit {
    /// The visit of a request. Without a session, the way to sign in.
    pub(crate) async fn of(console: Arc<Console>, request: Request) -> Result<Self, Box<Response>> {
        let (mut parts, body) = request.into_parts();
        let is_form = parts.method == Method::POST;
        let path = match RawPathParams::from_request_parts(&mut parts, &()).await {
            Ok(path) => path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            Err(_) => Vec::new(),
        };
        let (visitor, body) = Visitor::of(console, Request::from_parts(parts, body));
        let caller = visitor.caller().await?;
        let form = if is_form { visitor.form(body).await? } else { Form::default() };
        let by = visitor.as_requester(&caller);
        Ok(Self { t: visitor.t, visitor, by, form, caller, path })
    }

    pub(crate) fn respond(&self, answer: Answer) -> Response {
        answer.unwrap_or_else(|error| respond::error(&self.visitor, &error))
    }

    pub(crate) fn app(&self) -> &App {
        &self.visitor.console.app
    }

    /// A parameter of the path.
    pub(crate) fn in_path(&self, name: &str) -> &str {
        self.path.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// An id in the path.
    pub(crate) fn id(&self, name: &str) -> Result<Uuid, Error> {
        self.in_path(name).parse().map_err(|_| Error::OrganizationNotFound)
    }

    /// The way to the proof that a page needs, unless the person has just proved to be themselves. It leads back to this
    /// page. A form needs no such call: it is sent again after the proof.
    pub(crate) fn proof_first(&self) -> Option<Response> {
        let is_proved = self.by.check_proof(self.visitor.now).is_ok();
        (!is_proved).then(|| respond::to_step_up(self.visitor.path()))
    }

    /// Runs a use case as the person.
    pub(crate) async fn write<U: UseCase<Error = Error>>(&self, use_case: U) -> Result<U::Output, Error> {
        self.app().write_as(&self.by, use_case).await
    }

    /// The number of the page of a list that is asked for, from 1.
    pub(crate) fn page_number(&self) -> u64 {
        self.visitor.parameter("page").parse().unwrap_or(1).clamp(1, 1_000_000)
    }

    /// The rows of the page of a list that is asked for.
    pub(crate) fn rows(&self) -> tenantry_store::Page {
        tenantry_store::Page { offset: (self.page_number() - 1).saturating_mul(ROWS), limit: ROWS }
    }

    /// The frame of a page about the person.
    pub(crate) async fn page(&self, section: Section, title: &str) -> Result<Page, Error> {
        Page::of_person(&self.visitor, &self.by, section, title).await
    }

    /// An API call that does the same as a form.
    pub(crate) fn call(&self, method: &'static str, path: String, body: &str) -> Call {
        Call::new(&self.visitor, method, path, body)
    }
}

/// A request of a signed-in person for a page about an organization whose team the person is in.
pub(crate) struct Here {
    pub(crate) visit: Visit,
    pub(crate) t: &'static Texts,
    /// The person, restricted to the organization.
    pub(crate) by: Requester,
    pub(crate) organization: Organization,
    pub(crate) member: TeamMember,
    /// The path of the organization's pages.
    pub(crate) path: String,
}

impl Here {
    /// The visit of a request. Without a session, the way to sign in. An organization whose team the person is not in
    /// is unknown.
    pub(crate) async fn of(console: Arc<Console>, request: Request) -> Result<Self, Box<Response>> {
        let visit = Visit::of(console, request).await?;
        match Self::find(&visit).await {
            Ok((organization, member, by)) => {
                let path = format!("{ROOT}/organizations/{}", organization.slug);
                Ok(Self { t: visit.t, visit, by, organization, member, path })
            }
            Err(error) => Err(Box::new(visit.respond(Err(error)))),
        }
    }

    async fn find(visit: &Visit) -> Result<(Organization, TeamMember, Requester), Error> {
        let app = visit.app();
        let id = app.organization_id(&visit.by, visit.in_path("slug")).await?;
        let caller = visit.caller.restrict(id).ok_or(Error::OrganizationNotFound)?;
        let by = visit.visitor.as_requester(&Arc::new(caller));
        Ok((app.organization(&by, id).await?, app.own_membership(&by, id).await?, by))
    }

    pub(crate) fn respond(&self, answer: Answer) -> Response {
        self.visit.respond(answer)
    }

    pub(crate) fn app(&self) -> &App {
        self.visit.app()
    }

    /// Whether the person's role includes a right.
    pub(crate) fn may(&self, permission: TeamPermission) -> bool {
        self.by.check(self.organization.id, permission).is_ok()
    }

    /// Checks that the person's role includes the right that a page needs.
    pub(crate) fn check(&self, permission: TeamPermission) -> Result<(), Error> {
        self.by.check(self.organization.id, permission)
    }

    /// The way to the proof that a page needs, unless the person has just proved to be themselves. The proof leads back to
    /// the page at `back`. A form needs no such call: it is sent again after the proof.
    pub(crate) fn proof_first(&self, back: &str) -> Option<Response> {
        let is_proved = self.by.check_proof(self.visit.visitor.now).is_ok();
        (!is_proved).then(|| respond::to_step_up(back))
    }

    /// Runs a use case as the person.
    pub(crate) async fn write<U: UseCase<Error = Error>>(&self, use_case: U) -> Result<U::Output, Error> {
        self.app().write_as(&self.by, use_case).await
    }

    /// The frame of a page about the organization.
    pub(crate) async fn page(&self, section: Section, title: &str) -> Result<Page, Error> {
        let Self { visit, organization, member, .. } = self;
        Page::of_organization(&visit.visitor, &visit.by, (organization, member), section, title).await
    }

    /// An API call that does the same as a page or form.
    pub(crate) fn call(&self, method: &'static str, path: String, body: &str) -> Call {
        self.visit.call(method, path, body)
    }

    /// The address of one of the organization's pages.
    pub(crate) fn to(&self, page: &str) -> String {
        format!("{}/{page}", self.path)
    }
}

/// The answer to a form that succeeded: the browser gets the page at `to`, which says so.
pub(crate) fn done(to: &str, action: &str) -> Answer {
    Ok(respond::redirect(&format!("{to}?done={action}")))
}

/// The status of a form that is shown again: with faults, or for the first time.
pub(crate) const fn status(has_faults: bool) -> StatusCode {
    if has_faults { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }
}
