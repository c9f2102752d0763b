//! Responses: pages, redirects, and pages that say what went wrong.

use askama::Template;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use tenantry_app::Error;
use tenantry_core::customer::CustomerError;
use tenantry_core::invitation::InvitationError;
use tenantry_core::member::MemberError;
use tenantry_core::portal::PortalError;
use tenantry_core::team::TeamError;
use tenantry_core::webhook::WebhookError;
use tenantry_store::StoreError;

use crate::faults;
use crate::texts::Texts;
use crate::view::Gate;
use crate::visitor::{Visitor, next_page};
use crate::{Console, ROOT};

/// A page.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Response {
    let (status, text) = match template.render() {
        Ok(text) => (status, text),
        Err(error) => {
            tracing::error!(%error, "use case failed");
            (StatusCode::INTERNAL_SERVER_ERROR, String::new())
        }
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// An answer to a script.
pub(crate) fn text(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// The answer to a form: the browser gets the page at `to`.
pub(crate) fn redirect(to: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static(ROOT));
    response.headers_mut().insert(LOCATION, to);
    response
}

/// The answer to a form that another page takes: the browser sends the same form to `to`.
pub(crate) fn resend(to: &str) -> Response {
    let mut response = redirect(to);
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response
}

/// The response with a cookie.
pub(crate) fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

#[derive(Template)]
#[template(path = "gate/problem.html")]
struct Problem<'a> {
    t: &'static Texts,
    gate: Gate,
    title: &'a str,
    text: &'a str,
    href: &'a str,
    label: &'a str,
    request_id: &'a str,
}

/// A page that says what went wrong.
pub(crate) fn problem(
    console: &Console,
    t: &'static Texts,
    status: StatusCode,
    (title, text): (&str, &str),
    request_id: &str,
) -> Response {
    let gate = Gate::new(console, t, title, "");
    page(status, &Problem { t, gate, title, text, href: ROOT, label: t.problem.home, request_id })
}

/// The page for an error of a use case.
pub(crate) fn error(visitor: &Visitor, error: &Error) -> Response {
    let t = visitor.t;
    if let Some(faults) = faults::of(t, error) {
        let text = faults.first().map_or("", |fault| fault.message.as_str());
        let texts = (t.faults.refused, text);
        return problem(&visitor.console, t, StatusCode::CONFLICT, texts, &visitor.request_id);
    }
    let (status, texts) = match error {
        Error::OrganizationNotFound
        | Error::AuditEntryNotFound
        | Error::PasskeyNotFound
        | Error::UnknownOrganization(_)
        | Error::SubAccountNotFound
        | Error::TokenNotFound
        | Error::User(_)
        | Error::Customer(CustomerError::NotFound)
        | Error::Member(MemberError::NotFound | MemberError::CustomerNotFound)
        | Error::Team(TeamError::NotFound | TeamError::OrganizationNotFound)
        | Error::Webhook(WebhookError::NotFound | WebhookError::EventNotFound)
        | Error::Portal(PortalError::CustomerUnknown(_))
        | Error::Invitation(InvitationError::NotFound) => not_found(t),
        // The form goes along, so that nothing that was entered is lost.
        Error::ProofRequired if visitor.is_form() => return resend(&step_up_path(visitor.path())),
        Error::ProofRequired => return to_step_up(visitor.path()),
        Error::NotPermitted(_) | Error::CallerReduced | Error::CallerSuspended => {
            (StatusCode::FORBIDDEN, (t.problem.not_allowed, t.problem.not_allowed_text))
        }
        Error::CallerUnknown => return redirect(&format!("{ROOT}/sign-in")),
        Error::Store(StoreError::Unavailable(reason)) => {
            tracing::warn!(%reason, "use case failed");
            (StatusCode::SERVICE_UNAVAILABLE, (t.faults.busy, t.faults.busy_text))
        }
        _ => {
            tracing::error!(%error, "use case failed");
            (StatusCode::INTERNAL_SERVER_ERROR, (t.problem.failed, t.problem.failed_text))
        }
    };
    problem(&visitor.console, t, status, texts, &visitor.request_id)
}

/// Leads to the proof that the page at `path` needs, and back to it.
pub(crate) fn to_step_up(path: &str) -> Response {
    redirect(&step_up_path(path))
}

/// The address of the proof that the page at `path` needs.
pub(crate) fn step_up_path(path: &str) -> String {
    format!("{ROOT}/step-up?next={}", next_page(path))
}

/// Status and texts of a page that does not exist.
pub(crate) const fn not_found(t: &'static Texts) -> (StatusCode, (&'static str, &'static str)) {
    (StatusCode::NOT_FOUND, (t.problem.not_found, t.problem.not_found_text))
}
