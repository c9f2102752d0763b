//! The form of an endpoint: a new one, and changes of one.

use std::sync::Arc;

use serde_json::json;
use tenantry_app::TeamPermission;
use tenantry_app::webhooks::{WebhookEndpointCreate, WebhookEndpointUpdate};
use tenantry_core::Patch;
use tenantry_core::webhook::{
    EndpointChange, EndpointUrl, EventType, NewEndpoint, WebhookEndpoint, WebhookFormat,
};

use super::{format_name, name_of, of_path, one, path_of};
use crate::screen::{Block, Choice, Fault, FormView, Link, Part, Reading, Screen, refused};
use crate::view::Section;
use crate::visit::{Answer, Here, done, status};
use crate::visitor::Form;

/// Characters of a name.
const NAME: usize = 255;

/// The types of events that occur. Others can be subscribed to by the API, and are kept.
const OFFERED: [EventType; 18] = [
    EventType::CustomerCreated,
    EventType::CustomerUpdated,
    EventType::CustomerDeleted,
    EventType::CustomerStateChanged,
    EventType::MemberCreated,
    EventType::MemberUpdated,
    EventType::MemberDeleted,
    EventType::OrganizationUpdated,
    EventType::OrganizationSuspended,
    EventType::OrganizationUnsuspended,
    EventType::OrganizationTransferred,
    EventType::TeamMemberCreated,
    EventType::TeamMemberUpdated,
    EventType::TeamMemberDeleted,
    EventType::AccessTokenCreated,
    EventType::AccessTokenUpdated,
    EventType::AccessTokenRotated,
    EventType::AccessTokenDeleted,
];

/// The form for a new endpoint.
pub(super) async fn new(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    show(here, None, Form::default(), Vec::new()).await
}

/// The form for the changes of an endpoint.
pub(super) async fn edit(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let endpoint = of_path(here).await?;
    let mut values = vec![
        ("url", endpoint.url.as_str().to_owned()),
        ("name", endpoint.name.clone().unwrap_or_default()),
        ("format", endpoint.format.as_str().to_owned()),
        ("enabled", if endpoint.enabled { "on" } else { "off" }.to_owned()),
    ];
    values.extend(endpoint.events.iter().map(|event| ("event", event.as_str().to_owned())));
    show(here, Some(&endpoint), Form::with(values), Vec::new()).await
}

async fn show(here: &Here, of: Option<&WebhookEndpoint>, entered: Form, faults: Vec<Fault>) -> Answer {
    let (t, words) = (here.t, &here.t.webhooks);
    let (title, action, back) = match of {
        Some(endpoint) => {
            let path = path_of(here, endpoint);
            (name_of(endpoint), format!("{path}/edit"), Link { href: path, label: name_of(endpoint) })
        }
        None => {
            let back = Link { href: here.to("webhooks"), label: words.title.to_owned() };
            (words.create.to_owned(), here.to("webhooks/new"), back)
        }
    };
    let submit = if of.is_some() { t.screens.save } else { words.create };
    let format = |format: WebhookFormat| Choice::new(format.as_str(), format_name(t, format));
    let event = |event: EventType| Choice {
        mono: true,
        ..Choice::new(event.as_str(), event.as_str()).chosen(event == EventType::CustomerCreated)
    };
    let mut form = FormView::new(action, submit, back.href.clone(), entered, faults.clone())
        .broad()
        .input(
            "url",
            ("url", words.url, words.url_hint),
            "class=mono autocomplete=off required placeholder=https://example.com/hooks",
        )
        .input("text", ("name", t.screens.name, ""), "autocomplete=off maxlength=255")
        .select(("format", words.format, ""), WebhookFormat::ALL.map(format).into());
    if of.is_some() {
        let choices = vec![Choice::new("on", words.enabled_on), Choice::new("off", words.enabled_off)];
        form = form.select(("enabled", words.enabled, ""), choices);
    }
    form = form.boxes(("event", words.events, ""), OFFERED.map(event).into());
    let screen = Screen {
        back: Some(back),
        title: title.clone(),
        lead: words.form_lead.to_owned(),
        slim: true,
        parts: vec![Part::plain(Block::Form(form))],
        ..Screen::default()
    };
    let call = match of {
        Some(endpoint) => {
            let path = format!("/v1/webhooks/endpoints/{}", endpoint.id);
            here.call("PATCH", path, &json!({"events": ["customer.created"]}).to_string())
        }
        None => {
            let url = "https://example.com/hooks";
            let body = json!({"url": url, "format": "raw", "events": ["customer.created"]});
            here.call("POST", "/v1/webhooks/endpoints".to_owned(), &body.to_string())
        }
    };
    let page = here.page(Section::Webhooks, &title).await?.with(call);
    Ok(screen.show_as(status(!faults.is_empty()), t, page))
}

