//! One endpoint: its deliveries, a test, a new secret, and its end.

use serde_json::json;
use tenantry_app::TeamPermission;
use tenantry_app::webhooks::{WebhookEndpointDelete, WebhookSecretRotate, WebhookTestSend};
use tenantry_core::webhook::{EndpointChange, WebhookEndpoint};

use super::{deliveries, form, format_name, name_of, of_path, path_of, state};
use crate::pages::audit_log;
use crate::screen::{
    Act, Block, Confirm, Danger, Fact, FactValue, Fault, FormView, Link, Note, Part, Screen, Shown, overlap,
    overlaps, refused,
};
use crate::time::moment;
use crate::view::Section;
use crate::visit::{Answer, Here, done, status};
use crate::visitor::Form;

/// The page of an endpoint.
pub(super) async fn show(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let (t, endpoint) = (here.t, of_path(here).await?);
    let path = path_of(here, &endpoint);
    let mut parts: Vec<Part> = off(here, &endpoint).into_iter().collect();
    let mut acts = vec![Act::to(format!("{path}/edit"), t.screens.edit, "").quiet()];
    if endpoint.enabled {
        acts.push(Act::now(format!("{path}/test"), t.webhooks.test, ""));
    }
    parts.extend(deliveries::parts(here, &endpoint).await?);
    let events = endpoint.events.iter().map(|event| event.as_str().to_owned()).collect();
    let facts = vec![
        Fact::new(t.overview.id, FactValue::Id(endpoint.id.to_string())),
        Fact::new(t.webhooks.format, FactValue::Text(format_name(t, endpoint.format).to_owned())),
        Fact::new(t.webhooks.events, FactValue::Tags(events)),
        Fact::new(t.screens.created, FactValue::Time(moment(t, endpoint.created_at, here.visit.visitor.now))),
    ];
    parts.push(Part::titled(t.screens.details, "", Block::Facts(facts)));
    let rotate = format!("{path}/secret");
    let rotate = FormView::new(rotate, t.webhooks.secret_button, String::new(), Form::default(), Vec::new());
    let rotate = rotate.quiet().select(("overlap", t.tokens.overlap, ""), overlaps(t));
    parts.push(Part::titled(t.webhooks.secret, t.webhooks.secret_text, Block::Form(rotate)));
    parts.extend(audit_log::history(here, endpoint.id.uuid()).await?);
    parts.push(Part::plain(Block::Dangers(vec![Danger {
        title: t.webhooks.delete,
        text: t.webhooks.delete_text.to_owned(),
        button: t.webhooks.delete_button,
        href: format!("{path}/delete"),
    }])));
    let screen = Screen {
        back: Some(Link { href: here.to("webhooks"), label: t.webhooks.title.to_owned() }),
        title: name_of(&endpoint),
        state: Some(state(t, &endpoint)),
        lead: endpoint.url.as_str().to_owned(),
        acts,
        parts,
        ..Screen::default()
    };
    let (id, api) = (endpoint.id, "/v1/webhooks");
    let rotate = json!({"overlap_seconds": 86_400}).to_string();
    let page = here.page(Section::Webhooks, &name_of(&endpoint)).await?;
    let page = page.with(here.call("GET", format!("{api}/deliveries?endpoint_id={id}"), ""));
    let page = page.with(here.call("POST", format!("{api}/endpoints/{id}/test"), ""));
    let page = page.with(here.call("POST", format!("{api}/endpoints/{id}/rotate"), &rotate));
    Ok(screen.show(t, page))
}

/// The note about an endpoint that receives nothing.
fn off(here: &Here, endpoint: &WebhookEndpoint) -> Option<Part> {
    let words = &here.t.webhooks;
    let (kind, title, text) = match &endpoint.disabled_reason {
        Some(_) => ("bad", words.disabled, words.disabled_text),
        None => ("warn", words.off, words.off_text),
    };
    let acts = vec![Act::now(format!("{}/enable", path_of(here, endpoint)), words.enable, "").quiet()];
    let (title, text) = (title.to_owned(), text.to_owned());
    let note = Note { kind, icon: "alert", title, text, acts };
    (!endpoint.enabled).then(|| Part::plain(Block::Note(note)))
}

/// Sends a test event.
pub(super) async fn test(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let endpoint = of_path(here).await?;
    here.write(WebhookTestSend { by: here.by.clone(), id: endpoint.id }).await?;
    done(&path_of(here, &endpoint), "sent")
}

/// Switches the endpoint on.
pub(super) async fn enable(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let endpoint = of_path(here).await?;
    let change = EndpointChange { enabled: Some(true), ..EndpointChange::default() };
    form::change_endpoint(here, &endpoint, change).await?;
    done(&path_of(here, &endpoint), "saved")
}

/// Gives the endpoint a new signing secret, and shows it.
pub(super) async fn rotate(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let endpoint = of_path(here).await?;
    let overlap = overlap(&here.visit.form);
    let rotate = WebhookSecretRotate { by: here.by.clone(), id: endpoint.id, overlap };
    let endpoint = here.write(rotate).await?;
    secret(here, &endpoint).await
}

/// The page with the signing secret of an endpoint.
pub(super) async fn secret(here: &Here, endpoint: &WebhookEndpoint) -> Answer {
    let words = &here.t.webhooks;
    let shown = Shown {
        title: words.secret_of.to_owned(),
        lead: words.secret_lead.to_owned(),
        secret: endpoint.secret.as_ref().map_or("", |secret| secret.as_str()).to_owned(),
        example: ("", "", String::new()),
        back: Link { href: path_of(here, endpoint), label: name_of(endpoint) },
        stored: here.t.tokens.stored,
    };
    let page = here.page(Section::Webhooks, words.secret_of).await?;
    Ok(shown.screen().show(here.t, page))
}

fn confirm(here: &Here, endpoint: &WebhookEndpoint) -> Confirm {
    let (words, path) = (&here.t.webhooks, path_of(here, endpoint));
    Confirm {
        title: words.delete.to_owned(),
        lead: endpoint.url.as_str().to_owned(),
        consequences: vec![("bad", words.delete_text), ("bad", words.deliveries_go)],
        word: name_of(endpoint),
        action: format!("{path}/delete"),
        button: words.delete,
        back: Link { href: path, label: name_of(endpoint) },
    }
}

async fn ask(here: &Here, endpoint: &WebhookEndpoint, faults: Vec<Fault>) -> Answer {
    let call = here.call("DELETE", format!("/v1/webhooks/endpoints/{}", endpoint.id), "");
    let page = here.page(Section::Webhooks, here.t.webhooks.delete).await?.with(call);
    let status = status(!faults.is_empty());
    Ok(confirm(here, endpoint).screen(here.t, &here.visit.form, faults).show_as(status, here.t, page))
}

pub(super) async fn ask_delete(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    ask(here, &of_path(here).await?, Vec::new()).await
}

/// Deletes the endpoint.
pub(super) async fn delete(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let endpoint = of_path(here).await?;
    if let Some(fault) = confirm(here, &endpoint).fault(here.t, &here.visit.form) {
        return ask(here, &endpoint, vec![fault]).await;
    }
    match here.write(WebhookEndpointDelete { by: here.by.clone(), id: endpoint.id }).await {
        Ok(()) => done(&here.to("webhooks"), "deleted"),
        Err(error) => ask(here, &endpoint, refused(here.t, error)?).await,
    }
}
