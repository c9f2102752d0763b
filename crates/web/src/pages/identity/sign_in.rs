//! Signing in by a passkey.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::Requester;
use tenantry_app::console::PasskeySignIn;
use tenantry_core::passkey::CeremonyPurpose;

use super::{answer, begin, relying_party};
use crate::pages::sign_in::{ask_again, signed_in};
use crate::respond::{self, redirect, with_cookie};
use crate::visitor::{Visitor, next_page};
use crate::{Console, ROOT, cookies};

/// Leads to the form: a reload of the address to which it is sent asks for it.
pub(crate) async fn elsewhere() -> Response {
    redirect(&format!("{ROOT}/sign-in"))
}

/// A challenge for a passkey of anybody.
pub(crate) async fn options(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, _) = Visitor::of(console, request);
    begin(&visitor, Requester::anonymous(None), CeremonyPurpose::SignIn).await
}

/// Begins a session if the answer of the passkey is right.
pub(crate) async fn by_passkey(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (visitor, body) = Visitor::of(console, request);
    let form = match visitor.form(body).await {
        Ok(form) => form,
        Err(response) => return *response,
    };
    let party = match relying_party(&visitor) {
        Ok(party) => party,
        Err(response) => return *response,
    };
    let sign_in = PasskeySignIn {
        answer: answer(&visitor, party, &form),
        browser: visitor.browser(),
        language: visitor.language(),
        request_id: Some(visitor.request_id.clone()),
    };
    let next = next_page(form.text("next"));
    let response = match visitor.console.app.write(sign_in).await {
        Ok(Some(session)) => signed_in(&visitor, &session, next).await,
        Ok(None) => {
            let t = visitor.t;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            ask_again(&visitor, status, (next, "", ""), t.passkey_sign_in.refused)
        }
        Err(error) => return respond::error(&visitor, &error),
    };
    with_cookie(response, &cookies::set(cookies::PASSKEY, "", 0))
}