/// The fields that a new endpoint and a change have.
struct Fields {
    url: EndpointUrl,
    name: Option<String>,
    format: WebhookFormat,
    events: Vec<EventType>,
}

fn read(here: &Here, reading: &mut Reading<'_>) -> Option<Fields> {
    let f = &here.t.faults;
    let hosts = here.app().plain_http_hosts();
    let url = reading.field("url", |text| EndpointUrl::parse(text, hosts), f.url);
    let name = |text: &str| match text.chars().count() {
        0..=NAME if !text.contains('\0') => Ok(Some(text.to_owned()).filter(|name| !name.is_empty())),
        _ => Err(()),
    };
    let name = reading.field("name", name, f.label);
    let format = |text: &str| WebhookFormat::from_name(text).ok_or(());
    let format = reading.field("format", format, f.choice);
    let chosen: Vec<&str> = here.visit.form.all("event").collect();
    let events = OFFERED.into_iter().filter(|event| chosen.contains(&event.as_str())).collect();
    Some(Fields { url: url?, name: name?, format: format?, events })
}

/// Creates an endpoint, and shows its signing secret.
pub(super) async fn create(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let form = &here.visit.form;
    let mut reading = Reading::new(form);
    let Some(Fields { url, name, format, events }) = read(here, &mut reading) else {
        return show(here, None, form.clone(), reading.faults).await;
    };
    let new = NewEndpoint { url, name, format, secret: None, events };
    let organization = Some(here.organization.id);
    match here.write(WebhookEndpointCreate { by: here.by.clone(), organization, new }).await {
        Ok(endpoint) => one::secret(here, &endpoint).await,
        Err(error) => show(here, None, form.clone(), refused(here.t, error)?).await,
    }
}

/// Changes an endpoint. Events that the form does not offer stay subscribed.
pub(super) async fn update(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let (form, endpoint) = (&here.visit.form, of_path(here).await?);
    let mut reading = Reading::new(form);
    let Some(Fields { url, name, format, events }) = read(here, &mut reading) else {
        return show(here, Some(&endpoint), form.clone(), reading.faults).await;
    };
    let others = endpoint.events.iter().copied().filter(|event| !OFFERED.contains(event));
    let change = EndpointChange {
        url: Some(url),
        name: name.map_or(Patch::Null, Patch::Value),
        format: Some(format),
        secret: None,
        events: Some(events.into_iter().chain(others).collect()),
        enabled: match reading.text("enabled") {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        },
    };
    match change_endpoint(here, &endpoint, change).await {
        Ok(_) => done(&path_of(here, &endpoint), "saved"),
        Err(error) => show(here, Some(&endpoint), form.clone(), refused(here.t, error)?).await,
    }
}

pub(super) async fn change_endpoint(
    here: &Here,
    endpoint: &WebhookEndpoint,
    change: EndpointChange,
) -> Result<WebhookEndpoint, tenantry_app::Error> {
    let plain_http_hosts = Arc::clone(here.app().plain_http_hosts());
    let (by, id) = (here.by.clone(), endpoint.id);
    here.write(WebhookEndpointUpdate { by, id, change, plain_http_hosts }).await
}
