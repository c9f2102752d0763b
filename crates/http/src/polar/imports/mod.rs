//! Imports of customers: many rows of a file in one request. The original does not have them.

mod file;
mod handlers;
mod rows;
mod staging;
mod table;
mod view;

pub use file::FileError;
pub use rows::read_import_rows;
pub use staging::{ImportStaging, StagingStep};
pub use table::ColumnError;

use serde_json::json;
use tenantry_core::token::RequiredScope;

use crate::api::access::Access;
use crate::api::endpoint::{Endpoint, Method, Parameter, handler, schema};
use crate::polar::page::{LIMIT, PAGE};
use view::ImportView;

const READ: Access =
    Access::Scoped(&[RequiredScope::new("customers:read"), RequiredScope::new("customers:write")]);
const WRITE: Access = Access::Scoped(&[RequiredScope::new("customers:write")]);

/// The endpoints on this noun.
pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        parameters: &[
            Parameter::query(
                "on_match",
                || json!({"type": "string", "enum": ["skip", "update", "fail"], "default": "fail"}),
                "What happens to a row whose external id or address a customer has.",
            ),
            Parameter::query(
                "dry_run",
                || json!({"type": "boolean", "default": false}),
                "Whether to check the rows only.",
            ),
            Parameter::query(
                "organization_id",
                || json!({"type": "string", "format": "uuid4"}),
                "The organization. Only for tokens of users.",
            ),
        ],
        upload: &["text/csv", "application/jsonl"],
        success: 202,
        response: Some(schema::<ImportView<'static>>),
        errors: &[408, 413, 415, 422, 429],
        ..Endpoint::new(
            Method::Post,
            "/v1/customers/import",
            "customers:import",
            "Import customers and their members from a CSV or JSON Lines file",
            WRITE,
            handler!(handlers::import),
        )
    },
    Endpoint {
        parameters: &[PAGE, LIMIT],
        response: Some(schema::<ImportView<'static>>),
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Get,
            "/v1/customers/import/{id}",
            "customers:get_import",
            "Get the progress of an import and its failed rows",
            READ,
            handler!(handlers::get),
        )
    },
    Endpoint {
        success: 204,
        errors: &[404, 422],
        ..Endpoint::new(
            Method::Delete,
            "/v1/customers/import/{id}",
            "customers:stop_import",
            "Stop an import; the rows that are done stay",
            WRITE,
            handler!(handlers::stop),
        )
    },
];

/// The query parameters of the endpoint that imports. Another one is refused: `dryrun` would change customers.
const PARAMETERS: [&str; 3] = ["on_match", "dry_run", "organization_id"];
