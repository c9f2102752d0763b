//! Pages of the portal that say what went wrong, and how to go on.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::Error;
use tenantry_core::member::MemberError;
use tenantry_core::portal::PortalError;
use tenantry_store::StoreError;

use super::view::Frame;
use super::visit::Site;
use crate::faults;
use crate::respond::{self, redirect};
use crate::texts::Texts;
use crate::view::filled;
use crate::visitor::Visitor;

#[derive(Template)]
#[template(path = "portal/problem.html")]
struct Problem<'a> {
    t: &'static Texts,
    frame: Frame,
    title: &'a str,
    text: &'a str,
    href: &'a str,
    label: &'a str,
    request_id: &'a str,
}

/// A page that says what went wrong, with a link that leads on; without a label there is none.
pub(super) fn problem(
    visitor: &Visitor,
    site: Option<&Site>,
    status: StatusCode,
    (title, text): (&str, &str),
    (href, label): (&str, &str),
) -> Response {
    let frame = Frame::of_gate(visitor, site, title, "");
    let is_fault = status.is_server_error();
    let request_id = if is_fault { visitor.request_id.as_str() } else { "" };
    respond::page(status, &Problem { t: visitor.t, frame, title, text, href, label, request_id })
}

/// The answer to a form of another site.
pub(super) fn foreign(visitor: &Visitor, site: &Site) -> Response {
    let words = &visitor.t.portal;
    let texts = (words.foreign, words.foreign_text);
    problem(visitor, Some(site), StatusCode::FORBIDDEN, texts, (&site.home, words.home))
}

/// The page of an organization without a portal.
pub(super) fn closed(visitor: &Visitor, status: StatusCode) -> Response {
    let t = visitor.t;
    let texts = match status {
        StatusCode::NOT_FOUND => (t.portal.no_portal, t.portal.no_portal_text),
        _ => (t.faults.busy, t.faults.busy_text),
    };
    problem(visitor, None, status, texts, ("", ""))
}

/// A page that does not exist.
pub(super) fn not_found(visitor: &Visitor, site: &Site) -> Response {
    let t = visitor.t;
    let texts = (t.problem.not_found, t.problem.not_found_text);
    problem(visitor, Some(site), StatusCode::NOT_FOUND, texts, (&site.home, t.portal.home))
}

/// The page for an error of a use case.
pub(super) fn error(visitor: &Visitor, site: &Site, error: &Error) -> Response {
    let t = visitor.t;
    let words = &t.portal;
    let home = (site.home.as_str(), words.home);
    match error {
        Error::CallerUnknown | Error::CallerSuspended | Error::Portal(PortalError::SessionOver) => {
            redirect(&site.to("sign-in?after=session"))
        }
        Error::OrganizationNotFound
        | Error::Member(MemberError::NotFound | MemberError::CustomerNotFound)
        | Error::Portal(PortalError::SessionUnknown) => not_found(visitor, site),
        Error::Portal(
            PortalError::BillingNotAllowed
            | PortalError::MemberManagementNotAllowed
            | PortalError::NotATeamCustomer
            | PortalError::EmailChangeDisabled
            | PortalError::SectionDisabled(_),
        )
        | Error::CallerReduced => {
            let text = filled(&filled(words.not_allowed_text, site.name()), site.name());
            problem(visitor, Some(site), StatusCode::FORBIDDEN, (words.not_allowed, &text), home)
        }
        Error::TooManyAttempts { retry_after_s } => {
            let minutes = retry_after_s.div_ceil(60).max(1).to_string();
            let text = filled(words.too_many, &minutes);
            let texts = (t.faults.refused, text.as_str());
            problem(visitor, Some(site), StatusCode::TOO_MANY_REQUESTS, texts, home)
        }
        Error::Store(StoreError::Unavailable(reason)) => {
            tracing::warn!(%reason, "use case failed");
            let texts = (t.faults.busy, t.faults.busy_text);
            problem(visitor, Some(site), StatusCode::SERVICE_UNAVAILABLE, texts, home)
        }
        error => match faults::of(t, error).and_then(|faults| faults.into_iter().next()) {
            Some(fault) => {
                let texts = (t.faults.refused, fault.message.as_str());
                problem(visitor, Some(site), StatusCode::CONFLICT, texts, home)
            }
            None => {
                tracing::error!(%error, "use case failed");
                let texts = (t.problem.failed, t.problem.failed_text);
                problem(visitor, Some(site), StatusCode::INTERNAL_SERVER_ERROR, texts, home)
            }
        },
    }
}
