//! Customers of an organization, and their members.

mod export;
mod form;
mod list;
pub(crate) mod members;
mod one;
mod remove;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tenantry_app::Error;
use tenantry_app::members::CustomerRef;
use tenantry_core::customer::{Customer, CustomerKind};
use tenantry_core::ids::CustomerId;

use super::here;
use crate::Console;
use crate::texts::Texts;
use crate::visit::{Here, page};

/// The routes of these pages.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route(&here("customers"), get(page!(Here, list::list)))
        .route(&here("customers/export.csv"), get(page!(Here, export::export)))
        .route(&here("customers/new"), get(page!(Here, form::new)).post(page!(Here, form::create)))
        .route(&here("customers/{id}"), get(page!(Here, one::show)))
        .route(&here("customers/{id}/edit"), get(page!(Here, form::edit)).post(page!(Here, form::update)))
        .route(&here("customers/{id}/session"), post(page!(Here, one::open_session)))
        .route(&here("customers/{id}/sign-out"), post(page!(Here, one::end_sessions)))
        .route(&here("customers/{id}/sessions/{session}/end"), post(page!(Here, one::end_session)))
        .route(
            &here("customers/{id}/delete"),
            get(page!(Here, remove::ask_delete)).post(page!(Here, remove::delete)),
        )
        .route(
            &here("customers/{id}/forget"),
            get(page!(Here, remove::ask_forget)).post(page!(Here, remove::forget)),
        )
        .route(&here("customers/{id}/restore"), post(page!(Here, remove::restore)))
        .route(
            &here("customers/{id}/members/new"),
            get(page!(Here, members::new)).post(page!(Here, members::create)),
        )
        .route(
            &here("customers/{id}/members/{member}"),
            get(page!(Here, members::edit)).post(page!(Here, members::update)),
        )
        .route(
            &here("customers/{id}/members/{member}/remove"),
            get(page!(Here, members::ask_remove)).post(page!(Here, members::remove)),
        )
}

/// The customer of the path.
async fn of_path(here: &Here) -> Result<Customer, Error> {
    here.app().customer(&here.by, &reference(here)?).await
}

/// The customer of the path, as use cases name it.
fn reference(here: &Here) -> Result<CustomerRef, Error> {
    Ok(CustomerRef::Id(CustomerId::new(here.visit.id("id")?)))
}

/// The name under which a customer is shown: the name, the address or the id.
fn name_of(customer: &Customer) -> String {
    let name = customer.name.as_ref().map(ToString::to_string);
    name.or_else(|| customer.contact().map(ToString::to_string)).unwrap_or_else(|| customer.id.to_string())
}

/// The path of a customer's page.
fn path_of(here: &Here, customer: CustomerId) -> String {
    here.to(&format!("customers/{customer}"))
}

const fn kind_name(t: &'static Texts, kind: CustomerKind) -> &'static str {
    match kind {
        CustomerKind::Individual => t.customers.individual,
        CustomerKind::Team => t.customers.team,
    }
}
