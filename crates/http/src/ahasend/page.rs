//! Lists in parts: `limit`, `after` and `before` in, `data` and `pagination` out
//! (docs/contracts/ahasend.md, 1.9).

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tenantry_app::cursors::CursorScope;
use tenantry_store::{Edge, Keyset, KeysetPage};

use crate::ahasend::errors::ErrorResponse;
use crate::api::call::Call;
use crate::api::endpoint::Parameter;
use crate::api::response;
use crate::limits;

/// What the document says of the parameters of every list.
pub(super) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "limit",
        location: "query",
        schema: || json!({"type": "integer", "minimum": 1, "maximum": limits::PAGE_ROWS, "default": limits::PAGE_ROWS}),
        description: "Rows at the most.",
    },
    Parameter {
        name: "after",
        location: "query",
        schema: || json!({"type": "string"}),
        description: "What follows: the `next_cursor` of another part. Not together with `before`.",
    },
    Parameter {
        name: "before",
        location: "query",
        schema: || json!({"type": "string"}),
        description: "What comes just before: the `previous_cursor` of another part.",
    },
    Parameter {
        name: "cursor",
        location: "query",
        schema: || json!({"type": "string"}),
        description: "The former name of `after`.",
    },
];

/// Where a part of a list has its neighbours.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PaginationInfo")]
pub(crate) struct Pagination {
    /// Whether there is anything after the last row.
    has_more: bool,
    /// To be sent as `after` for what follows; absent when nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// To be sent as `before` for what comes just before; absent when nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_cursor: Option<String>,
}

/// A part of a list, newest first.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Paginated{V}sResponse")]
pub(crate) struct ListOf<V> {
    /// Always `list`.
    object: &'static str,
    /// The rows.
    data: Vec<V>,
    /// Where its neighbours are.
    pagination: Pagination,
}

/// Reads which part of a list is wanted.
pub(super) fn read(call: &Call, of: CursorScope) -> Result<Keyset, ErrorResponse> {
    let bounds = 1..=limits::PAGE_ROWS;
    let limit = match call.query_value("limit") {
        None => limits::PAGE_ROWS,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| bounds.contains(limit))
            .ok_or(ErrorResponse::Bad("limit must be between 1 and 100"))?,
    };
    let place = |name, refused| {
        let read = |cursor| call.app.open_cursor(of, cursor).ok_or(ErrorResponse::Bad(refused));
        call.query_value(name).map(read).transpose()
    };
    let after = match place("after", "after is no cursor of this list")? {
        Some(after) => Some(after),
        None => place("cursor", "cursor is no cursor of this list")?,
    };
    let edge = match (after, place("before", "before is no cursor of this list")?) {
        (None, None) => Edge::Newest,
        (Some(after), None) => Edge::After(after),
        (None, Some(before)) => Edge::Before(before),
        (Some(_), Some(_)) => return Err(ErrorResponse::Bad("after and before cannot be used together")),
    };
    Ok(Keyset { edge, limit: usize::try_from(limit).unwrap_or(usize::MAX) })
}

/// Shows a part of a list, each row as a `V`.
pub(super) fn show<'a, R, V>(
    call: &Call,
    of: CursorScope,
    part: &'a KeysetPage<R>,
) -> Result<Response, ErrorResponse>
where
    V: From<&'a R> + Serialize,
{
    let cursor = |at: Option<uuid::Uuid>| at.map(|at| call.app.cursor(of, at)).transpose();
    let pagination = Pagination {
        has_more: part.older.is_some(),
        next_cursor: cursor(part.older)?,
        previous_cursor: cursor(part.newer)?,
    };
    let data: Vec<V> = part.items.iter().map(V::from).collect();
    Ok(response::json(StatusCode::OK, &ListOf { object: "list", data, pagination }))
}
