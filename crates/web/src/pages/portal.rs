//! The settings of an organization's portal: its look, its sections, and the sites that embed it.

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::routing::{get, post};
use serde_json::json;
use tenantry_app::TeamPermission;
use tenantry_app::organizations::OrganizationUpdate;
use tenantry_core::Patch;
use tenantry_core::organization::OrganizationChange;
use tenantry_core::portal::PortalSettingsChange;
use tenantry_core::values::{BrandColor, EmbedHost, HttpUrl, SenderName};

use super::here;
use crate::portal::{brand, logo_source};
use crate::screen::{Act, Block, Choice, Fault, FormView, Link, Part, Preview, Reading, Screen, refused};
use crate::view::{Section, filled, initials};
use crate::visit::{Answer, Here, done, page, status};
use crate::visitor::Form;
use crate::{Console, guard};

/// The routes of these pages.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route(&here("portal"), get(page!(Here, show)).post(page!(Here, save)))
        .route(&here("portal/preview"), post(page!(Here, preview)))
}

/// The names of the switches.
const SIGN_IN: &str = "sign_in";
const BILLING: &str = "billing_details";
const EMAIL_CHANGE: &str = "email_change";
const TEAM: &str = "team";
const ADD_MEMBERS: &str = "add_members";
const SESSIONS: &str = "sessions";

/// The portal's settings.
async fn show(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let profile = &here.organization.profile;
    let portal = &profile.portal;
    let hosts: Vec<&str> = profile.embed_hosts.iter().map(EmbedHost::as_str).collect();
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let mut values = vec![
        ("avatar_url", text(profile.avatar_url.as_ref().map(HttpUrl::as_str))),
        ("color", text(portal.color.as_ref().map(BrandColor::as_str))),
        ("sender_name", text(portal.sender_name.as_ref().map(SenderName::as_str))),
        ("embed_hosts", hosts.join("\n")),
        // An entry in any case, so that no switch that is off is taken for one that was not sent.
        ("switch", String::new()),
    ];
    let customer = profile.customer_portal_settings.customer.as_ref();
    let switches = [
        (SIGN_IN, portal.sections.sign_in),
        (BILLING, portal.sections.billing_details),
        (EMAIL_CHANGE, customer.and_then(|customer| customer.allow_email_change) == Some(true)),
        (TEAM, portal.sections.team),
        (ADD_MEMBERS, portal.sections.add_members),
        (SESSIONS, portal.sections.sessions),
    ];
    values
        .extend(switches.iter().filter(|(_, is_on)| *is_on).map(|(name, _)| ("switch", (*name).to_owned())));
    show_again(here, Form::with(values), Vec::new(), here.t.portal_setup.preview_saved).await
}

