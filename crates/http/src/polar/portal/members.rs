//! The members of a team customer, as its owner and billing managers see and change them in the portal
//! (docs/contracts/polar/portal.md, 8.6).

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use tenantry_app::Error;
use tenantry_app::portal::{PortalMemberAdd, PortalMemberRemove, PortalMemberUpdate};
use tenantry_core::Timestamp;
use tenantry_core::ids::MemberId;
use tenantry_core::member::{Member, MemberChange, MemberRole};

use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use crate::api::response::to_stored;
use crate::polar::errors::ErrorResponse;
use crate::polar::members::wire::RoleName;
use crate::polar::page;
use crate::polar::values::NameText;
use crate::wire::{AnyUuid, Email, Optional, Uuid4, wire_object};

wire_object! {
    /// A new member of the caller's customer.
    PortalMemberCreateBody {
        /// The member's address.
        email: Email,
        /// The member's name.
        name: Option<NameText>,
        /// The member's role: any except `owner`.
        role: Optional<RoleName>,
    }
}

wire_object! {
    /// A partial update of a member. Absent and `null` keep the value.
    PortalMemberUpdateBody {
        /// The member's new name.
        name: Option<NameText>,
        /// The member's new role. Only the owner can give the role `owner`, and then becomes a billing manager.
        role: Option<RoleName>,
    }
}

/// A member in the portal.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomerPortalMember", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct PortalMemberView<'a> {
    /// When the member was added.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// When the member last changed.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    modified_at: Option<Timestamp>,
    /// The member's id.
    #[schemars(with = "Uuid4")]
    id: MemberId,
    /// The member's address.
    email: &'a str,
    /// The member's name.
    name: Option<&'a str>,
    /// The member's role.
    #[schemars(with = "RoleName")]
    role: &'static str,
}

impl<'a> From<&'a Member> for PortalMemberView<'a> {
    fn from(member: &'a Member) -> Self {
        let Member { id, created_at, modified_at, email, name, role, .. } = member;
        Self {
            created_at: *created_at,
            modified_at: *modified_at,
            id: *id,
            email: email.as_str(),
            name: name.as_ref().map(|name| name.as_str()),
            role: role.as_str(),
        }
    }
}

/// Refuses a caller that may not manage members, before the input is read.
async fn check(call: &Call) -> Result<(), ErrorResponse> {
    call.app.portal_caller(&call.requester()).await?.manager()?;
    Ok(())
}

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    check(&call).await?;
    let mut input = Input::new(&call);
    let page = page::read(&mut input);
    let page = input.finish(page)?;
    let members = call.app.portal_members(&call.requester(), page).await?;
    Ok(page::response(&members, page, PortalMemberView::from))
}

pub(super) async fn add(call: Call) -> Result<Response, ErrorResponse> {
    check(&call).await?;
    let mut input = Input::new(&call);
    let body = input.body();
    let PortalMemberCreateBody { email, name, role } = input.finish(body)?;
    let add = PortalMemberAdd {
        by: call.requester(),
        email: email.0,
        name: name.and_then(|name| name.0),
        role: role.0.map_or(MemberRole::Member, |role| role.0),
    };
    let added = |member: &Member| to_stored(StatusCode::CREATED, &PortalMemberView::from(member));
    Ok(call.write_once(add, added).await?)
}

fn shown(member: &Member) -> Result<Vec<u8>, Error> {
    response::body(&PortalMemberView::from(member))
}

pub(super) async fn update(call: Call) -> Result<Response, ErrorResponse> {
    check(&call).await?;
    let mut input = Input::new(&call);
    let id = input.path::<AnyUuid>("id");
    let body = input.body();
    let (id, body) = input.finish(id.zip(body))?;
    let PortalMemberUpdateBody { name, role } = body;
    let change =
        MemberChange { name: name.and_then(|name| name.0), email: None, role: role.map(|role| role.0) };
    let id = MemberId::new(id.0);
    let update = PortalMemberUpdate { by: call.requester(), id, change };
    let member = call.write_row(update, shown).await?;
    Ok(response::json(StatusCode::OK, &PortalMemberView::from(&member)))
}

pub(super) async fn remove(call: Call) -> Result<Response, ErrorResponse> {
    check(&call).await?;
    let mut input = Input::new(&call);
    let id = input.path::<AnyUuid>("id");
    let id = MemberId::new(input.finish(id)?.0);
    call.write_row(PortalMemberRemove { by: call.requester(), id }, shown).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}
