//! Handlers of the endpoints on customers.

use super::wire::{CustomerCreateBody, CustomerUpdateBody, CustomerView};
use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use crate::api::response::to_stored;
use crate::polar::errors::ErrorResponse;
use crate::polar::page;
use crate::wire::Uuid4;
use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::customers::{CustomerCreate, CustomerDelete, CustomerRestore, CustomerUpdate};
use tenantry_app::members::CustomerRef;
use tenantry_app::{Error, TeamPermission};
use tenantry_core::Patch;
use tenantry_core::customer::{self};
use tenantry_core::ids::{CustomerId, OrganizationId};
use tenantry_core::values::EmailAddress;
use tenantry_store::{CustomerFilter, CustomerKey, Paged};

/// The customer in the path: by id, or by external id.
pub(in crate::polar) fn customer_name(call: &Call) -> Result<CustomerRef, ErrorResponse> {
    if call.has_path_parameter("external_id") {
        return Ok(CustomerRef::External(call.path_parameter("external_id").to_owned()));
    }
    let mut input = Input::new(call);
    let id = input.path::<Uuid4>("id");
    Ok(CustomerRef::Id(CustomerId::new(input.finish(id)?.0)))
}

pub(super) async fn create(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let body = input.body::<CustomerCreateBody>();
    let (organization, new) = input.finish(body)?.split();
    let operation = CustomerCreate { by: call.requester(), organization, new };
    let created =
        |customer: &customer::Customer| to_stored(StatusCode::CREATED, &CustomerView::from(customer));
    Ok(call.write_once(operation, created).await?)
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let name = customer_name(&call)?;
    let customer = call.app.customer(&call.requester(), &name).await?;
    Ok(response::json(StatusCode::OK, &CustomerView::from(&customer)))
}

/// The parameters `metadata[key]=value`: values of one key are alternatives.
fn metadata_filter(call: &Call) -> Vec<(String, Vec<String>)> {
    let mut filter: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in &call.query {
        let key = name.strip_prefix("metadata[").and_then(|rest| rest.split_once(']'));
        let Some((key, _)) = key else { continue };
        match filter.iter_mut().find(|(known, _)| known == key) {
            Some((_, values)) => values.push(value.clone()),
            None => filter.push((key.to_owned(), vec![value.clone()])),
        }
    }
    filter
}

/// The organizations whose customers the caller may see; with `wanted`, of these alone.
pub(super) fn readable_organizations(call: &Call, wanted: &[Uuid4]) -> Vec<OrganizationId> {
    let visible =
        |id: &OrganizationId| wanted.is_empty() || wanted.iter().any(|wanted| wanted.0 == id.uuid());
    call.requester().organizations_with(TeamPermission::ReadCustomers).filter(visible).collect()
}

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    const KEYS: &[(&str, CustomerKey)] =
        &[("created_at", CustomerKey::CreatedAt), ("email", CustomerKey::Email), ("name", CustomerKey::Name)];
    let mut input = Input::new(&call);
    let wanted = input.query_list::<Uuid4>("organization_id");
    let active = input.query::<bool>("active");
    let page = page::read(&mut input);
    let order = page::sorting(&mut input, KEYS);
    let (((wanted, active), page), order) = input.finish(wanted.zip(active).zip(page).zip(order))?;
    // Tenantry holds no subscriptions, so every customer is inactive.
    if active == Some(true) {
        return Ok(page::response(&Paged { items: Vec::new(), total: 0 }, page, CustomerView::from));
    }
    let filter = CustomerFilter {
        organizations: readable_organizations(&call, &wanted),
        email_key: call.query_value("email").map(EmailAddress::lookup_key),
        query: call.query_value("query").filter(|query| !query.trim().is_empty()).map(str::to_owned),
        metadata: metadata_filter(&call),
        kind: None,
        order,
        in_brief: false,
    };
    let customers = call.app.customers(&call.requester(), &filter, page).await?;
    Ok(page::response(&customers, page, CustomerView::from))
}

fn shown(customer: &customer::Customer) -> Result<Vec<u8>, Error> {
    response::body(&CustomerView::from(customer))
}

pub(super) async fn update(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let by_id = call.has_path_parameter("id");
    let id = if by_id { input.path::<Uuid4>("id").map(Some) } else { Some(None) };
    let body = input.body::<CustomerUpdateBody>();
    let (id, body) = input.finish(id.zip(body))?;
    let mut change = body.change();
    let customer = match id {
        Some(id) => CustomerRef::Id(CustomerId::new(id.0)),
        None => {
            // The routes by external id can change neither the external id nor the kind.
            change.external_id = Patch::Absent;
            change.kind = Patch::Absent;
            CustomerRef::External(call.path_parameter("external_id").to_owned())
        }
    };
    let update = CustomerUpdate { by: call.requester(), customer, change };
    let customer = call.write_row(update, shown).await?;
    Ok(response::json(StatusCode::OK, &CustomerView::from(&customer)))
}

pub(super) async fn delete(call: Call) -> Result<Response, ErrorResponse> {
    let customer = customer_name(&call)?;
    let mut input = Input::new(&call);
    let anonymize = input.query::<bool>("anonymize");
    let anonymize = input.finish(anonymize)?.unwrap_or(false);
    let deletion = CustomerDelete { by: call.requester(), customer, anonymize };
    call.app.delete_customer(deletion, call.condition(shown)).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn restore(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let customer = CustomerId::new(input.finish(id)?.0);
    let operation = CustomerRestore { by: call.requester(), customer };
    let restored = |customer: &customer::Customer| to_stored(StatusCode::OK, &CustomerView::from(customer));
    let response = call.write_once(operation, restored).await?;
    call.app.finish_restoration(&call.requester(), customer).await;
    Ok(response)
}