async fn show_again(here: &Here, entered: Form, faults: Vec<Fault>, preview_text: &str) -> Answer {
    let (t, words) = (here.t, &here.t.portal_setup);
    let status = status(!faults.is_empty());
    let address = format!("{}/{}/portal", here.visit.visitor.base(), here.organization.slug);
    let (preview, logo) = preview_of(here, &entered);
    let form = form(here, entered, faults);
    let screen = Screen {
        back: Some(Link { href: here.to("settings"), label: t.settings.title.to_owned() }),
        title: words.title.to_owned(),
        lead: filled(words.lead, &address),
        acts: vec![Act::to(format!("/{}/portal", here.organization.slug), words.open, "").quiet()],
        parts: vec![
            Part::titled(words.preview, preview_text, Block::Preview(preview)),
            Part::plain(Block::Form(form)),
            Part::plain(Block::Text(words.docs.to_owned())),
        ],
        slim: true,
        ..Screen::default()
    };
    let body = json!({"color": "#0a7c4a", "sections": {"team": false}}).to_string();
    let path = format!("/v1/organizations/{}/portal-settings", here.organization.id);
    let page = here.page(Section::Settings, words.title).await?.with(here.call("PATCH", path, &body));
    let mut response = screen.show_as(status, t, page);
    // The picture of the preview comes from where the organization has it.
    if let Ok(policy) = HeaderValue::from_str(&guard::policy_with_pictures_of(&logo)) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

fn form(here: &Here, entered: Form, faults: Vec<Fault>) -> FormView {
    let (t, words) = (here.t, &here.t.portal_setup);
    let switches = vec![
        Choice::new(SIGN_IN, words.sign_in).with(words.sign_in_text),
        Choice::new(BILLING, words.billing).with(words.billing_text),
        Choice::new(EMAIL_CHANGE, words.email_change).with(words.email_change_text),
        Choice::new(TEAM, words.team).with(words.team_text),
        Choice::new(ADD_MEMBERS, words.add_members).with(words.add_members_text),
        Choice::new(SESSIONS, words.sessions).with(words.sessions_text),
    ];
    FormView::new(here.to("portal"), t.screens.save, String::new(), entered, faults)
        .broad()
        .or(here.to("portal/preview"), words.preview)
        .input(
            "url",
            ("avatar_url", words.logo, words.logo_hint),
            "autocomplete=off placeholder=https://example.com/logo.png",
        )
        .input(
            "text",
            ("color", words.color, words.color_hint),
            "class=mono autocomplete=off spellcheck=false maxlength=7",
        )
        .input("text", ("sender_name", words.sender, words.sender_hint), "autocomplete=off maxlength=200")
        .boxes(("switch", words.switches, ""), switches)
        .area(("embed_hosts", words.embed, words.embed_hint), "class=mono")
}

/// The preview of what was entered, and the origin of its picture.
fn preview_of(here: &Here, entered: &Form) -> (Preview, String) {
    let assets = &here.visit.visitor.console.assets;
    let color = BrandColor::parse(entered.text("color")).ok();
    let logo = HttpUrl::parse(entered.text("avatar_url")).ok().filter(|url| !logo_source(url).is_empty());
    let name = here.organization.name.to_string();
    let preview = Preview {
        style: color.map(|color| format!("{assets}/{}", brand::file(&color))).unwrap_or_default(),
        sheet: format!("{assets}/portal.css"),
        brand: crate::portal::Brand {
            initial: initials(&name).chars().take(1).collect(),
            name,
            logo: logo.as_ref().map(|url| url.as_str().to_owned()).unwrap_or_default(),
            style: String::new(),
        },
    };
    (preview, logo.as_ref().map(logo_source).unwrap_or_default())
}

/// The change that the form asks for.
fn read(here: &Here, reading: &mut Reading<'_>) -> Option<OrganizationChange> {
    let words = &here.t.portal_setup;
    let form = &here.visit.form;
    let picture = |text: &str| HttpUrl::parse(text).and_then(HttpUrl::without_credentials);
    let logo = reading.optional("avatar_url", picture, words.logo_wrong);
    let color = reading.optional("color", BrandColor::parse, words.color_wrong);
    let sender = reading.optional("sender_name", SenderName::parse, words.sender_wrong);
    let hosts = reading.field("embed_hosts", read_hosts, words.embed_wrong).unwrap_or_default();
    let is_on = |name: &str| form.all("switch").any(|switch| switch == name);
    let portal = PortalSettingsChange {
        color: color.map_or(Patch::Null, Patch::Value),
        sender_name: sender.map_or(Patch::Null, Patch::Value),
        sign_in: Some(is_on(SIGN_IN)),
        billing_details: Some(is_on(BILLING)),
        team: Some(is_on(TEAM)),
        add_members: Some(is_on(ADD_MEMBERS)),
        sessions: Some(is_on(SESSIONS)),
    };
    let change = OrganizationChange {
        avatar_url: logo.map_or(Patch::Null, Patch::Value),
        embed_hosts: Patch::Value(hosts),
        allow_email_change: Some(is_on(EMAIL_CHANGE)),
        portal,
        ..OrganizationChange::default()
    };
    (!reading.has_faults()).then_some(change)
}

fn read_hosts(text: &str) -> Result<Vec<EmbedHost>, ()> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    EmbedHost::parse_list(lines).map_err(drop)
}

/// Shows the form with a preview of what was entered.
async fn preview(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let mut reading = Reading::new(&here.visit.form);
    read(here, &mut reading);
    show_again(here, here.visit.form.clone(), reading.faults, here.t.portal_setup.preview_text).await
}

/// Changes the portal.
async fn save(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let (form, id) = (&here.visit.form, here.organization.id);
    let mut reading = Reading::new(form);
    let again = here.t.portal_setup.preview_text;
    let Some(change) = read(here, &mut reading) else {
        return show_again(here, form.clone(), reading.faults, again).await;
    };
    match here.write(OrganizationUpdate { by: here.by.clone(), id, change }).await {
        Ok(_) => done(&here.to("portal"), "saved"),
        Err(error) => show_again(here, form.clone(), refused(here.t, error)?, again).await,
    }
}
