//! Members of customers (docs/contracts/founding-operations.md, 1, and docs/contracts/polar/customers.md, 6).

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tenantry_app::members::{CustomerName, MemberCreate, MemberDelete, MemberName, MemberUpdate};
use tenantry_core::Timestamp;
use tenantry_core::ids::{CustomerId, MemberId};
use tenantry_core::member::{self, InitialRole, MemberChange, MemberRole, NewMember};
use tenantry_core::values::parse_uuid;
use tenantry_store::MemberFilter;

use super::error::ErrorResponse;
use super::inputs::{ExternalIdText, NameText};
use super::page;
use crate::call::{self, Call};
use crate::idempotency::written;
use crate::wire::{AnyUuid, Email, Given, Uuid4, Violation, name_list, wire_object};

const ROLES: &[&str] = &["owner", "billing_manager", "member"];

name_list! {
    /// A role that a member can be given at once.
    InitialRoleName(InitialRole) as "literal_error" of &["member", "billing_manager"], by |name| match name {
        "member" => Some(InitialRole::Member),
        "billing_manager" => Some(InitialRole::BillingManager),
        _ => None,
    }
}

name_list! {
    /// A role.
    RoleName(MemberRole) as "enum" of ROLES, by MemberRole::from_name
}

wire_object! {
    /// A new member, in the deprecated form that names the customer in the body.
    MemberCreateBody {
        /// The customer that the member will belong to.
        customer_id: Uuid4,
        /// The member's address.
        email: Email,
        /// The member's name.
        name: Option<NameText>,
        /// The member's id in your system, unique within the customer.
        external_id: Option<ExternalIdText>,
        /// The member's role; ownership passes by an update.
        role: Given<InitialRoleName>,
    }
}

wire_object! {
    /// A new member of the customer in the path.
    CustomerMemberCreateBody {
        /// The member's address.
        email: Email,
        /// The member's name.
        name: Option<NameText>,
        /// The member's id in your system, unique within the customer.
        external_id: Option<ExternalIdText>,
        /// The member's role; ownership passes by an update.
        role: Given<InitialRoleName>,
    }
}

wire_object! {
    /// A partial update of a member; absent and `null` leave a field as it is.
    MemberUpdateBody {
        /// The member's new name.
        name: Option<NameText>,
        /// The member's new address.
        email: Option<Email>,
        /// The member's new role; `owner` transfers ownership, and the former owner becomes a billing manager.
        role: Option<RoleName>,
    }
}

/// A member of a customer.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Member", transform = crate::openapi::always_whole)]
pub(crate) struct MemberView<'a> {
    /// The member's id.
    #[schemars(with = "Uuid4")]
    id: MemberId,
    /// When the member was added.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// When the member last changed.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    modified_at: Option<Timestamp>,
    /// The customer that the member belongs to.
    #[schemars(with = "Uuid4")]
    customer_id: CustomerId,
    /// The member's address.
    email: &'a str,
    /// The member's name.
    name: Option<&'a str>,
    /// The member's id in your system.
    external_id: Option<&'a str>,
    /// The member's role.
    #[schemars(with = "RoleName")]
    role: &'static str,
}

impl<'a> From<&'a member::Member> for MemberView<'a> {
    fn from(member: &'a member::Member) -> Self {
        let member::Member {
            id, created_at, modified_at, customer_id, email, name, external_id, role, ..
        } = member;
        Self {
            id: *id,
            created_at: *created_at,
            modified_at: *modified_at,
            customer_id: *customer_id,
            email: email.as_str(),
            name: name.as_ref().map(|name| name.as_str()),
            external_id: external_id.as_ref().map(|id| id.as_str()),
            role: role.as_str(),
        }
    }
}

fn new_member(
    email: Email,
    name: Option<NameText>,
    external_id: Option<ExternalIdText>,
    role: Given<InitialRoleName>,
) -> NewMember {
    NewMember {
        email: email.0,
        name: name.and_then(|name| name.0),
        external_id: external_id.and_then(|id| id.0),
        role: role.0.map_or_else(InitialRole::default, |role| role.0),
    }
}

async fn add(call: &Call, customer: CustomerName, new: NewMember) -> Result<Response, ErrorResponse> {
    let operation = MemberCreate { by: call.by(), customer, new };
    Ok(call.write_once(operation, |member| written(StatusCode::CREATED, &MemberView::from(member))).await?)
}

pub(super) async fn create(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let body = input.body();
    let MemberCreateBody { customer_id, email, name, external_id, role } = input.finish(body)?;
    let customer = CustomerName::Id(CustomerId::new(customer_id.0));
    add(&call, customer, new_member(email, name, external_id, role)).await
}

