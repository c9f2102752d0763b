//! The audit log of an organization. The original does not have it.

mod export;
mod handlers;
mod view;
mod wire;

use serde_json::json;
use tenantry_core::token::RequiredScope;

use crate::api::access::Access;
use crate::api::endpoint::{Endpoint, Method, Parameter, handler, schema};
use crate::polar::export::BOM;
use crate::polar::page::LIMIT;
use view::{EntryPage, EntryView, RetentionView};
use wire::RetentionBody;

const READ: Access = Access::Scoped(&[RequiredScope::new("audit:read")]);
/// Shortening the log is a change of the organization.
const WRITE: Access = Access::Scoped(&[RequiredScope::new("organizations:write")]);

const ORGANIZATION: Parameter = Parameter::query(
    "organization_id",
    || json!({"type": "string", "format": "uuid4"}),
    "The organization. A person in several teams must name it, or send `Polar-Organization`.",
);
const ORGANIZATIONS: Parameter = Parameter::query(
    "organization_id",
    || json!({"type": "array", "items": {"type": "string", "format": "uuid4"}}),
    "Of these organizations.",
);
const ACTOR: Parameter = Parameter::query(
    "actor_id",
    || json!({"type": "string", "format": "uuid4"}),
    "Only entries by this token, user, customer or member.",
);
const SUBJECT: Parameter = Parameter::query(
    "subject_id",
    || json!({"type": "string", "format": "uuid4"}),
    "Only entries about the object with this id.",
);
const ACTION: Parameter = Parameter::query(
    "action",
    || json!({"type": "string", "maxLength": wire::ACTION_BYTES}),
    "Only entries of this action, such as `customer.updated`.",
);
const FROM: Parameter = Parameter::query(
    "start_timestamp",
    || json!({"type": "string", "format": "date-time"}),
    "Only entries of this time and later.",
);
const BEFORE: Parameter = Parameter::query(
    "end_timestamp",
    || json!({"type": "string", "format": "date-time"}),
    "Only entries before this time.",
);

/// The endpoints on this noun.
pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        parameters: &[
            LIMIT,
            Parameter::query(
                "after",
                || json!({"type": "string"}),
                "The `next_cursor` of a page: returns the older entries. Not together with `before`.",
            ),
            Parameter::query(
                "before",
                || json!({"type": "string"}),
                "The `previous_cursor` of a page: returns the newer entries.",
            ),
            ORGANIZATION,
            ACTOR,
            SUBJECT,
            ACTION,
            FROM,
            BEFORE,
        ],
        response: Some(schema::<EntryPage>),
        errors: &[422],
        ..Endpoint::new(
            Method::Get,
            "/v1/audit-log",
            "audit_log:list",
            "List the entries of the audit log, newest first",
            READ,
            handler!(handlers::list),
        )
    },
    Endpoint {
        parameters: &[
            Parameter::query(
                "format",
                || json!({"type": "string", "enum": ["jsonl", "csv"], "default": "jsonl"}),
                "The form of the file.",
            ),
            BOM,
            ORGANIZATIONS,
            ACTOR,
            SUBJECT,
            ACTION,
            FROM,
            BEFORE,
        ],
        content_types: &["application/jsonl", "text/csv"],
        response: Some(schema::<String>),
        errors: &[422],
        ..Endpoint::new(
            Method::Get,
            "/v1/audit-log/export",
            "audit_log:export",
            "Export the audit log as JSON Lines or CSV, oldest entry first",
            READ,
            handler!(export::export),
        )
    },
    Endpoint {
        parameters: &[ORGANIZATION],
        response: Some(schema::<RetentionView>),
        errors: &[422],
        ..Endpoint::new(
            Method::Get,
            "/v1/audit-log/retention",
            "audit_log:get_retention",
            "Get the days for which the audit log is kept",
            READ,
            handler!(handlers::retention),
        )
    },
    Endpoint {
        parameters: &[ORGANIZATION],
        body: Some(schema::<RetentionBody>),
        response: Some(schema::<RetentionView>),
        errors: &[422],
        ..Endpoint::new(
            Method::Put,
            "/v1/audit-log/retention",
            "audit_log:set_retention",
            "Set the days for which the audit log is kept",
            WRITE,
            handler!(handlers::set_retention),
        )
    },
    Endpoint {
        response: Some(schema::<EntryView>),
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Get,
            "/v1/audit-log/{id}",
            "audit_log:get",
            "Get an entry of the audit log",
            READ,
            handler!(handlers::get),
        )
    },
];
