//! Pages of lists: the request has `limit`, `after` and `before`, the response `data` and `pagination`
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

/// The query parameters of every list.
pub(super) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "limit",
        location: "query",
        schema: || json!({"type": "integer", "minimum": 1, "maximum": limits::PAGE_ROWS, "default": limits::PAGE_ROWS}),
        description: "Maximum number of rows.",
    },
    Parameter {
        name: "after",
        location: "query",
        schema: || json!({"type": "string"}),
        description: "The `next_cursor` of a page: returns the rows after it. Not together with `before`.",
    },
    Parameter {
        name: "before",
        location: "query",
        schema: || json!({"type": "string"}),
        description: "The `previous_cursor` of a page: returns the rows before it.",
    },
    Parameter {
        name: "cursor",
        location: "query",
        schema: || json!({"type": "string"}),
        description: "The former name of `after`.",
    },
];

/// Cursors to the neighbouring pages.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PaginationInfo")]
pub(crate) struct Pagination {
    /// Whether there is a next page.
    has_more: bool,
    /// The `after` of the next page. Absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// The `before` of the previous page. Absent on the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_cursor: Option<String>,
}

/// A page of a list, newest first.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Paginated{V}sResponse")]
pub(crate) struct ListOf<V> {
    /// Always `list`.
    object: &'static str,
    /// The rows.
    data: Vec<V>,
    /// Cursors to the neighbouring pages.
    pagination: Pagination,
}

/// Reads the page that the request asks for.
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
    let position = |name, refused| {
        let read = |cursor| call.app.open_cursor(of, cursor).ok_or(ErrorResponse::Bad(refused));
        call.query_value(name).map(read).transpose()
    };
    let after = match position("after", "after is not a cursor of this list")? {
        Some(after) => Some(after),
        None => position("cursor", "cursor is not a cursor of this list")?,
    };
    let edge = match (after, position("before", "before is not a cursor of this list")?) {
        (None, None) => Edge::Newest,
        (Some(after), None) => Edge::After(after),
        (None, Some(before)) => Edge::Before(before),
        (Some(_), Some(_)) => return Err(ErrorResponse::Bad("after and before cannot be used together")),
    };
    Ok(Keyset { edge, limit: usize::try_from(limit).unwrap_or(usize::MAX) })
}

/// The response with a page of a list, each row as a `V`.
pub(super) fn response<'a, R, V>(
    call: &Call,
    of: CursorScope,
    page: &'a KeysetPage<R>,
) -> Result<Response, ErrorResponse>
where
    V: From<&'a R> + Serialize,
{
    let cursor = |at: Option<uuid::Uuid>| at.map(|at| call.app.cursor(of, at)).transpose();
    let pagination = Pagination {
        has_more: page.older.is_some(),
        next_cursor: cursor(page.older)?,
        previous_cursor: cursor(page.newer)?,
    };
    let data: Vec<V> = page.items.iter().map(V::from).collect();
    Ok(response::json(StatusCode::OK, &ListOf { object: "list", data, pagination }))
}
