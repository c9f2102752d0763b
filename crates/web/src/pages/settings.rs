//! The settings of an organization, and its deletion.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use serde_json::json;
use tenantry_app::TeamPermission;
use tenantry_app::organization_deletion::OrganizationDelete;
use tenantry_app::organizations::OrganizationUpdate;
use tenantry_core::Patch;
use tenantry_core::organization::{FeatureSettingsChange, OrganizationChange, TeamAdmission};
use tenantry_core::values::{EmailAddress, HttpUrl, OrganizationName};

use super::here;
use crate::respond::redirect;
use crate::screen::{
    Act, Block, Choice, Confirm, Danger, Fault, FormView, Link, Part, Reading, Row, Screen, refused,
};
use crate::view::{Section, filled};
use crate::visit::{Answer, Here, done, page, status};
use crate::visitor::Form;
use crate::{Console, ROOT};

/// The routes of these pages.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route(&here("settings"), get(page!(Here, show)).post(page!(Here, save)))
        .route(&here("delete"), get(page!(Here, ask_delete)).post(page!(Here, delete)))
}

/// The settings.
async fn show(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let profile = &here.organization.profile;
    let mut values = vec![
        ("name", here.organization.name.to_string()),
        ("website", profile.website.as_ref().map_or("", |url| url.as_str()).to_owned()),
        ("email", profile.email.as_ref().map_or("", |email| email.as_str()).to_owned()),
        // An entry in any case, so that no switch that is off is taken for one that was not sent.
        ("switch", String::new()),
    ];
    if profile.feature_settings.member_model_enabled {
        values.push(("switch", "members".to_owned()));
    }
    if profile.team_admission == TeamAdmission::Invitation {
        values.push(("switch", "invitation".to_owned()));
    }
    show_again(here, Form::with(values), Vec::new()).await
}

async fn show_again(here: &Here, entered: Form, faults: Vec<Fault>) -> Answer {
    let (t, words) = (here.t, &here.t.settings);
    let slug = filled(words.slug_hint, here.organization.slug.as_str());
    let switches = vec![
        Choice::new("members", words.members).with(words.members_text),
        Choice::new("invitation", t.invitations.admission).with(t.invitations.admission_text),
    ];
    let action = here.to("settings");
    let form = FormView::new(action, t.screens.save, String::new(), entered, faults.clone())
        .broad()
        .input("text", ("name", t.screens.name, &slug), "autocomplete=organization required maxlength=1000")
        .input("url", ("website", words.website, ""), "autocomplete=url placeholder=https://example.com")
        .input("email", ("email", words.email, words.email_hint), "autocomplete=email maxlength=254")
        .boxes(("switch", words.switches, ""), switches);
    let portal = Row {
        icon: "customers",
        small: t.portal_setup.text.to_owned(),
        acts: vec![Act::to(here.to("portal"), t.passkey_rule.change, "").quiet()],
        ..Row::new(t.portal_setup.title)
    };
    let rule = Row {
        icon: "lock",
        acts: vec![Act::to(here.to("sign-in"), t.passkey_rule.change, "").quiet()],
        ..Row::new(t.passkey_rule.title)
    };
    let mut dangers = Vec::new();
    if here.may(TeamPermission::TransferOwnership) {
        dangers.push(Danger {
            title: t.offer.title,
            text: words.transfer_text.to_owned(),
            button: t.offer.hand_over,
            href: here.to("team/transfer"),
        });
    }
    dangers.push(Danger {
        title: words.delete,
        text: words.delete_text.to_owned(),
        button: words.delete_button,
        href: here.to("delete"),
    });
    let screen = Screen {
        title: words.title.to_owned(),
        lead: filled(words.lead, here.organization.name.as_str()),
        slim: true,
        parts: vec![
            Part::plain(Block::Form(form)),
            Part::plain(Block::Rows(vec![portal, rule])),
            Part::plain(Block::Dangers(dangers)),
        ],
        ..Screen::default()
    };
    let body = json!({"name": "Acme GmbH"}).to_string();
    let call = here.call("PATCH", format!("/v1/organizations/{}", here.organization.id), &body);
    let page = here.page(Section::Settings, words.title).await?.with(call);
    Ok(screen.show_as(status(!faults.is_empty()), t, page))
}

/// The change that the form asks for.
fn read(here: &Here, reading: &mut Reading<'_>) -> Option<OrganizationChange> {
    let f = &here.t.faults;
    let name = reading.field("name", OrganizationName::parse, f.organization_name);
    let website = reading.optional("website", HttpUrl::parse, f.website);
    let email = reading.optional("email", EmailAddress::parse, f.email);
    let is_on = |name: &str| here.visit.form.all("switch").any(|switch| switch == name);
    let features = FeatureSettingsChange {
        member_model_enabled: Some(is_on("members")),
        ..FeatureSettingsChange::default()
    };
    let change = OrganizationChange {
        name: name.map_or(Patch::Absent, Patch::Value),
        website: website.map_or(Patch::Null, Patch::Value),
        email: email.map_or(Patch::Null, Patch::Value),
        feature_settings: Patch::Value(features),
        team_admission: Patch::Value(match is_on("invitation") {
            true => TeamAdmission::Invitation,
            false => TeamAdmission::Direct,
        }),
        ..OrganizationChange::default()
    };
    (!reading.has_faults()).then_some(change)
}

/// Changes the organization.
async fn save(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let form = &here.visit.form;
    let mut reading = Reading::new(form);
    let Some(change) = read(here, &mut reading) else {
        return show_again(here, form.clone(), reading.faults).await;
    };
    let update = OrganizationUpdate { by: here.by.clone(), id: here.organization.id, change };
    match here.write(update).await {
        Ok(_) => done(&here.to("settings"), "saved"),
        Err(error) => show_again(here, form.clone(), refused(here.t, error)?).await,
    }
}

fn confirm(here: &Here) -> Confirm {
    let (words, name) = (&here.t.settings, here.organization.name.to_string());
    Confirm {
        title: words.delete.to_owned(),
        lead: name.clone(),
        consequences: vec![
            ("bad", words.access_ends),
            ("warn", words.data_stay),
            ("ok", words.owner_restores),
        ],
        word: name,
        action: here.to("delete"),
        button: words.delete,
        back: Link { href: here.to("settings"), label: words.title.to_owned() },
    }
}

async fn ask(here: &Here, faults: Vec<Fault>) -> Answer {
    let call = here.call("DELETE", format!("/v1/organizations/{}", here.organization.id), "");
    let page = here.page(Section::Settings, here.t.settings.delete).await?.with(call);
    let status = status(!faults.is_empty());
    Ok(confirm(here).screen(here.t, &here.visit.form, faults).show_as(status, here.t, page))
}

async fn ask_delete(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    if let Some(way) = here.proof_first(here.visit.visitor.path()) {
        return Ok(way);
    }
    ask(here, Vec::new()).await
}

/// Deletes the organization.
async fn delete(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    if let Some(fault) = confirm(here).fault(here.t, &here.visit.form) {
        return ask(here, vec![fault]).await;
    }
    let id = here.organization.id;
    match here.write(OrganizationDelete { by: here.by.clone(), id, with_sub_accounts: false }).await {
        Ok(_) => Ok(redirect(&format!("{ROOT}/deleted-organization?id={id}"))),
        Err(error) => ask(here, refused(here.t, error)?).await,
    }
}
