//! Signing in by a mailed code, choosing the customer, and signing out.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::portal_sessions::PortalSessionEnd;
use tenantry_app::portal_sign_in::{PortalChoose, PortalCodeEntry, PortalCodeRequest, PortalEntered};
use tenantry_core::ids::CustomerId;
use tenantry_core::portal::{CODE_S, CustomerChoice};
use tenantry_core::values::EmailAddress;

use super::respond::problem;
use super::view::Frame;
use super::visit::Visit;
use crate::pages::customers::members::role_name;
use crate::respond::{self, redirect, with_cookie};
use crate::texts::Texts;
use crate::view::filled;
use crate::visit::Answer;

#[derive(Template)]
#[template(path = "portal/sign_in.html")]
struct Ask<'a> {
    t: &'static Texts,
    frame: Frame,
    email: &'a str,
    error: &'a str,
    /// Whether the page offers a window of its own.
    offers_window: bool,
}

/// The form for the address.
pub(super) async fn ask(visit: &Visit) -> Answer {
    let (t, after) = (visit.t, visit.visitor.parameter("after"));
    let note = match after.as_str() {
        "session" => t.portal.ended,
        "sign-out" => t.portal_pages.signed_out,
        "no-cookie" => t.portal.no_cookie,
        "choice" => t.portal.choose_nothing,
        _ => "",
    };
    Ok(ask_again(visit, StatusCode::OK, ("", ""), note, after == "no-cookie"))
}

fn ask_again(
    visit: &Visit,
    status: StatusCode,
    (email, error): (&str, &str),
    note: &str,
    offers_window: bool,
) -> Response {
    let (t, site) = (visit.t, &visit.site);
    if !site.organization.profile.portal.sections.sign_in {
        let title = filled(t.portal.sign_in_off, site.name());
        let return_to = site.organization.profile.website.as_ref().map_or("", |url| url.as_str());
        let label = if return_to.is_empty() { String::new() } else { filled(t.portal.back_to, site.name()) };
        let texts = (title.as_str(), t.portal.sign_in_off_text);
        return problem(&visit.visitor, Some(site), StatusCode::FORBIDDEN, texts, (return_to, &label));
    }
    let frame = Frame::of_gate(&visit.visitor, Some(site), t.sign_in.title, note);
    respond::page(status, &Ask { t, frame, email, error, offers_window })
}

/// Mails a code, if a customer or member has the address. The answer is the same if nobody has it.
pub(super) async fn send(visit: &Visit) -> Answer {
    let (visitor, site) = (&visit.visitor, &visit.site);
    let entered = visit.form.text("email");
    let Ok(email) = EmailAddress::parse(entered) else {
        let fields = (entered, visit.t.sign_in.invalid);
        return Ok(ask_again(visit, StatusCode::UNPROCESSABLE_ENTITY, fields, "", false));
    };
    let request = PortalCodeRequest {
        organization: site.organization.id,
        email,
        language: Some(visitor.language()),
        address: visitor.address(),
    };
    let flow = visit.app().portal_request_code(request).await?;
    let cookie = site.cookie(&site.cookies.sign_in(), flow.expose(), CODE_S);
    Ok(with_cookie(redirect(&format!("{}?asked=1", site.to("sign-in/code"))), &cookie))
}

#[derive(Template)]
#[template(path = "portal/code.html")]
struct Code<'a> {
    t: &'static Texts,
    frame: Frame,
    lead: String,
    error: &'a str,
}

/// The form for the code.
pub(super) async fn code(visit: &Visit) -> Answer {
    if visit.flow().is_empty() {
        let after = if visit.visitor.parameter("asked").is_empty() { "" } else { "?after=no-cookie" };
        return Ok(redirect(&format!("{}{after}", visit.site.to("sign-in"))));
    }
    Ok(code_again(visit, StatusCode::OK, ""))
}

fn code_again(visit: &Visit, status: StatusCode, error: &str) -> Response {
    let (t, site) = (visit.t, &visit.site);
    let frame = Frame::of_gate(&visit.visitor, Some(site), t.portal.code_title, "");
    respond::page(status, &Code { t, frame, lead: filled(t.portal.code_lead, site.name()), error })
}

/// Begins a session if the code is right, or asks for the customer.
pub(super) async fn enter(visit: &Visit) -> Answer {
    let entry = PortalCodeEntry {
        organization: visit.site.organization.id,
        flow: visit.flow().to_owned(),
        code: visit.form.text("code").to_owned(),
        request_id: Some(visit.visitor.request_id.clone()),
        client: visit.visitor.client(),
    };
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(match visit.app().portal_enter_code(entry).await? {
        PortalEntered::SignedIn(signed_in) => visit.signed_in(&signed_in.secret),
        PortalEntered::Choose(_) => redirect(&visit.site.to("choose")),
        PortalEntered::Wrong => code_again(visit, refused, visit.t.code.wrong),
        PortalEntered::Over => code_again(visit, refused, visit.t.code.over),
    })
}

/// A customer that the person can choose.
struct Offer {
    id: CustomerId,
    name: String,
    /// The person's role; empty for a customer without members.
    role: &'static str,
}

#[derive(Template)]
#[template(path = "portal/choose.html")]
struct Choose {
    t: &'static Texts,
    frame: Frame,
    lead: String,
    offers: Vec<Offer>,
}

/// The customers with the address whose code was entered.
pub(super) async fn choices(visit: &Visit) -> Answer {
    let (t, site) = (visit.t, &visit.site);
    let choices = visit.app().portal_choices(site.organization.id, visit.flow()).await?;
    if choices.is_empty() {
        return Ok(redirect(&site.to("sign-in?after=choice")));
    }
    let offer = |choice: CustomerChoice| Offer {
        id: choice.customer,
        name: choice.name.map_or_else(|| t.portal.unnamed.to_owned(), |name| name.to_string()),
        role: choice.role.map_or("", |role| role_name(t, role)),
    };
    let frame = Frame::of_gate(&visit.visitor, Some(site), t.portal.choose, "");
    let lead = filled(t.portal.choose_lead, site.name());
    let offers = choices.into_iter().map(offer).collect();
    Ok(respond::page(StatusCode::OK, &Choose { t, frame, lead, offers }))
}

/// Begins a session of the chosen customer.
pub(super) async fn choose(visit: &Visit) -> Answer {
    let over = redirect(&visit.site.to("sign-in?after=choice"));
    let Ok(customer) = visit.form.text("customer").parse() else { return Ok(over) };
    let choose = PortalChoose {
        organization: visit.site.organization.id,
        flow: visit.flow().to_owned(),
        customer: CustomerId::new(customer),
        request_id: Some(visit.visitor.request_id.clone()),
        client: visit.visitor.client(),
    };
    Ok(match visit.app().portal_choose(choose).await? {
        PortalEntered::SignedIn(signed_in) => visit.signed_in(&signed_in.secret),
        _ => over,
    })
}

/// Ends the session of the browser, and its cookie in any case.
pub(super) async fn out(visit: &Visit) -> Answer {
    if let Some(secret) = visit.session()
        && let Some((by, _)) = visit.person(secret).await?
    {
        visit.app().write_as(&by, PortalSessionEnd { by: by.clone(), session: None }).await?;
    }
    let site = &visit.site;
    let response = redirect(&site.to("sign-in?after=sign-out"));
    Ok(with_cookie(response, &site.cookie(&site.cookies.session(), "", 0)))
}
