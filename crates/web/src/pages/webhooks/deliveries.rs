//! Deliveries of an endpoint: the list, and the attempts of one event with their bodies.

use tenantry_app::webhooks::WebhookRedeliver;
use tenantry_app::{Error, TeamPermission};
use tenantry_core::ids::WebhookEventId;
use tenantry_core::webhook::{EventState, EventType, WebhookEndpoint};
use tenantry_store::{Page, WebhookDelivery, WebhookDeliveryDetails, WebhookDeliveryFilter};

use super::{name_of, of_path, path_of};
use crate::screen::{
    Act, Block, Cell, Column, Empty, Filters, Link, Part, Row, Screen, State, Table, address,
};
use crate::time::moment;
use crate::view::{Section, filled, pages};
use crate::visit::{Answer, Here, done};

/// Attempts of one event that its page shows.
const ATTEMPTS: u64 = 100;

fn filter(here: &Here, endpoint: &WebhookEndpoint) -> WebhookDeliveryFilter {
    WebhookDeliveryFilter {
        organizations: vec![here.organization.id],
        endpoints: vec![endpoint.id],
        // Without a type the list leaves out tests.
        event_types: EventType::ALL.to_vec(),
        ..WebhookDeliveryFilter::default()
    }
}

/// The result of an attempt: the status of the response.
fn result(here: &Here, delivery: &WebhookDelivery) -> State {
    let words = &here.t.deliveries;
    let kind = if delivery.succeeded { "ok" } else { "bad" };
    match (delivery.http_code, delivery.succeeded) {
        (Some(code), true) => State::new(kind, &format!("{} · {code}", words.succeeded)),
        (Some(code), false) => State::new(kind, &format!("{} · {code}", words.failed)),
        (None, _) => State::new(kind, words.no_answer),
    }
}

/// The list of an endpoint's deliveries, with its filters.
pub(super) async fn parts(here: &Here, endpoint: &WebhookEndpoint) -> Result<Vec<Part>, Error> {
    let (t, visitor) = (here.t, &here.visit.visitor);
    let (query, kind) = (visitor.parameter("query"), visitor.parameter("type"));
    let result_of = visitor.parameter("result");
    let mut filter = filter(here, endpoint);
    filter.query = Some(query.trim().to_owned()).filter(|query| !query.is_empty());
    filter.succeeded = match result_of.as_str() {
        "succeeded" => Some(true),
        "failed" => Some(false),
        _ => None,
    };
    if let Some(kind) = EventType::from_name(&kind) {
        filter.event_types = vec![kind];
    }
    let found = here.app().webhook_deliveries(&here.by, &filter, here.visit.rows()).await?;
    let path = path_of(here, endpoint);
    let parameters = [("query", query.as_str()), ("result", result_of.as_str()), ("type", kind.as_str())];
    let is_filtered = parameters.iter().any(|(_, value)| !value.is_empty());
    let at = (here.visit.page_number(), found.total);
    let link = |page| address(&path, &parameters, page);
    let pages = pages(t, at, (t.deliveries.one, t.deliveries.many), link);
    let empty = match is_filtered {
        true => Empty {
            icon: "search",
            title: t.ui.nothing_found,
            text: t.deliveries.nothing_found,
            act: Some(Act::to(path.clone(), t.ui.clear, "").quiet()),
        },
        false => Empty { icon: "hook", title: t.deliveries.none, text: t.deliveries.none_text, act: None },
    };
    let columns = vec![
        Column::new(t.deliveries.event),
        Column::new(t.deliveries.result),
        Column::extra(t.deliveries.event_id),
        Column::right(t.deliveries.when),
    ];
    let row = |details: &WebhookDeliveryDetails| {
        let delivery = &details.delivery;
        let href = format!("{path}/events/{}", delivery.event);
        vec![
            Cell::Mono { name: details.event_type.as_str().to_owned(), href },
            Cell::State(result(here, delivery)),
            Cell::Code(delivery.event.to_string()),
            Cell::Time(moment(t, delivery.created_at, visitor.now)),
        ]
    };
    let table = Table::new(columns, found.items.iter().map(row).collect()).paged(pages).or(empty);
    let mut parts = Vec::new();
    if is_filtered || found.total > 0 {
        let filters = filters(here, endpoint, path, (&query, &result_of, &kind));
        parts.push(Part::plain(Block::Filters(filters)));
    }
    parts.push(Part::plain(Block::Table(table)));
    Ok(parts)
}

