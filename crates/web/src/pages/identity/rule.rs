//! The rule of an organization that its team signs in with a passkey.

use askama::Template;
use axum::http::StatusCode;
use serde_json::json;
use tenantry_app::TeamPermission;
use tenantry_app::console::PasskeyRuleSet;

use crate::respond::{self, redirect};
use crate::texts::Texts;
use crate::view::{Page, Section, filled};
use crate::visit::{Answer, Here};

#[derive(Template)]
#[template(path = "organization/passkey_rule.html")]
struct RulePage {
    t: &'static Texts,
    page: Page,
    lead: String,
    is_required: bool,
    /// Whether the person may change the rule in this session.
    may_change: bool,
}

/// The rule, and the form to change it.
pub(crate) async fn show(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    if let Some(way) = here.proof_first(here.visit.visitor.path()) {
        return Ok(way);
    }
    rule_page(here).await
}

async fn rule_page(here: &Here) -> Answer {
    let t = here.t;
    let is_required = here.app().passkey_required_at(&here.by, here.organization.id).await?.is_some();
    let path = format!("/v1/organizations/{}/passkey-rule", here.organization.id);
    let call = here.call("PUT", path, &json!({"required": !is_required}).to_string());
    let page = here.page(Section::Settings, t.passkey_rule.title).await?.with(call);
    let lead = filled(t.passkey_rule.lead, here.organization.name.as_str());
    let may_change = is_required || here.by.latest_proof().is_some_and(|proof| proof.is_strong());
    Ok(respond::page(StatusCode::OK, &RulePage { t, page, lead, is_required, may_change }))
}

/// Changes the rule.
pub(crate) async fn change(here: &Here) -> Answer {
    let is_required = here.visit.form.text("required") == "yes";
    let (by, organization) = (here.by.clone(), here.organization.id);
    here.write(PasskeyRuleSet { by, organization, is_required }).await?;
    Ok(redirect(here.visit.visitor.path()))
}
