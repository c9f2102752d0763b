//! The first entry.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::console::FirstEntryClaim;
use tenantry_core::values::{EmailAddress, OrganizationName, PersonName};

use super::sign_in::signed_in;
use crate::respond;
use crate::texts::Texts;
use crate::view::Gate;
use crate::visitor::{Form, Visitor};
use crate::{Console, ROOT};

#[derive(Template)]
#[template(path = "gate/claim.html")]
struct Ask {
    t: &'static Texts,
    gate: Gate,
    form: Fields,
}

/// The form: what was entered, and what is wrong with it.
#[derive(Default)]
struct Fields {
    token: String,
    token_error: &'static str,
    organization: String,
    organization_error: &'static str,
    name: String,
    name_error: &'static str,
    email: String,
    email_error: &'static str,
    errors: Vec<Fault>,
}

struct Fault {
    field: &'static str,
    message: &'static str,
}

/// The form for the secret that the server printed.
pub(crate) async fn ask(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    ask_again(&visitor, StatusCode::OK, Fields::default())
}

fn ask_again(visitor: &Visitor, status: StatusCode, mut form: Fields) -> Response {
    let t = visitor.t;
    let messages = [
        ("token", form.token_error),
        ("organization", form.organization_error),
        ("name", form.name_error),
        ("email", form.email_error),
    ];
    let faults = messages.into_iter().filter(|(_, message)| !message.is_empty());
    form.errors = faults.map(|(field, message)| Fault { field, message }).collect();
    respond::page(status, &Ask { t, gate: Gate::new(&visitor.console, t, t.claim.title, ""), form })
}

/// The values of the form, or the form with what is wrong.
fn read(visitor: &Visitor, form: &Form) -> Result<(OrganizationName, PersonName, EmailAddress), Box<Fields>> {
    let text = |name: &str| form.text(name).to_owned();
    let mut fields = Fields {
        token: text("token"),
        organization: text("organization"),
        name: text("name"),
        email: text("email"),
        ..Fields::default()
    };
    let organization = OrganizationName::parse(&fields.organization);
    let name = PersonName::parse(&fields.name);
    let email = EmailAddress::parse(&fields.email);
    let t = visitor.t;
    fields.organization_error = if organization.is_ok() { "" } else { t.faults.organization_name };
    fields.name_error = match &name {
        Ok(Some(_)) => "",
        Ok(None) => t.claim.name_missing,
        Err(_) => t.faults.name,
    };
    fields.email_error = if email.is_ok() { "" } else { t.sign_in.invalid };
    match (organization, name, email) {
        (Ok(organization), Ok(Some(name)), Ok(email)) => Ok((organization, name, email)),
        _ => Err(Box::new(fields)),
    }
}

/// Makes the person the owner of the first organization.
pub(crate) async fn take(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, body) = Visitor::of(console, request);
    let form = match visitor.form(body).await {
        Ok(form) => form,
        Err(response) => return *response,
    };
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    let (organization, name, email) = match read(&visitor, &form) {
        Ok(values) => values,
        Err(fields) => return ask_again(&visitor, refused, *fields),
    };
    let app = &visitor.console.app;
    let claim = FirstEntryClaim {
        secret: form.text("token").to_owned(),
        organization,
        name,
        email,
        browser: visitor.browser(),
        language: visitor.language(),
        request_id: Some(visitor.request_id.clone()),
        hash_key: app.hash_key().clone(),
    };
    match app.write(claim).await {
        Ok(Some(session)) => signed_in(&visitor, &session, ROOT).await,
        Ok(None) => {
            let text = |name: &str| form.text(name).to_owned();
            let fields = Fields {
                organization: text("organization"),
                name: text("name"),
                email: text("email"),
                token_error: visitor.t.claim.over,
                ..Fields::default()
            };
            ask_again(&visitor, refused, fields)
        }
        Err(error) => respond::error(&visitor, &error),
    }
}