fn filters(
    here: &Here,
    endpoint: &WebhookEndpoint,
    path: String,
    (query, result, kind): (&str, &str, &str),
) -> Filters {
    let words = &here.t.deliveries;
    let option = |value: &str, label: &str| (value.to_owned(), label.to_owned());
    let results =
        [option("", words.any_result), option("succeeded", words.succeeded), option("failed", words.failed)];
    let subscribed = endpoint.events.iter().copied().chain([EventType::WebhookEndpointTest]);
    let kinds = subscribed.map(|kind| option(kind.as_str(), kind.as_str()));
    let kinds = std::iter::once(option("", words.any_event)).chain(kinds);
    Filters::new(path).search(words.search, query).select(("result", words.result), result, results).select(
        ("type", words.event),
        kind,
        kinds,
    )
}

/// The page of an event: its body, and every attempt to deliver it.
pub(super) async fn show(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let (t, now, endpoint) = (here.t, here.visit.visitor.now, of_path(here).await?);
    let event = here.visit.id("event")?;
    let filter = WebhookDeliveryFilter { query: Some(event.to_string()), ..filter(here, &endpoint) };
    let all = Page { offset: 0, limit: ATTEMPTS };
    let found = here.app().webhook_deliveries(&here.by, &filter, all).await?.items;
    let attempts: Vec<_> = found.iter().filter(|found| found.delivery.event.uuid() == event).collect();
    let Some(latest) = attempts.first() else { return Err(Error::OrganizationNotFound) };
    let path = path_of(here, &endpoint);
    let request = match (&latest.payload, latest.is_archived) {
        (Some(payload), _) => Block::Code(payload.clone(), true),
        (None, true) => Block::Text(t.deliveries.archived.to_owned()),
        (None, false) => Block::Text(t.deliveries.empty.to_owned()),
    };
    let response = match latest.delivery.response.as_deref() {
        Some(text) if !text.is_empty() => Block::Code(text.to_owned(), true),
        _ => Block::Text(t.deliveries.empty.to_owned()),
    };
    let row = |attempt: &&WebhookDeliveryDetails| Row {
        state: Some(result(here, &attempt.delivery)),
        time: Some(moment(t, attempt.delivery.created_at, now)),
        ..Row::new("")
    };
    let parts = vec![
        Part::titled(t.deliveries.attempts, "", Block::Rows(attempts.iter().map(row).collect())),
        Part::titled(t.deliveries.request, "", request),
        Part::titled(t.deliveries.response, "", response),
    ];
    let state = match latest.state {
        EventState::Succeeded => State::new("ok", t.deliveries.succeeded),
        EventState::Failed => State::new("bad", t.deliveries.failed),
        EventState::Pending => State::new("warn", t.deliveries.pending),
        EventState::Skipped => State::new("off", t.deliveries.skipped),
    };
    let happened = moment(t, latest.event_created_at, now);
    let mut acts = Vec::new();
    if endpoint.enabled && !latest.is_archived {
        acts.push(Act::now(format!("{path}/events/{event}/redeliver"), t.deliveries.redeliver, "again"));
    }
    let kind = latest.event_type.as_str();
    let screen = Screen {
        back: Some(Link { href: path, label: name_of(&endpoint) }),
        title: kind.to_owned(),
        state: Some(state),
        mono: true,
        lead: filled(t.deliveries.lead, &happened.exact),
        acts,
        parts,
        ..Screen::default()
    };
    let page = here.page(Section::Webhooks, kind).await?;
    let page = page.with(here.call("GET", format!("/v1/webhooks/deliveries?query={event}"), ""));
    let page = page.with(here.call("POST", format!("/v1/webhooks/events/{event}/redeliver"), ""));
    Ok(screen.show(t, page))
}

/// Sends an event once more.
pub(super) async fn redeliver(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let endpoint = of_path(here).await?;
    let event = here.visit.id("event")?;
    here.write(WebhookRedeliver { by: here.by.clone(), id: WebhookEventId::new(event) }).await?;
    done(&format!("{}/events/{event}", path_of(here, &endpoint)), "sent")
}
