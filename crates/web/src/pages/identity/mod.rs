//! The person: passkeys, recovery codes, the fresh proof that some pages need, profile, address, and deletion of oneself.

pub(crate) mod account;
pub(crate) mod address;
pub(crate) mod passkeys;
pub(crate) mod recovery_codes;
pub(crate) mod rule;
pub(crate) mod sign_in;
pub(crate) mod step_up;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use tenantry_app::console::{BegunCeremony, CeremonyAnswer, CeremonyBegin, RelyingParty};
use tenantry_app::{Error, Requester};
use tenantry_core::console::SESSION_S;
use tenantry_core::passkey::{CEREMONY_S, CeremonyPurpose};
use tenantry_core::token::Secret;

use crate::respond::{self, redirect, with_cookie};
use crate::visit::{Here, page};
use crate::visitor::{Form, Visitor};
use crate::{Console, cookies};

/// The routes of these pages.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/console/sign-in/passkey", get(sign_in::elsewhere).post(sign_in::by_passkey))
        .route("/console/sign-in/passkey/options", post(sign_in::options))
        .route("/console/sign-in/recovery-code", get(recovery_codes::ask).post(recovery_codes::sign_in))
        .route("/console/step-up", get(step_up::ask).post(step_up::keep))
        .route("/console/step-up/passkey", get(step_up::ask).post(step_up::by_passkey))
        .route("/console/step-up/passkey/options", post(step_up::options))
        .route("/console/step-up/send", get(step_up::ask).post(step_up::send))
        .route("/console/step-up/code", get(step_up::code).post(step_up::enter))
        .route(
            "/console/step-up/recovery-code",
            get(step_up::recovery_code).post(step_up::enter_recovery_code),
        )
        .route("/console/passkeys", get(passkeys::list).post(passkeys::add))
        .route("/console/passkeys/options", post(passkeys::options))
        .route("/console/passkeys/recovery-codes", get(recovery_codes::back).post(recovery_codes::make))
        .route("/console/passkeys/{id}", get(passkeys::one).post(passkeys::rename))
        .route("/console/passkeys/{id}/remove", get(passkeys::ask_remove).post(passkeys::remove))
        .route("/console/profile", get(account::profile).post(account::save))
        .route("/console/profile/address", get(address::ask).post(address::send))
        .route("/console/profile/address/code", get(address::code).post(address::enter))
        .route("/console/profile/delete", get(account::ask_delete).post(account::delete))
        .route(
            "/console/organizations/{slug}/sign-in",
            get(page!(Here, rule::show)).post(page!(Here, rule::change)),
        )
}

/// Goes on if the person has just proved to be themselves. A page calls it before it shows a form whose use case needs a
/// fresh proof, so that the person is asked before the work and not after it.
pub(crate) fn proved(visitor: &Visitor, by: &Requester) -> Result<(), Box<Response>> {
    by.check_proof(visitor.now).map_err(|_| Box::new(respond::to_step_up(visitor.path())))
}

/// The relying party. Where browsers have no passkeys, there is no such page.
fn relying_party(visitor: &Visitor) -> Result<Arc<RelyingParty>, Box<Response>> {
    visitor.console.relying_party.clone().ok_or_else(|| {
        let (status, texts) = respond::not_found(visitor.t);
        Box::new(respond::problem(&visitor.console, visitor.t, status, texts, ""))
    })
}

/// Begins a ceremony. The response has the options for the script, and the secret of the browser as a cookie. With 403 it
/// is the page to which the script leads, with 422 a text that it shows.
async fn begin(visitor: &Visitor, by: Requester, purpose: CeremonyPurpose) -> Response {
    let relying_party = match relying_party(visitor) {
        Ok(party) => party,
        Err(response) => return *response,
    };
    let app = &visitor.console.app;
    let begin = CeremonyBegin { purpose, by: by.clone(), relying_party, hash_key: app.hash_key().clone() };
    match app.write_as(&by, begin).await {
        Ok(BegunCeremony { options, secret }) => {
            let cookie = cookies::set(cookies::PASSKEY, secret.expose(), CEREMONY_S);
            with_cookie(respond::text(StatusCode::OK, options), &cookie)
        }
        Err(Error::ProofRequired) => {
            respond::text(StatusCode::FORBIDDEN, respond::step_up_path("/console/passkeys"))
        }
        Err(error) => {
            if error.is_server_error() {
                tracing::error!(%error, "use case failed");
            }
            respond::text(StatusCode::UNPROCESSABLE_ENTITY, visitor.t.passkeys.refused.to_owned())
        }
    }
}

/// The answer that the script put into a form.
fn answer(visitor: &Visitor, relying_party: Arc<RelyingParty>, form: &Form) -> CeremonyAnswer {
    CeremonyAnswer {
        relying_party,
        secret: visitor.cookie(cookies::PASSKEY).unwrap_or_default().to_owned(),
        answer: form.text("answer").to_owned(),
        hash_key: visitor.console.app.hash_key().clone(),
    }
}

/// The response with the new secret of the session, and without those of the proof.
fn with_session(response: Response, secret: &Secret) -> Response {
    let response = with_cookie(response, &cookies::set(cookies::SESSION, secret.expose(), SESSION_S));
    let response = with_cookie(response, &cookies::set(cookies::SIGN_IN, "", 0));
    with_cookie(response, &cookies::set(cookies::PASSKEY, "", 0))
}

/// Leads on in the session, which has a new secret. A form that the proof interrupted is sent again.
fn proved_to(next: &str, keeps_form: bool, secret: &Secret) -> Response {
    with_session(if keeps_form { respond::resend(next) } else { redirect(next) }, secret)
}
