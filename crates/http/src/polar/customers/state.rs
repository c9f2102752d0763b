//! The state of a customer and its payment methods (docs/contracts/polar/customers.md, 5.5 and 5.6). Tenantry holds
//! neither subscriptions nor payments, so those lists are empty.

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tenantry_core::customer::Customer;
use tenantry_store::Paged;

use super::handlers::customer_name;
use super::wire::CustomerView;
use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use crate::polar::errors::ErrorResponse;
use crate::polar::page;

/// A customer and what it has.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomerState")]
pub(crate) struct CustomerStateView<'a> {
    #[serde(flatten)]
    customer: CustomerView<'a>,
    /// Always empty.
    active_subscriptions: Vec<Value>,
    /// Always empty.
    granted_benefits: Vec<Value>,
    /// Always empty.
    active_meters: Vec<Value>,
}

impl<'a> From<&'a Customer> for CustomerStateView<'a> {
    fn from(customer: &'a Customer) -> Self {
        Self {
            customer: customer.into(),
            active_subscriptions: Vec::new(),
            granted_benefits: Vec::new(),
            active_meters: Vec::new(),
        }
    }
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let name = customer_name(&call)?;
    let customer = call.app.customer(&call.requester(), &name).await?;
    let state = CustomerStateView::from(&customer);
    Ok(response::json(StatusCode::OK, &state))
}

pub(super) async fn payment_methods(call: Call) -> Result<Response, ErrorResponse> {
    let name = customer_name(&call)?;
    let mut input = Input::new(&call);
    let page = page::read(&mut input);
    let page = input.finish(page)?;
    call.app.customer(&call.requester(), &name).await?;
    Ok(page::response(&Paged { items: Vec::new(), total: 0 }, page, |method: &Value| method.clone()))
}
