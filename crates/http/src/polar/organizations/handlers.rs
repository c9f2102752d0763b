//! Handlers of the endpoints on organizations.

use super::view::{OrganizationDeletionView, OrganizationView};
use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use crate::api::response::to_stored;
use crate::polar::errors::ErrorResponse;
use crate::polar::organizations::wire::{OrganizationCreateBody, OrganizationUpdateBody};
use crate::polar::page;
use crate::wire::Uuid4;
use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::organization_deletion::{OrganizationDelete, OrganizationUndelete};
use tenantry_app::organizations::{OrganizationCreate, OrganizationUpdate, OwnerRef};
use tenantry_app::{Error, Principal};
use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::{self, InitialState, Organization};
use tenantry_store::{OrganizationFilter, OrganizationKey};

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    const KEYS: &[(&str, OrganizationKey)] = &[
        ("created_at", OrganizationKey::CreatedAt),
        ("slug", OrganizationKey::Slug),
        ("name", OrganizationKey::Name),
        // These two keys order by age, because Tenantry has no reviews.
        ("next_review_threshold", OrganizationKey::CreatedAt),
        ("days_in_status", OrganizationKey::CreatedAt),
    ];
    let mut input = Input::new(&call);
    let page = page::read(&mut input);
    let order = page::sorting(&mut input, KEYS);
    let (page, order) = input.finish(page.zip(order))?;
    let filter = OrganizationFilter {
        visible: Some(call.requester().organizations().to_vec()),
        slug: call.query_value("slug").map(str::to_owned),
        order,
    };
    let organizations = call.app.organizations(&call.requester(), &filter, page).await?;
    Ok(page::response(&organizations, page, OrganizationView::from))
}

pub(super) async fn create(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let body = input.body::<OrganizationCreateBody>();
    let (name, slug, change) = input.finish(body)?.split();
    let by = call.requester();
    let owner = match call.caller.as_ref().map(|caller| &caller.principal) {
        Some(Principal::User { user, .. }) => OwnerRef::User(*user),
        _ => return Err(crate::api::rejection::Rejection::PersonRequired.into()),
    };
    let new = organization::NewOrganization { name, slug, change };
    let operation = OrganizationCreate { by, owner, new, initial: InitialState::for_person() };
    let created = |made: &Organization| to_stored(StatusCode::CREATED, &OrganizationView::from(made));
    Ok(call.write_once(operation, created).await?)
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let id = OrganizationId::new(input.finish(id)?.0);
    let organization = call.app.organization(&call.requester(), id).await?;
    Ok(response::json(StatusCode::OK, &OrganizationView::from(&organization)))
}

/// The body with which a GET shows an organization.
fn shown(row: &Organization) -> Result<Vec<u8>, Error> {
    response::body(&OrganizationView::from(row))
}

pub(super) async fn update(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let body = input.body::<OrganizationUpdateBody>();
    let (id, body) = input.finish(id.zip(body))?;
    let id = OrganizationId::new(id.0);
    let update = OrganizationUpdate { by: call.requester(), id, change: body.into() };
    let organization = call.write_row(update, shown).await?;
    Ok(response::json(StatusCode::OK, &OrganizationView::from(&organization)))
}

pub(super) async fn delete(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let with_sub_accounts = input.query::<bool>("sub_accounts");
    let (id, with_sub_accounts) = input.finish(id.zip(with_sub_accounts))?;
    let (id, with_sub_accounts) = (OrganizationId::new(id.0), with_sub_accounts.unwrap_or(false));
    let deletion = OrganizationDelete { by: call.requester(), id, with_sub_accounts };
    call.write_row(deletion, shown).await?;
    Ok(response::json(StatusCode::OK, &OrganizationDeletionView::DONE))
}

pub(super) async fn undelete(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let id = OrganizationId::new(input.finish(id)?.0);
    let operation = OrganizationUndelete { by: call.requester(), id };
    let undeleted = |back: &Organization| to_stored(StatusCode::OK, &OrganizationView::from(back));
    Ok(call.write_once(operation, undeleted).await?)
}
