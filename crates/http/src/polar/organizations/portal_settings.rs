//! The look of an organization's portal, and the sections that it has. The contract has no place for them.

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tenantry_app::Error;
use tenantry_app::organizations::OrganizationUpdate;
use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::{Organization, OrganizationChange};
use tenantry_core::portal::{PortalSections, PortalSettings, PortalSettingsChange};
use tenantry_core::values::{BrandColor, SenderName};

use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use crate::polar::errors::ErrorResponse;
use crate::wire::{PatchField, Uuid4, Validation, Wire, inline_schema, wire_object};

/// A colour.
#[derive(Debug, Clone)]
pub(crate) struct ColorText(BrandColor);

impl Wire for ColorText {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let text = String::read(value, at)?;
        at.accept(BrandColor::parse(&text), value).map(Self)
    }
}

inline_schema! { ColorText => {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$"} }

/// The name of a sender.
#[derive(Debug, Clone)]
pub(crate) struct SenderText(SenderName);

impl Wire for SenderText {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let text = String::read(value, at)?;
        at.accept(SenderName::parse(&text), value).map(Self)
    }
}

inline_schema! { SenderText => {"type": "string", "minLength": 1, "maxLength": 64} }

wire_object! {
    /// Switches of sections. Absent and `null` keep a switch.
    PortalSectionsUpdate {
        /// Signing in by a mailed code.
        sign_in: Option<bool>,
        /// The change of the customer's billing details.
        billing_details: Option<bool>,
        /// The customer's members.
        team: Option<bool>,
        /// The addition of members by the customer.
        add_members: Option<bool>,
        /// The person's sessions.
        sessions: Option<bool>,
    }
}

wire_object! {
    /// A partial update of the look and the sections of the portal.
    PortalSettingsUpdate {
        /// The colour: `#` and six hexadecimal digits. `null` clears it.
        color: PatchField<ColorText>,
        /// The sender's name of mails to customers. `null` clears it.
        sender_name: PatchField<SenderText>,
        /// Switches of sections.
        sections: Option<PortalSectionsUpdate>,
    }
}

impl From<PortalSettingsUpdate> for PortalSettingsChange {
    fn from(body: PortalSettingsUpdate) -> Self {
        let PortalSettingsUpdate { color, sender_name, sections } = body;
        let change = Self {
            color: color.0.map(|color| color.0),
            sender_name: sender_name.0.map(|name| name.0),
            ..Self::default()
        };
        let Some(sections) = sections else { return change };
        let PortalSectionsUpdate { sign_in, billing_details, team, add_members, sessions } = sections;
        Self { sign_in, billing_details, team, add_members, sessions, ..change }
    }
}

/// The sections of the portal that are switched on.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PortalSections", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct SectionsView {
    /// Signing in by a mailed code.
    sign_in: bool,
    /// The change of the customer's billing details.
    billing_details: bool,
    /// The customer's members.
    team: bool,
    /// The addition of members by the customer. Without `team` it has no effect.
    add_members: bool,
    /// The person's sessions. Signing out is always possible.
    sessions: bool,
}

/// The look and the sections of the portal.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PortalSettings", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct PortalSettingsView<'a> {
    /// The organization.
    #[schemars(with = "Uuid4")]
    organization_id: OrganizationId,
    /// The colour, as `#rrggbb`.
    color: Option<&'a str>,
    /// The sender's name of mails to customers. `null`: the operator's.
    sender_name: Option<&'a str>,
    /// The sections.
    sections: SectionsView,
}

impl<'a> From<&'a Organization> for PortalSettingsView<'a> {
    fn from(organization: &'a Organization) -> Self {
        let PortalSettings { color, sender_name, sections } = &organization.profile.portal;
        let PortalSections { sign_in, billing_details, team, add_members, sessions } = *sections;
        Self {
            organization_id: organization.id,
            color: color.as_ref().map(BrandColor::as_str),
            sender_name: sender_name.as_ref().map(SenderName::as_str),
            sections: SectionsView { sign_in, billing_details, team, add_members, sessions },
        }
    }
}

fn shown(organization: &Organization) -> Result<Vec<u8>, Error> {
    response::body(&PortalSettingsView::from(organization))
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let id = OrganizationId::new(input.finish(id)?.0);
    let organization = call.app.organization(&call.requester(), id).await?;
    Ok(response::json(StatusCode::OK, &PortalSettingsView::from(&organization)))
}

pub(super) async fn update(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let body = input.body::<PortalSettingsUpdate>();
    let (id, body) = input.finish(id.zip(body))?;
    let id = OrganizationId::new(id.0);
    let change = OrganizationChange { portal: body.into(), ..OrganizationChange::default() };
    let organization = call.write_row(OrganizationUpdate { by: call.requester(), id, change }, shown).await?;
    Ok(response::json(StatusCode::OK, &PortalSettingsView::from(&organization)))
}
