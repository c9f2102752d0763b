//! Handlers of the endpoints on members.

use super::wire::{
    CustomerMemberCreateBody, MemberCreateBody, MemberUpdateBody, MemberView, RoleName, new_member,
};
use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use crate::api::response::to_stored;
use crate::polar::errors::ErrorResponse;
use crate::polar::page;
use crate::wire::{AnyUuid, Uuid4, Violation};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use tenantry_app::Error;
use tenantry_app::members::{CustomerRef, MemberCreate, MemberDelete, MemberRef, MemberUpdate};
use tenantry_core::ids::{CustomerId, MemberId};
use tenantry_core::member::{Member, MemberChange, NewMember};
use tenantry_core::values::parse_uuid;
use tenantry_store::MemberFilter;

async fn add(call: &Call, customer: CustomerRef, new: NewMember) -> Result<Response, ErrorResponse> {
    let operation = MemberCreate { by: call.requester(), customer, new };
    Ok(call.write_once(operation, |member| to_stored(StatusCode::CREATED, &MemberView::from(member))).await?)
}

pub(super) async fn create(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let body = input.body();
    let MemberCreateBody { customer_id, email, name, external_id, role } = input.finish(body)?;
    let customer = CustomerRef::Id(CustomerId::new(customer_id.0));
    add(&call, customer, new_member(email, name, external_id, role)).await
}

pub(super) async fn create_of_customer(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let customer = input.path::<Uuid4>("id");
    let body = input.body();
    let (customer, body) = input.finish(customer.zip(body))?;
    let CustomerMemberCreateBody { email, name, external_id, role } = body;
    let customer = CustomerRef::Id(CustomerId::new(customer.0));
    add(&call, customer, new_member(email, name, external_id, role)).await
}

pub(super) async fn create_of_external(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let body = input.body();
    let CustomerMemberCreateBody { email, name, external_id, role } = input.finish(body)?;
    let customer = CustomerRef::External(call.path_parameter("external_id").to_owned());
    add(&call, customer, new_member(email, name, external_id, role)).await
}

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let role = input.query::<RoleName>("role");
    let page = page::read(&mut input);
    let sorting = page::sorting(&mut input, &[("created_at", ())]);
    let ((role, page), sorting) = input.finish(role.zip(page).zip(sorting))?;
    let customer = match call.query_value("customer_id").map(parse_uuid) {
        None => None,
        Some(Ok(id)) => Some(CustomerId::new(id)),
        // The original differs here from other malformed ids (tests/golden/recording.jsonl, exchange 218).
        Some(Err(_)) => return Err(ErrorResponse::NotFound("Invalid customer ID format")),
    };
    let filter = MemberFilter {
        organizations: call.requester().organizations().to_vec(),
        customer,
        external_customer: call.query_value("external_customer_id").map(str::to_owned),
        role: role.map(|role| role.0),
        oldest_first: sorting.first().is_some_and(|order| !order.descending),
    };
    let members = call.app.members(&call.requester(), &filter, page).await?;
    Ok(page::response(&members, page, MemberView::from))
}

/// The member in the path. The deprecated external routes name its customer in the query.
fn member_name(call: &Call) -> Result<MemberRef, ErrorResponse> {
    let has = |name: &str| call.has_path_parameter(name);
    let mut input = Input::new(call);
    let name = if has("member_external_id") {
        let customer = CustomerRef::External(call.path_parameter("external_id").to_owned());
        Some(MemberRef::External(customer, call.path_parameter("member_external_id").to_owned()))
    } else if has("member_id") {
        let customer = input.path::<Uuid4>("id");
        let member = input.path::<AnyUuid>("member_id");
        customer.zip(member).map(|(customer, member)| {
            MemberRef::OfCustomer(CustomerRef::Id(CustomerId::new(customer.0)), MemberId::new(member.0))
        })
    } else if has("external_id") {
        let customer = customer_of_query(call)?;
        Some(MemberRef::External(customer, call.path_parameter("external_id").to_owned()))
    } else {
        input.path::<AnyUuid>("id").map(|id| MemberRef::Id(MemberId::new(id.0)))
    };
    Ok(input.finish(name)?)
}

/// The customer that the deprecated external routes name in the query, by exactly one id.
fn customer_of_query(call: &Call) -> Result<CustomerRef, ErrorResponse> {
    let rule = |kind, msg| ErrorResponse::Rules(vec![Violation::rule(kind, &["query"], msg, Value::Null)]);
    match (call.query_value("customer_id"), call.query_value("external_customer_id")) {
        (None, None) => Err(rule("missing", "One of customer_id and external_customer_id is needed.")),
        (Some(_), Some(_)) => {
            Err(rule("value_error", "Only one of customer_id and external_customer_id can be given."))
        }
        (None, Some(external_id)) => Ok(CustomerRef::External(external_id.to_owned())),
        (Some(_), None) => {
            let mut input = Input::new(call);
            let id = input.query::<AnyUuid>("customer_id").flatten();
            Ok(CustomerRef::Id(CustomerId::new(input.finish(id)?.0)))
        }
    }
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let name = member_name(&call)?;
    let member = call.app.member(&call.requester(), &name).await?;
    Ok(response::json(StatusCode::OK, &MemberView::from(&member)))
}

fn shown(member: &Member) -> Result<Vec<u8>, Error> {
    response::body(&MemberView::from(member))
}

pub(super) async fn update(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let body = input.body();
    let read = input.finish(body);
    // Violations of the path come first, then those of the body, in one list.
    let (name, body) = match (member_name(&call), read) {
        (Ok(name), Ok(body)) => (name, body),
        (Err(ErrorResponse::Malformed(mut path)), Err(body))
            if body.iter().all(|found| found.kind != "json_invalid") =>
        {
            path.extend(body);
            return Err(ErrorResponse::Malformed(path));
        }
        (_, Err(body)) => return Err(body.into()),
        (Err(failure), Ok(_)) => return Err(failure),
    };
    let MemberUpdateBody { name: new_name, email, role } = body;
    let change = MemberChange {
        name: new_name.and_then(|name| name.0),
        email: email.map(|email| email.0),
        role: role.map(|role| role.0),
    };
    let member = call.write_row(MemberUpdate { by: call.requester(), member: name, change }, shown).await?;
    Ok(response::json(StatusCode::OK, &MemberView::from(&member)))
}

pub(super) async fn delete(call: Call) -> Result<Response, ErrorResponse> {
    let member = member_name(&call)?;
    call.write_row(MemberDelete { by: call.requester(), member }, shown).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}
