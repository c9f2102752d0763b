//! Pages of lists: the request has `page` and `limit`, the response `items` and `pagination`
//! (docs/contracts/polar/http.md, 1.12).

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tenantry_core::values::one_of;
use tenantry_store::{Order, Page, Paged};

use crate::api::endpoint::Parameter;
use crate::api::input::Input;
use crate::api::response;
use crate::limits;
use crate::wire::{Validation, Wire};

/// A whole number above 0.
struct Positive(u64);

impl Wire for Positive {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let number = i64::read(value, at)?;
        let positive = u64::try_from(number).ok().filter(|number| *number > 0);
        if positive.is_none() {
            at.violate("greater_than", "Input should be greater than 0", value, Some(json!({"gt": 0})));
        }
        positive.map(Self)
    }
}

/// The query parameter `page`.
pub(super) const PAGE: Parameter = Parameter {
    name: "page",
    location: "query",
    schema: || json!({"type": "integer", "exclusiveMinimum": 0, "default": 1}),
    description: "Number of the page, from 1.",
};

/// The query parameter `limit`.
pub(super) const LIMIT: Parameter = Parameter {
    name: "limit",
    location: "query",
    schema: || json!({"type": "integer", "exclusiveMinimum": 0, "default": limits::PAGE_ROWS_DEFAULT}),
    description: "Number of rows of a page. More than 100 count as 100.",
};

/// Reads the page that the request asks for.
pub(super) fn read(input: &mut Input<'_>) -> Option<Page> {
    let page = input.query::<Positive>("page");
    let limit = limit(input);
    let (page, limit) = (page?.map_or(1, |page| page.0), limit?);
    Some(Page { offset: (page - 1).saturating_mul(limit), limit })
}

/// Reads the number of rows of a page.
pub(super) fn limit(input: &mut Input<'_>) -> Option<u64> {
    let limit = input.query::<Positive>("limit")?;
    Some(limit.map_or(limits::PAGE_ROWS_DEFAULT, |limit| limit.0.min(limits::PAGE_ROWS)))
}

/// Reads the order of a list: `sorting`, repeatable, each a key, with `-` in front of it for descending order.
pub(super) fn sorting<K: Copy>(
    input: &mut Input<'_>,
    keys: &'static [(&'static str, K)],
) -> Option<Vec<Order<K>>> {
    let values: Vec<String> = input.call.query_values("sorting").map(str::to_owned).collect();
    let mut order = Vec::new();
    let mut is_valid = true;
    for (index, value) in values.iter().enumerate() {
        let (name, descending) = value.strip_prefix('-').map_or((value.as_str(), false), |name| (name, true));
        match keys.iter().find(|(key, _)| *key == name) {
            Some((_, key)) => order.push(Order { by: *key, descending }),
            None => {
                is_valid = false;
                let names: Vec<String> =
                    keys.iter().flat_map(|(key, _)| [(*key).to_owned(), format!("-{key}")]).collect();
                let expected = one_of(&names.iter().map(String::as_str).collect::<Vec<_>>());
                input.at.within("query", |at| {
                    at.within("sorting", |at| {
                        at.within(index, |at| {
                            let ctx = Some(json!({"expected": expected}));
                            at.violate(
                                "enum",
                                format!("Input should be {expected}"),
                                &Value::from(value.as_str()),
                                ctx,
                            );
                        });
                    });
                });
            }
        }
    }
    is_valid.then_some(order)
}

/// A page of a list.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ListResource_{T}_")]
pub(crate) struct ListResource<T> {
    /// The rows of this page.
    items: Vec<T>,
    /// Length of the whole list.
    pagination: Pagination,
}

/// Length of a list.
#[derive(Serialize, JsonSchema)]
struct Pagination {
    /// Rows of the whole list.
    total_count: u64,
    /// The last page; 0 when the list is empty.
    max_page: u64,
}

/// The response with a list that has one page.
pub(super) fn single<'a, R, T: Serialize>(rows: &'a [R], show: impl Fn(&'a R) -> T) -> Response {
    let items: Vec<T> = rows.iter().map(show).collect();
    let total_count = u64::try_from(items.len()).unwrap_or(u64::MAX);
    response::json(
        StatusCode::OK,
        &ListResource { items, pagination: Pagination { total_count, max_page: 1 } },
    )
}

/// The response with one page of a list.
pub(super) fn response<'a, R, T: Serialize>(
    paged: &'a Paged<R>,
    page: Page,
    show: impl Fn(&'a R) -> T,
) -> Response {
    response::json(StatusCode::OK, &resource(paged, page, show))
}

/// One page of a list.
pub(super) fn resource<'a, R, T>(
    paged: &'a Paged<R>,
    page: Page,
    show: impl Fn(&'a R) -> T,
) -> ListResource<T> {
    let items = paged.items.iter().map(show).collect();
    let max_page = paged.total.div_ceil(page.limit.max(1));
    ListResource { items, pagination: Pagination { total_count: paged.total, max_page } }
}
