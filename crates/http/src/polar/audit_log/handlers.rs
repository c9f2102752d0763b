//! Handlers of the endpoints on the audit log.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use tenantry_app::Error;
use tenantry_app::audit_log::AuditLogRetentionSet;
use tenantry_app::cursors::CursorScope;
use tenantry_core::ids::{AuditId, OrganizationId};
use tenantry_store::{Edge, Keyset};
use uuid::Uuid;

use super::view::{Cursors, EntryPage, EntryView, RetentionView};
use super::wire::{self, RetentionBody};
use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use crate::polar::errors::ErrorResponse;
use crate::polar::page;
use crate::wire::Uuid4;

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let named = input.query::<Uuid4>("organization_id");
    let filter = wire::filter(&mut input);
    let limit = page::limit(&mut input);
    let (named, (filter, limit)) = input.finish(named.zip(filter.zip(limit)))?;
    let by = call.requester();
    let organization = organization(&call, named)?;
    let of = CursorScope { organization, list: "audit-log" };
    let edge = edge(&call, of)?;
    let keyset = Keyset { edge, limit: usize::try_from(limit).unwrap_or(usize::MAX) };
    let found = call.app.audit_entries(&by, organization, &filter, keyset).await?;
    let cursor = |at: Option<Uuid>| at.map(|at| call.app.cursor(of, at)).transpose();
    let pagination = Cursors { next_cursor: cursor(found.older)?, previous_cursor: cursor(found.newer)? };
    let items = found.items.into_iter().map(EntryView::new).collect::<Result<_, _>>()?;
    Ok(response::json(StatusCode::OK, &EntryPage { items, pagination }))
}

/// The organization whose log the request is about.
fn organization(call: &Call, named: Option<Uuid4>) -> Result<OrganizationId, ErrorResponse> {
    let id = named.map(|id| OrganizationId::new(id.0));
    let (kind, msg) = match call.app.audit_log_organization(&call.requester(), id) {
        Err(Error::OrganizationRequired) => ("missing", "organization_id is required."),
        Err(Error::UnknownOrganization(_)) => ("value_error", "Organization not found."),
        found => return Ok(found?),
    };
    let mut input = Input::new(call);
    input.at.within("query", |at| {
        at.within("organization_id", |at| at.violate(kind, msg, &json!(id), None));
    });
    Ok(input.finish(None)?)
}

/// Reads the bound of the page that the request asks for.
fn edge(call: &Call, of: CursorScope) -> Result<Edge, ErrorResponse> {
    let mut input = Input::new(call);
    let mut position = |name: &'static str| {
        let text = call.query_value(name)?;
        let at = call.app.open_cursor(of, text);
        if at.is_none() {
            wire::refuse_cursor(&mut input, name, text);
        }
        at
    };
    let edge = match (position("after"), position("before")) {
        (None, None) => Edge::Newest,
        (Some(after), None) => Edge::After(after),
        (None, Some(before)) => Edge::Before(before),
        (Some(_), Some(_)) => {
            wire::refuse_both(&mut input, call.query_value("before").unwrap_or_default());
            Edge::Newest
        }
    };
    Ok(input.finish(Some(edge))?)
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let id = AuditId::new(input.finish(id)?.0);
    let entry = call.app.audit_entry(&call.requester(), id).await?;
    Ok(response::json(StatusCode::OK, &EntryView::new(entry)?))
}

pub(super) async fn retention(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let named = input.query::<Uuid4>("organization_id");
    let organization = organization(&call, input.finish(named)?)?;
    shown_retention(&call, organization).await
}

async fn shown_retention(call: &Call, organization: OrganizationId) -> Result<Response, ErrorResponse> {
    let retention = call.app.audit_log_retention(&call.requester(), organization).await?;
    Ok(response::json(StatusCode::OK, &RetentionView::from(retention)))
}

pub(super) async fn set_retention(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let named = input.query::<Uuid4>("organization_id");
    let body = input.body::<RetentionBody>();
    if let Some(body) = &body {
        wire::check_days(&mut input, body.days.0);
    }
    let (named, RetentionBody { days }) = input.finish(named.zip(body))?;
    let (by, organization) = (call.requester(), organization(&call, named)?);
    call.write(AuditLogRetentionSet {
        by,
        organization,
        days: days.0.and_then(|days| call.app.audit_days_of(days)),
    })
    .await?;
    shown_retention(&call, organization).await
}
