//! Declared HTTP operations.

use std::future::Future;
use std::pin::Pin;

use axum::response::Response;
use axum::routing::MethodFilter;
use schemars::SchemaGenerator;

use super::access::Access;
use super::call::Call;

/// The HTTP methods of endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    pub(crate) const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

/// The future of a handler.
pub(crate) type ResponseFuture = Pin<Box<dyn Future<Output = Response> + Send>>;

/// Generates the OpenAPI schema of a body.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> schemars::Schema;

/// The OpenAPI schema of `T`.
pub(crate) fn schema<T: schemars::JsonSchema>(generator: &mut SchemaGenerator) -> schemars::Schema {
    generator.subschema_for::<T>()
}

/// A query parameter or header as the OpenAPI document describes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    /// `query` or `header`.
    pub(crate) location: &'static str,
    pub(crate) schema: fn() -> serde_json::Value,
    pub(crate) description: &'static str,
}

impl Parameter {
    /// An optional query parameter.
    pub(crate) const fn query(
        name: &'static str,
        schema: fn() -> serde_json::Value,
        description: &'static str,
    ) -> Self {
        Self { name, location: "query", schema, description }
    }
}

/// The content type of most responses.
pub(crate) const JSON: &str = "application/json";

/// One HTTP operation of a dialect.
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    /// The path with its parameters in braces.
    pub(crate) path: &'static str,
    /// The `operationId` of the OpenAPI document.
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) access: Access,
    pub(crate) parameters: &'static [Parameter],
    pub(crate) body: Option<SchemaOf>,
    /// The content types of a body that the handler reads while it arrives, as [`Call::take_upload`]. Empty for every
    /// other endpoint.
    pub(crate) upload: &'static [&'static str],
    /// The status of success.
    pub(crate) success: u16,
    /// A second status of success with the same body, for a request that changes nothing.
    pub(crate) unchanged: Option<u16>,
    /// The content types that the response can have.
    pub(crate) content_types: &'static [&'static str],
    pub(crate) response: Option<SchemaOf>,
    /// Statuses of failure besides those that every endpoint has.
    pub(crate) errors: &'static [u16],
    pub(crate) deprecated: bool,
    /// Whether the endpoint sends mail to an address of the caller's choice. Such calls have a rate limit of
    /// their own.
    pub(crate) sends_mail: bool,
    /// Whether the response to a POST contains a secret. It is stored encrypted for its idempotency key, and for
    /// a short time.
    pub(crate) returns_secret: bool,
    /// Whether the endpoint is about one row, and its response, unless it is a DELETE, shows that row. The response
    /// then has an `ETag`, and all but a POST honour `If-Match` and `If-None-Match`.
    pub(crate) row: bool,
    pub(crate) handler: fn(Call) -> ResponseFuture,
}

impl Endpoint {
    /// An endpoint of success 200 without parameters, body, documented response and errors of its own.
    pub(crate) const fn new(
        method: Method,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        access: Access,
        handler: fn(Call) -> ResponseFuture,
    ) -> Self {
        Self {
            method,
            path,
            id,
            summary,
            access,
            parameters: &[],
            body: None,
            upload: &[],
            success: 200,
            unchanged: None,
            content_types: &[JSON],
            response: None,
            errors: &[],
            deprecated: false,
            sends_mail: false,
            returns_secret: false,
            row: false,
            handler,
        }
    }

    /// Whether the endpoint honours `Polar-Organization`: those of the Polar dialect do.
    pub(crate) fn takes_organization(&self) -> bool {
        self.path.starts_with("/v1/")
    }

    /// Whether a response of success has an `ETag`.
    pub(crate) const fn shows_row(&self) -> bool {
        self.row && !matches!(self.method, Method::Delete)
    }

    /// Whether the endpoint honours `If-Match` and `If-None-Match`.
    pub(crate) const fn takes_conditions(&self) -> bool {
        self.row && !matches!(self.method, Method::Post)
    }

    /// Whether the endpoint honours `Idempotency-Key`: every POST with a caller does. A key belongs to a caller.
    pub(crate) const fn takes_idempotency_key(&self) -> bool {
        matches!(self.method, Method::Post) && !matches!(self.access, Access::Public)
    }
}

/// Makes a handler of an `async fn(Call) -> Result<Response, E>`.
macro_rules! handler {
    ($function:path) => {
        |call| Box::pin(async move { $function(call).await.unwrap_or_else(Into::into) })
    };
}

pub(crate) use handler;