pub(super) async fn create_of_customer(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let customer = input.path::<Uuid4>("id");
    let body = input.body();
    let (customer, body) = input.finish(customer.zip(body))?;
    let CustomerMemberCreateBody { email, name, external_id, role } = body;
    let customer = CustomerName::Id(CustomerId::new(customer.0));
    add(&call, customer, new_member(email, name, external_id, role)).await
}

pub(super) async fn create_of_external(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let body = input.body();
    let CustomerMemberCreateBody { email, name, external_id, role } = input.finish(body)?;
    let customer = CustomerName::External(call.param("external_id").to_owned());
    add(&call, customer, new_member(email, name, external_id, role)).await
}

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let role = input.query::<RoleName>("role");
    let page = page::read(&mut input);
    let sorting = page::sorting(&mut input, &[("created_at", ())]);
    let ((role, page), sorting) = input.finish(role.zip(page).zip(sorting))?;
    let customer = match call.last("customer_id").map(parse_uuid) {
        None => None,
        Some(Ok(id)) => Some(CustomerId::new(id)),
        // Recorded so (tests/golden/recording.jsonl, exchange 218), unlike any other malformed id.
        Some(Err(_)) => return Err(ErrorResponse::NotFound("Invalid customer ID format")),
    };
    let filter = MemberFilter {
        organizations: call.by().organizations().to_vec(),
        customer,
        external_customer: call.last("external_customer_id").map(str::to_owned),
        role: role.map(|role| role.0),
        oldest_first: sorting.first().is_some_and(|order| !order.descending),
    };
    let members = call.app.members(&filter, page).await?;
    Ok(page::answer(&members, page, MemberView::from))
}

/// How the path, and for the deprecated external routes the query, name a member.
fn named(call: &Call) -> Result<MemberName, ErrorResponse> {
    let has = |name: &str| call.params.iter().any(|(key, _)| key == name);
    let mut input = call.input();
    let name = if has("member_external_id") {
        let customer = CustomerName::External(call.param("external_id").to_owned());
        Some(MemberName::External(customer, call.param("member_external_id").to_owned()))
    } else if has("member_id") {
        let customer = input.path::<Uuid4>("id");
        let member = input.path::<AnyUuid>("member_id");
        customer.zip(member).map(|(customer, member)| {
            MemberName::OfCustomer(CustomerName::Id(CustomerId::new(customer.0)), MemberId::new(member.0))
        })
    } else if has("external_id") {
        let customer = customer_of_query(call)?;
        Some(MemberName::External(customer, call.param("external_id").to_owned()))
    } else {
        input.path::<AnyUuid>("id").map(|id| MemberName::Id(MemberId::new(id.0)))
    };
    Ok(input.finish(name)?)
}

/// The customer that the deprecated external routes name in the query: by one id, and only one.
fn customer_of_query(call: &Call) -> Result<CustomerName, ErrorResponse> {
    let rule = |kind, msg| ErrorResponse::Rules(vec![Violation::rule(kind, &["query"], msg, Value::Null)]);
    match (call.last("customer_id"), call.last("external_customer_id")) {
        (None, None) => Err(rule("missing", "One of customer_id and external_customer_id is needed.")),
        (Some(_), Some(_)) => {
            Err(rule("value_error", "Only one of customer_id and external_customer_id can be given."))
        }
        (None, Some(external_id)) => Ok(CustomerName::External(external_id.to_owned())),
        (Some(_), None) => {
            let mut input = call.input();
            let id = input.query::<AnyUuid>("customer_id").flatten();
            Ok(CustomerName::Id(CustomerId::new(input.finish(id)?.0)))
        }
    }
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let name = named(&call)?;
    let member = call.app.member(&call.by(), &name).await?;
    Ok(call::json(StatusCode::OK, &MemberView::from(&member)))
}

pub(super) async fn update(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let body = input.body();
    let read = input.finish(body);
    // Faults of the path come first, then those of the body, in one list.
    let (name, body) = match (named(&call), read) {
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
    let member = call.app.write(MemberUpdate { by: call.by(), member: name, change }).await?;
    Ok(call::json(StatusCode::OK, &MemberView::from(&member)))
}

pub(super) async fn delete(call: Call) -> Result<Response, ErrorResponse> {
    let member = named(&call)?;
    call.app.write(MemberDelete { by: call.by(), member }).await?;
    Ok(call::empty(StatusCode::NO_CONTENT))
}
