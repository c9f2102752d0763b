//! The endpoint that invites many people. Each item is read and refused on its own.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::Value;
use tenantry_app::invitations::{BulkItem, BulkResult, InvitationBulkCreate};
use tenantry_app::limits::INVITATIONS_AT_ONCE;
use tenantry_core::Timestamp;
use tenantry_core::ids::OrganizationId;
use tenantry_core::invitation::{NewInvitation, accept_url};
use tenantry_core::team::TeamRole;

use super::wire::InvitationView;
use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response::to_stored;
use crate::polar::errors::ErrorResponse;
use crate::polar::team::wire::AssignableRole;
use crate::polar::tokens::wire::ExpiresIn;
use crate::polar::values::{MetadataObject, NameText};
use crate::wire::{Email, List, Uuid4, Validation, Violation, Wire, wire_object};

wire_object! {
    /// One person to invite.
    InvitationItem {
        /// E-mail address of the person.
        email: Email,
        /// The role that the person gets; by default `member`.
        role: Option<AssignableRole>,
        /// Display name in the team.
        name: Option<NameText>,
        /// The time for which the invitation can be accepted: 7 days by default, at most 30.
        expires_in: Option<ExpiresIn>,
        /// Data of your own.
        metadata: Option<MetadataObject>,
    }
}

/// One item, or the reason why it is invalid. An invalid item refuses no other.
#[derive(Debug, Clone)]
pub(crate) struct BulkItemBody(BulkItem);

impl Wire for BulkItemBody {
    fn read(value: &Value, _: &mut Validation) -> Option<Self> {
        let mut at = Validation::default();
        let read = InvitationItem::read(value, &mut at).filter(|_| at.is_clean());
        let new = read.map(Into::into).ok_or_else(|| reason(&at.into_found()));
        Some(Self(BulkItem { new }))
    }
}

impl From<InvitationItem> for NewInvitation {
    fn from(item: InvitationItem) -> Self {
        let InvitationItem { email, role, name, expires_in, metadata } = item;
        Self {
            email: email.0,
            name: name.and_then(|name| name.0),
            role: role.map_or(TeamRole::Developer, |role| role.0.to),
            expires_in: expires_in.map(|expires_in| expires_in.0),
            metadata: metadata.map(|metadata| metadata.0).unwrap_or_default(),
        }
    }
}

/// The first violation with its field: `email: ...`.
fn reason(found: &[Violation]) -> String {
    let Some(Violation { loc, msg, .. }) = found.first() else { return "it is invalid".to_owned() };
    let field: Vec<String> = loc.iter().map(String::from).collect();
    if field.is_empty() { msg.to_string() } else { format!("{}: {msg}", field.join(".")) }
}

impl JsonSchema for BulkItemBody {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        InvitationItem::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<InvitationItem>()
    }
}

wire_object! {
    /// People to invite.
    InvitationBulkBody {
        /// The people, at most 100.
        items: List<BulkItemBody, { INVITATIONS_AT_ONCE }>,
        /// Whether each person gets a mail with the link; by default true. Otherwise the response has the links.
        send_email: Option<bool>,
    }
}

/// The result for one person.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "InvitationBulkResult")]
pub(crate) struct BulkResultView<'a> {
    /// The place of the item, from 0.
    index: usize,
    /// `created`; `pending` when the address has a pending invitation; `member` when the person is in the team; or
    /// `invalid`.
    #[schemars(extend("enum" = ["created", "pending", "member", "invalid"]))]
    status: &'static str,
    /// The invitation that was made, or is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation: Option<InvitationView<'a>>,
    /// The link of an invitation that was made, if no mail carries it. No other response contains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    accept_url: Option<String>,
    /// The reason of `invalid`, and of a pending invitation with another role.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// The results, in the order of the items.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "InvitationBulkResults", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct InvitationBulkView<'a> {
    /// One for each item.
    results: Vec<BulkResultView<'a>>,
}

impl<'a> InvitationBulkView<'a> {
    fn new(results: &'a [BulkResult], now: Timestamp, public_url: &str) -> Self {
        let shown = results.iter().enumerate().map(|(index, result)| BulkResultView {
            index,
            status: result.status.as_str(),
            invitation: result.details.as_ref().map(|details| InvitationView::new(details, now)),
            accept_url: result.secret.as_ref().map(|secret| accept_url(public_url, secret.expose())),
            error: result.error.as_deref(),
        });
        Self { results: shown.collect() }
    }
}

pub(super) async fn create(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<Uuid4>("id");
    let body = input.body::<InvitationBulkBody>();
    let (id, InvitationBulkBody { items, send_email }) = input.finish(id.zip(body))?;
    let create = InvitationBulkCreate {
        by: call.requester(),
        organization: OrganizationId::new(id.0),
        items: items.0.into_iter().map(|item| item.0).collect(),
        send_email: send_email.unwrap_or(true),
        hash_key: call.app.hash_key().clone(),
    };
    let (app, public_url) = (Arc::clone(&call.app), Arc::clone(&call.public_url));
    let shown = move |results: &Vec<BulkResult>| {
        to_stored(StatusCode::OK, &InvitationBulkView::new(results, app.now(), &public_url))
    };
    Ok(call.write_once(create, shown).await?)
}
