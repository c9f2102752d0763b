//! Response types of the audit log.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tenantry_app::Error;
use tenantry_app::audit_log::AuditLogRetention;
use tenantry_core::Timestamp;
use tenantry_core::ids::{AuditId, OrganizationId};
use tenantry_store::AuditRecord;
use uuid::Uuid;

use crate::wire::Uuid4;

/// The party that made a change.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditActor", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct ActorView {
    /// `access_token`, `user`, `customer`, `member`, `operator` or `system`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// The actor's id. `null` for `operator` and `system`.
    #[schemars(with = "Option<Uuid4>")]
    pub(super) id: Option<Uuid>,
}

/// An entry of the audit log.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditEntry", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct EntryView {
    /// The entry's id.
    #[schemars(with = "Uuid4")]
    pub(super) id: AuditId,
    /// When the change was made.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) created_at: Timestamp,
    /// The organization whose data changed.
    #[schemars(with = "Uuid4")]
    pub(super) organization_id: OrganizationId,
    /// The action, such as `customer.updated`.
    pub(super) action: String,
    /// The author of the change.
    pub(super) actor: ActorView,
    /// The id of the object that changed.
    #[schemars(with = "Uuid4")]
    pub(super) subject_id: Uuid,
    /// The object before a deletion, or its changed fields before an update. `null` for a creation.
    #[schemars(with = "Option<std::collections::BTreeMap<String, Value>>")]
    pub(super) before: Value,
    /// The object after a creation, or its changed fields after an update. `null` for a deletion.
    #[schemars(with = "Option<std::collections::BTreeMap<String, Value>>")]
    pub(super) after: Value,
    /// The id of the request, as its response shows it. `null` if no request made the change.
    pub(super) request_id: Option<String>,
    /// The token or session of the request.
    #[schemars(with = "Option<Uuid4>")]
    pub(super) credential_id: Option<Uuid>,
    /// The address that the request came from.
    pub(super) client_address: Option<String>,
    /// The beginning of the request's `User-Agent`.
    pub(super) user_agent: Option<String>,
}

impl EntryView {
    /// The entry as the API shows it.
    pub(super) fn new(entry: AuditRecord) -> Result<Self, Error> {
        let image =
            |image: Option<String>| image.map_or(Ok(Value::Null), |image| serde_json::from_str(&image));
        Ok(Self {
            id: entry.id,
            created_at: entry.at,
            organization_id: entry.organization,
            action: entry.action,
            actor: ActorView { kind: entry.actor_kind, id: entry.actor },
            subject_id: entry.subject,
            before: image(entry.before)?,
            after: image(entry.after)?,
            request_id: entry.request_id,
            credential_id: entry.credential,
            client_address: entry.client_address,
            user_agent: entry.user_agent,
        })
    }
}

/// The days for which an organization keeps its audit log.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditLogRetention", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct RetentionView {
    /// The organization.
    #[schemars(with = "Uuid4")]
    pub(super) organization_id: OrganizationId,
    /// Days for which the organization keeps an entry. `null`: as long as the server does.
    pub(super) days: Option<u32>,
    /// Days for which the server keeps an entry at most. `null`: for good.
    pub(super) server_days: Option<u32>,
}

impl From<AuditLogRetention> for RetentionView {
    fn from(retention: AuditLogRetention) -> Self {
        let AuditLogRetention { organization, days, operator_days } = retention;
        Self { organization_id: organization, days, server_days: operator_days }
    }
}

/// Cursors to the neighbouring pages.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditPagination", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct Cursors {
    /// The `after` of the page of older entries. `null` on the last page.
    pub(super) next_cursor: Option<String>,
    /// The `before` of the page of newer entries. `null` on the first page.
    pub(super) previous_cursor: Option<String>,
}

/// A page of the audit log, newest entry first.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditLogPage", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct EntryPage {
    /// The entries.
    pub(super) items: Vec<EntryView>,
    /// Cursors to the neighbouring pages.
    pub(super) pagination: Cursors,
}
