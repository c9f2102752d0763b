//! Handlers of the customer portal: the customer, the session and the public organization.

use super::wire::{
    PortalCustomerUpdateBody, PortalCustomerView, PortalUserView, PublicOrganizationData, SessionView,
    check_payment_method,
};
use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use crate::polar::errors::{self, ErrorResponse};
use crate::polar::page;
use axum::http::StatusCode;
use axum::response::Response;
use tenantry_app::portal::BillingUpdate;
use tenantry_core::customer::{Customer, CustomerChange};
use tenantry_core::portal::PortalError;
use tenantry_core::values::HttpUrl;
use tenantry_store::Paged;

pub(super) async fn me(call: Call) -> Result<Response, ErrorResponse> {
    let portal_caller = call.app.portal_caller(&call.requester()).await?;
    Ok(response::json(StatusCode::OK, &PortalCustomerView::from(&portal_caller.customer)))
}

pub(super) async fn update_me(call: Call) -> Result<Response, ErrorResponse> {
    call.app.portal_caller(&call.requester()).await?.check_billing()?;
    let mut input = Input::new(&call);
    let body = input.body();
    let body: PortalCustomerUpdateBody = input.finish(body)?;
    let PortalCustomerUpdateBody { billing_name, billing_address, tax_id, default_payment_method_id } = body;
    check_payment_method(default_payment_method_id.0)?;
    let change = CustomerChange {
        billing_name: billing_name.0.map(|name| name.0).flatten(),
        billing_address: billing_address.0.map(|address| address.0),
        tax_id: tax_id.0.map(|typed| typed.0).flatten(),
        ..CustomerChange::default()
    };
    let shown = |row: &Customer| response::body(&PortalCustomerView::from(row));
    let changed = call.write_row(BillingUpdate { by: call.requester(), change }, shown).await;
    let customer = changed.map_err(errors::of_billing)?;
    Ok(response::json(StatusCode::OK, &PortalCustomerView::from(&customer)))
}

pub(super) async fn payment_methods(call: Call) -> Result<Response, ErrorResponse> {
    call.app.portal_caller(&call.requester()).await?.check_billing()?;
    let mut input = Input::new(&call);
    let page = page::read(&mut input);
    let page = input.finish(page)?;
    Ok(page::response(&Paged::<()> { items: Vec::new(), total: 0 }, page, |()| ()))
}

pub(super) async fn introspect(call: Call) -> Result<Response, ErrorResponse> {
    let session = call.app.portal_caller(&call.requester()).await?.session;
    let return_url = session.return_url.as_ref().map(HttpUrl::as_str);
    Ok(response::json(StatusCode::OK, &SessionView { expires_at: session.expires_at, return_url }))
}

pub(super) async fn user(call: Call) -> Result<Response, ErrorResponse> {
    let portal_caller = call.app.portal_caller(&call.requester()).await?;
    let customer = &portal_caller.customer;
    let view = match &portal_caller.member {
        Some(member) => PortalUserView {
            kind: "member",
            name: member.name.as_ref().map(|name| name.as_str()),
            email: member.email.as_str(),
            customer_id: customer.id,
            member_id: Some(member.id),
            role: Some(member.role.as_str()),
        },
        None => PortalUserView {
            kind: "customer",
            name: customer.name.as_ref().map(|name| name.as_str()),
            email: customer.email.as_ref().ok_or(PortalError::MemberSessionRequired)?.as_str(),
            customer_id: customer.id,
            member_id: None,
            role: None,
        },
    };
    Ok(response::json(StatusCode::OK, &view))
}

pub(super) async fn organization(call: Call) -> Result<Response, ErrorResponse> {
    let organization = call.app.public_organization(call.path_parameter("slug")).await?;
    Ok(response::json(StatusCode::OK, &PublicOrganizationData::from(&organization)))
}
